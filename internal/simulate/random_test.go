package simulate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Draws at neighbouring positions, for neighbouring seeds and for different ends
// look independent and even.
func TestDrawsAreIndependent(t *testing.T) {
	const n = 100_000
	base := func(i int64) float64 { return unit(draw(7, streamNoise, i)) }
	for name, other := range map[string]func(i int64) float64{
		"next position":   func(i int64) float64 { return unit(draw(7, streamNoise, i+1)) },
		"distant":         func(i int64) float64 { return unit(draw(7, streamNoise, i+1<<32)) },
		"mirrored":        func(i int64) float64 { return unit(draw(7, streamNoise, -1-i)) },
		"next seed":       func(i int64) float64 { return unit(draw(8, streamNoise, i)) },
		"next stream":     func(i int64) float64 { return unit(draw(7, streamNoise+1, i)) },
		"bell of another": func(i int64) float64 { return bell(draw(7, streamNoise+2, i)) },
	} {
		var sx, sy, sxx, syy, sxy float64
		for i := range int64(n) {
			x, y := base(i), other(i)
			sx, sy, sxx, syy, sxy = sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y
		}
		c := (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
		// Four deviations of the correlation of independent samples, 1/√n.
		require.InDelta(t, 0, c, 4/math.Sqrt(n), name)
		require.InDelta(t, 0.5, sx/n, 4*math.Sqrt(1.0/12/n), name)
	}
}

func TestDrawsAreEven(t *testing.T) {
	const n, bins = 256_000, 256
	for shift := range 8 {
		var count [bins]float64
		for i := range int64(n) {
			count[draw(3, streamTransport, i)>>(8*shift)&0xff]++
		}
		var chi float64
		for _, c := range count {
			chi += (c - n/bins) * (c - n/bins) / (n / bins)
		}
		// Chi-squared with 255 degrees: mean 255, deviation √510.
		require.InDelta(t, 255, chi, 5*math.Sqrt(510), "byte %d", shift)
	}
}

func TestBellIsStandardAndBounded(t *testing.T) {
	const n = 100_000
	var sum, squares, largest float64
	for i := range int64(n) {
		v := bell(draw(1, streamNoise, i))
		sum, squares, largest = sum+v, squares+v*v, max(largest, math.Abs(v))
	}
	require.InDelta(t, 0, sum/n, 0.02)
	require.InDelta(t, 1, squares/n, 0.02)
	require.Less(t, largest, 2*math.Sqrt(3))
}

// Slots of a kind follow one another without gap or overlap, before 1970 too.
func TestSlotsTileTime(t *testing.T) {
	for kind := Overheating; kind < numFaults; kind++ {
		length := episodes[kind].length
		s := slotAt(99, kind, length, -50*length)
		var shortest, longest int64 = math.MaxInt64, 0
		for s.from < 50*length {
			for _, tick := range []int64{s.from, (s.from + s.to) / 2, s.to - 1} {
				require.Equal(t, s, slotAt(99, kind, length, tick))
			}
			shortest, longest = min(shortest, s.to-s.from), max(longest, s.to-s.from)
			next := slotAt(99, kind, length, s.to)
			require.Equal(t, s.index+1, next.index)
			require.Equal(t, s.to, next.from)
			s = next
		}
		require.GreaterOrEqual(t, shortest, length/5-1)
		require.LessOrEqual(t, longest, length*9/5+1)
	}
}

func TestFloorDiv(t *testing.T) {
	f := func(a, b, want int64) {
		t.Helper()
		require.Equal(t, want, floorDiv(a, b))
	}

	f(0, 60, 0)
	f(59, 60, 0)
	f(60, 60, 1)
	f(-1, 60, -1)
	f(-60, 60, -1)
	f(-61, 60, -2)
}
