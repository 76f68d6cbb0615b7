package window_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// at is a reading of a sensor with a temperature, so many seconds after the
// Unix epoch.
func at(sensor string, seconds int64, temperature float64) *reading.Reading {
	r := &reading.Reading{
		SensorID: sensor, Time: time.Unix(seconds, 0).UTC(),
		Building: "Building A", Floor: "Floor 1", Values: reading.Absent(),
	}
	r.Values[reading.Temperature] = temperature
	return r
}

func TestStatsMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 200)
	for i := range values {
		values[i] = rng.NormFloat64() * 50
	}
	of := func(values []float64) (s window.Stats) {
		for _, v := range values {
			s.Add(v)
		}
		return s
	}

	whole := of(values)
	for cut := range len(values) + 1 {
		merged := of(values[:cut])
		merged.Merge(of(values[cut:]))
		require.Equal(t, whole.Count, merged.Count)
		require.Equal(t, whole.Min, merged.Min)
		require.Equal(t, whole.Max, merged.Max)
		require.InDelta(t, whole.Sum, merged.Sum, 1e-9)
	}
	require.Equal(t, window.Stats{}, of(nil))

	below := of([]float64{-3, -5})
	require.Equal(t, window.Stats{Count: 2, Sum: -8, Min: -5, Max: -3}, below)
	require.InDelta(t, -4, below.Mean(), 0)
}

func TestPaneWithout(t *testing.T) {
	spec := &window.Spec{Size: time.Minute, GroupBy: []string{"building"}, Metrics: []string{"temperature", "co2", "battery"}}
	a, b, c := at("a", 1, 20), at("b", 2, 24), at("c", 3, math.NaN())
	b.Extra = []reading.Field{{Name: "battery", Raw: []byte("3.5"), Number: 3.5}}
	pane := &window.Pane{
		Spec: spec, Group: []string{"Building A"}, Source: "sensors/0", Watermark: time.Unix(3, 0),
		Count: 4, Stats: []window.Stats{{Count: 3, Sum: 68, Min: 20, Max: 24}, {}, {Count: 2, Sum: 7, Min: 3.5, Max: 3.5}},
		Members: []*reading.Reading{a, b, c, b},
	}

	var asked []*reading.Reading
	same := pane.Without(func(r *reading.Reading) bool { asked = append(asked, r); return false })
	require.Same(t, pane, same)
	require.Equal(t, pane.Members, asked)

	seen := map[reading.Identity]bool{a.Identity(): true}
	rest := pane.Without(func(r *reading.Reading) bool {
		known := seen[r.Identity()]
		seen[r.Identity()] = true
		return known
	})
	require.Equal(t, []*reading.Reading{b, c}, rest.Members)
	require.Equal(t, int64(2), rest.Count)
	require.Equal(t, []window.Stats{{Count: 1, Sum: 24, Min: 24, Max: 24}, {}, {Count: 1, Sum: 3.5, Min: 3.5, Max: 3.5}}, rest.Stats)
	require.Equal(t, pane.Source, rest.Source)
	require.Equal(t, pane.Watermark, rest.Watermark)
	require.Len(t, pane.Members, 4, "the pane itself is left as it is")

	none := pane.Without(func(*reading.Reading) bool { return true })
	require.Zero(t, none.Count)
	require.Equal(t, make([]window.Stats, 3), none.Stats)
}
