package spike_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/spike"
	"buildmon/internal/testfuzz"
)

func FuzzUnmarshalBinary(f *testing.F) {
	d := spike.New(config(nil))
	f.Add(marshal(f, d))
	feed(d, 1, 0, 40)
	f.Add(marshal(f, d))
	feed(d, 2, 0, 300)
	f.Add(marshal(f, d))
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		d := spike.New(config(nil))
		if d.UnmarshalBinary(data) != nil {
			return
		}
		// What was accepted can be used, saved and restored again.
		again := spike.New(config(nil))
		require.NoError(t, again.UnmarshalBinary(marshal(t, d)))
		require.Equal(t, marshal(t, d), marshal(t, again))
		require.Equal(t, feed(d, 3, 0, 100), feed(again, 3, 0, 100))
	})
}

// What FuzzObserve does, with values that are near each other, and often the same, so that
// it goes on for long.
func TestChangesAreThoseOfMedianAndMAD(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for size := range uint8(20) {
		for range 20 {
			var data []byte
			for range 300 {
				v := rng.NormFloat64()
				if rng.IntN(2) == 0 {
					v = math.Round(v)
				}
				data = append(binary.LittleEndian.AppendUint64(data, math.Float64bits(v)), byte(1+rng.IntN(3)))
			}
			robustly(t, size, data)
		}
	}
}

// Any values at any times, against a plain computation of median and MAD.
func FuzzObserve(f *testing.F) {
	f.Add(uint8(5), make([]byte, 500))
	f.Add(uint8(4), binary.LittleEndian.AppendUint64(make([]byte, 300), math.Float64bits(math.MaxFloat64)))
	f.Fuzz(robustly)
}

// robustly compares changes and findings with those of plain medians.
func robustly(t *testing.T, size uint8, data []byte) {
	c := spike.Config{Window: 2 + int(size)%20, Metrics: []spike.Metric{{Name: "x", Deviations: 6, Resolution: 0.5}}}
	d, at, last := spike.New(c), start, time.Time{}
	var window []float64
	for ; len(data) >= 9; data = data[9:] {
		v := math.Float64frombits(binary.LittleEndian.Uint64(data))
		at = at.Add(time.Duration(int8(data[8])) * time.Second)
		found, tally := d.Observe("s1", at, []float64{v}, changes[:], nil)
		for _, f := range found {
			require.Equal(t, v, f.Value)
			require.Positive(t, f.Limit)
			require.GreaterOrEqual(t, f.Distance(), f.Limit)
			require.LessOrEqual(t, f.Min, f.Median)
			require.LessOrEqual(t, f.Median, f.Max)
		}
		if tally.Late > 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if tally.Gaps > 0 {
			window = nil
		}
		require.True(t, at.After(last))
		last = at
		if len(window) == c.Window {
			m, dev := robust(window)
			limit := min(6*max(1.4826*dev, 0.5), math.MaxFloat64)
			require.Equal(t, spike.Change(min(math.Abs(v-m), math.MaxFloat64)/limit), changes[0])
			if len(found) > 0 {
				require.Equal(t, m, found[0].Median)
				require.Equal(t, limit, found[0].Limit)
				break // the window stays as it was from here on
			}
		}
		window = append(window, v)
		window = window[max(len(window)-c.Window, 0):]
		if len(window) < c.Window {
			require.Equal(t, 1, tally.Learning)
		}
	}
	again := spike.New(c)
	require.NoError(t, again.UnmarshalBinary(marshal(t, d)))
	require.Equal(t, marshal(t, d), marshal(t, again))
}

func robust(values []float64) (m, mad float64) {
	m = middle(values)
	distances := make([]float64, len(values))
	for i, v := range values {
		distances[i] = math.Abs(v - m)
	}
	return m, middle(distances)
}

func middle(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	a, b := s[(len(s)-1)/2], s[len(s)/2]
	if a == b {
		return a
	}
	return a/2 + b/2
}
