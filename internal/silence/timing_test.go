package silence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/silence"
	"buildmon/internal/testheap"
)

// crowd is n sensors on floors of 20 and readings of all of them in turn, ten
// seconds apart, from the given round on.
func crowd(n int) func(round, i int) *silence.Reading {
	readings := make([]silence.Reading, n)
	for i := range readings {
		floor := fmt.Sprintf("Floor %d", i/20)
		readings[i] = silence.Reading{
			Sensor: fmt.Sprintf("bldg-a-f%d-office-%d", i/20, i), Group: []string{"Building A", floor},
			Place: silence.Place{RoomID: fmt.Sprintf("BuildingA-Floor%d-Office-%d", i/20, i), Building: "Building A", Floor: floor, RoomType: "Office"},
		}
	}
	return func(round, i int) *silence.Reading {
		readings[i].Time = monday.Add(time.Duration(round)*10*time.Second + time.Duration(i)*10*time.Second/time.Duration(n))
		return &readings[i]
	}
}

func TestNoAllocations(t *testing.T) {
	d, next := silence.New(usual), crowd(1000)
	round := 0
	all := func() {
		for i := range 1000 {
			d.Observe(next(round, i), later, nil)
		}
		round++
	}
	for range 100 {
		all()
	}
	require.Zero(t, testing.AllocsPerRun(100, all))
}

// At most 0.5 KB for each sensor, texts included, also after a restart: a million fit into
// half a GB.
func TestMemoryOfSensors(t *testing.T) {
	const n = 20_000
	learn := func() *silence.Detector {
		d, next := silence.New(usual), crowd(n)
		for round := range 10 {
			for i := range n {
				d.Observe(next(round, i), later, nil)
			}
		}
		return d
	}
	state, err := learn().AppendBinary(nil)
	require.NoError(t, err)
	for name, known := range map[string]func() *silence.Detector{
		"learned": learn,
		"restored": func() *silence.Detector {
			d := silence.New(usual)
			require.NoError(t, d.UnmarshalBinary(state))
			return d
		},
	} {
		each := testheap.Bytes(known) / n
		t.Logf("%.0f bytes a sensor, %s", each, name)
		require.Less(t, each, 500.0)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n, " sensors"), func(b *testing.B) {
			d, next := silence.New(usual), crowd(n)
			for round := range 10 {
				for i := range n {
					d.Observe(next(round, i), later, nil)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				d.Observe(next(10+i/n, i%n), later, nil)
			}
		})
	}
}
