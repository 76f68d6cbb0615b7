package percentile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/percentile"
)

// full is a learner of five metrics whose samples are full, and the next readings
// of its groups.
func full(groups int) (*percentile.Learner, func() int) {
	c := config(func(c *percentile.Config) {
		c.Metrics = []string{"temperature", "humidity", "co2", "occupancy", "energy_consumption"}
		c.MinWidth = []float64{1, 5, 100, 5, 0}
	})
	l := percentile.New(c)
	keys := make([][]byte, groups)
	for i := range keys {
		keys[i] = fmt.Append(nil, "Office ", i)
	}
	i, found, values := 0, []percentile.Finding(nil), make([]float64, 5)
	next := func() int {
		x := float64(i * 7919 % 100)
		values[0], values[1], values[2], values[3], values[4] = 20+x/50, 40+x/10, 500+x, x/10, 30+x/10
		found, _ = l.Observe(keys[i%groups], start.Add(time.Duration(i/groups)*10*time.Second), values, found[:0])
		i++
		return len(found)
	}
	for range 12_000 * groups {
		next()
	}
	return l, next
}

func TestLearnerDoesNotAllocateWhenQuiet(t *testing.T) {
	_, next := full(3)
	require.Zero(t, testing.AllocsPerRun(20_000, func() { next() }))
}

func BenchmarkObserve(b *testing.B) {
	for _, groups := range []int{1, 6, 100} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			_, next := full(groups)
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}

func BenchmarkMarshalBinary(b *testing.B) {
	l, _ := full(6)
	b.ReportAllocs()
	for b.Loop() {
		data, err := l.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(data)))
	}
}
