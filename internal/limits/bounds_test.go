package limits

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bounds are what sorting gives, however values come, equal ones included.
func TestBoundsAreTheFirstAndLastOfASortedList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := none
		var values []float32
		for range 1 + rng.IntN(30) {
			v := float32(rng.IntN(20) - 10)
			b.add(v)
			values = append(values, v)
			slices.Sort(values)
			n := len(values)
			require.Equal(t, [2]float32{values[n-1], second(values[max(n-2, 0)], n, -inf)}, b.top)
			require.Equal(t, [2]float32{values[0], second(values[min(1, n-1)], n, inf)}, b.bottom)
		}
	}
}

// second is the value, if there are two.
func second(v float32, values int, none float32) float32 {
	if values < 2 {
		return none
	}
	return v
}
