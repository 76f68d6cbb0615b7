package calibrate_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
)

func TestReports(t *testing.T) {
	r := calibrate.NewReports()
	judge := func(n int) {
		for range n {
			r.Judged()
		}
	}
	f := func(strength, want float64) {
		t.Helper()
		assert.InDelta(t, want, r.Probability(strength), 1e-12)
	}

	// By hand: (1 + reports as strong)/(1000 + readings).
	f(0.5, 1.0/1000)
	judge(1000)
	f(0.5, 1.0/2000)
	assert.InDelta(t, calibrate.Score(1.0/2000), r.Score(0.5, false), 1e-12)
	f(0.5, 2.0/2000)
	f(0.6, 1.0/2000)
	assert.InDelta(t, 0.5, r.Score(0.5, true), 1e-12, "what only goes on counts no further")
	f(0.5, 2.0/2000)
	r.Score(0.4, false)
	f(0.5, 2.0/2000)
	f(0.4, 3.0/2000)
	judge(1)
	f(0.4, 3.0/2001)
}

func TestReportsOfEveryReading(t *testing.T) {
	r := calibrate.NewReports()
	for range 5000 {
		r.Judged()
		r.Score(0.5, false)
		r.Score(0.5, false) // of another metric
	}
	assert.Equal(t, 1.0, r.Probability(0.5))
	assert.Equal(t, 0.0, r.Score(0.5, false))
}

// Of readings a share p is reported with a probability of at most p, however rarely and
// by whatever measure a detector reports; and after a change it is so again.
func TestReportsAreCalibrated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := func(r *calibrate.Reports, rate float64, strength func(u float64) float64, levels ...float64) {
		t.Helper()
		const readings = 4_000_000
		below := make([]int, len(levels))
		for i := range 2 * readings {
			r.Judged()
			if rng.Float64() >= rate {
				continue
			}
			v := strength(rng.Float64())
			p := r.Probability(v)
			r.Score(v, false)
			for l, level := range levels {
				if i >= readings && p <= level {
					below[l]++
				}
			}
		}
		for l, level := range levels {
			assert.InEpsilon(t, level, float64(below[l])/readings, 0.3, "rate %v, level %v", rate, level)
		}
	}

	r := calibrate.NewReports()
	f(r, 1e-3, func(u float64) float64 { return 1 - u/2 }, 5e-4, 1e-4, 1e-5)
	f(r, 2e-4, func(u float64) float64 { return 1 - u*u }, 1e-4, 2e-5)
	f(r, 1e-2, func(u float64) float64 { return u / 10 }, 5e-3, 1e-3, 1e-4)
}

func TestReportsComeBack(t *testing.T) {
	r := calibrate.NewReports()
	for i := range 3000 {
		r.Judged()
		r.Score(float64(i%977)/977, i%3 == 0)
	}
	data := r.Append(codec.AppendHeader(nil, "r", 1))
	restored := calibrate.NewReports()
	reader := codec.NewReader(data, "r", 1)
	restored.Read(reader)
	require.NoError(t, reader.Close())
	for i := range 2000 {
		r.Judged()
		restored.Judged()
		require.Equal(t, r.Score(float64(i%31)/31, false), restored.Score(float64(i%31)/31, false))
	}
	require.Equal(t, r.Append(nil), restored.Append(nil))

	reader = codec.NewReader(codec.AppendFloat(codec.AppendHeader(nil, "r", 1), 0), "r", 1)
	restored.Read(reader)
	require.ErrorContains(t, reader.Close(), "reports of 0 readings cannot be")
}

// BenchmarkReports tells the time for a reading, one in a thousand of which is reported.
func BenchmarkReports(b *testing.B) {
	r := calibrate.NewReports()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2 * calibrate.DefaultSize {
		r.Score(rng.Float64(), false)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.Judged()
		if i++; i%1000 == 0 {
			r.Score(rng.Float64(), false)
		}
	}
}
