package features_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/codec"
	"buildmon/internal/features"
	"buildmon/internal/testheap"
)

var (
	start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixMicro()
	nan   = math.NaN()
	all   = []features.Kind{features.Value, features.Daily, features.Recent, features.Step}
)

const minute, hour = 60 * 1_000_000, 3600 * 1_000_000

func describe(s *features.Sensor, at int64, values ...float64) []float64 {
	f := make([]float64, len(all)*len(values))
	s.Describe(at, values, all, f)
	return f
}

func TestDescribe(t *testing.T) {
	s := features.NewSensor(1)
	f := func(at int64, v float64, want ...float64) {
		t.Helper()
		got := describe(s, at, v)
		for i := range want {
			if math.IsNaN(want[i]) {
				assert.True(t, math.IsNaN(got[i]), "%v is %v", all[i], got[i])
				continue
			}
			assert.InDelta(t, want[i], got[i], 1e-6, all[i].String())
		}
	}

	// By hand: the average is that of all values while there are few.
	f(start, 10, 10, nan, nan, nan)
	f(start+minute, 12, 12, 2, 2, 2) // from the first value
	f(start+2*minute, 14, 14, 4, 3, 2)
	f(start+3*minute, 12, 12, 2, 0, -2)
	// A gap of more than ten intervals: no step, but the half hour is not over.
	f(start+20*minute, 13, 13, 3, 1, nan)
	// A longer one.
	f(start+60*minute, 13, 13, 3, nan, nan)
	f(start+24*hour, 15, 15, 2.8, nan, nan) // from the hour
	// Late, and described by what is known; a time again.
	f(start+24*hour-minute, 16, 16, 16-12.6, 1, nan)
	f(start+24*hour, 16, 16, 3.8, 1, nan)
	f(start+24*hour+minute, 16, 16, 3.8, 1, 1)
}

func TestAbsentMetrics(t *testing.T) {
	s := features.NewSensor(2)
	describe(s, start, 1, nan)
	got := describe(s, start+minute, nan, 5)
	for _, v := range got[:4] {
		assert.True(t, math.IsNaN(v))
	}
	assert.Equal(t, 5.0, got[4])
	got = describe(s, start+2*minute, 3, 6)
	assert.Equal(t, 2.0, got[3])
	assert.Equal(t, 1.0, got[7])
}

func TestLateReadingsChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := features.NewSensor(1), features.NewSensor(1)
	for i := range 5000 {
		at, v := start+int64(i)*minute, rng.NormFloat64()
		require.Equal(t, describe(a, at, v)[0], describe(b, at, v)[0])
		describe(b, at-int64(rng.IntN(100))*minute, 1e6)
	}
	require.Equal(t, a, b)
}

func TestKindsHaveNames(t *testing.T) {
	for _, k := range all {
		parsed, err := features.ParseKind(k.String())
		require.NoError(t, err)
		require.Equal(t, k, parsed)
	}
	_, err := features.ParseKind("values")
	require.EqualError(t, err, `unknown feature "values", want value, daily, recent or step`)
}

func TestSensorComesBack(t *testing.T) {
	s, restored := features.NewSensor(2), features.NewSensor(2)
	require.GreaterOrEqual(t, len(s.Append(nil)), features.MinBytes(2))
	for i := range 4000 {
		describe(s, start+int64(i)*minute, math.Sin(float64(i)), nan)
	}
	r := codec.NewReader(s.Append(codec.AppendHeader(nil, "s", 1)), "s", 1)
	restored.Read(r)
	require.NoError(t, r.Close())
	require.Equal(t, s, restored)
}

func BenchmarkDescribe(b *testing.B) {
	s := features.NewSensor(5)
	values, into := []float64{21, 45, 600, 3, 12}, make([]float64, 15)
	b.ReportAllocs()
	at := start
	for b.Loop() {
		at += minute
		s.Describe(at, values, features.Default, into)
	}
}

// The figures that the documentation gives: of sensors that are new, and that were known
// for weeks.
func TestMemory(t *testing.T) {
	const sensors = 2000
	values, described := make([]float64, 5), make([]float64, 5)
	for _, test := range []struct {
		hours int64
		most  float64
	}{{1, 600}, {35 * 24, 2200}} {
		each := testheap.Bytes(func() []*features.Sensor {
			all := make([]*features.Sensor, sensors)
			for i := range all {
				all[i] = features.NewSensor(len(values))
				for h := range test.hours {
					all[i].Describe(h*hour, values, []features.Kind{features.Daily}, described)
				}
			}
			return all
		}) / sensors
		t.Logf("%.2f KB for a sensor of %d metrics, of %d hours", each/1000, len(values), test.hours)
		require.Less(t, each, test.most)
	}
}
