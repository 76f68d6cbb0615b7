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

func TestPanes(t *testing.T) {
	spec := &window.Spec{Size: time.Minute, GroupBy: []string{"building"}, Metrics: []string{"temperature", "co2", "battery"}}
	a, b, c := at("a", 1, 20), at("b", 2, 24), at("c", 3, math.NaN())
	b.Extra = []reading.Field{{Name: "battery", Raw: []byte("3.5"), Number: 3.5}}
	later, elsewhere, before := at("a", 60, 21), at("d", 4, 22), at("a", -1, 19)
	elsewhere.Building = "Building B"

	panes := spec.Panes([]*reading.Reading{a, b, later, c, b, elsewhere, before})
	pane := func(seconds int64, group string, members ...*reading.Reading) *window.Pane {
		start := time.Unix(seconds, 0).UTC()
		return &window.Pane{
			Start: start, End: start.Add(time.Minute), Size: time.Minute, Group: []string{group}, Spec: spec,
			Count: int64(len(members)), Stats: make([]window.Stats, 3), Members: members,
		}
	}
	want := []*window.Pane{pane(0, "Building A", a, b, c, b), pane(60, "Building A", later), pane(0, "Building B", elsewhere), pane(-60, "Building A", before)}
	want[0].Stats = []window.Stats{{Count: 3, Sum: 68, Min: 20, Max: 24}, {}, {Count: 2, Sum: 7, Min: 3.5, Max: 3.5}}
	for i, temperature := range []float64{21, 22, 19} {
		want[i+1].Stats[0] = window.Stats{Count: 1, Sum: temperature, Min: temperature, Max: temperature}
	}
	require.Equal(t, want, panes)
	require.Empty(t, spec.Panes(nil))
}
