package iforest_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/iforest"
)

// Points that are scored together have, bit for bit, the scores that each has alone.
func TestPointsTogetherScoreAsAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	together := iforest.NewTogether()
	for range 150 {
		points := cloud(1+rng.IntN(300), 1+rng.IntN(40), rng.Uint64())
		for range rng.IntN(20) {
			p := points[rng.IntN(len(points))]
			p[rng.IntN(len(p))] = []float64{math.NaN(), math.Inf(1), -5, 0}[rng.IntN(4)]
		}
		cfg := iforest.Config{Trees: 1 + rng.IntN(50), SampleSize: 2 + rng.IntN(300)}
		f, err := iforest.Fit(points[:1+rng.IntN(len(points))], cfg, rng)
		require.NoError(t, err)
		usual := []float64{0, 0.4, 0.5, 1}[rng.IntN(4)]
		want := make([]float64, len(points))
		for i, p := range points {
			want[i] = f.Glance(p, usual)
		}
		require.Equal(t, want, together.Glances(f, points, usual), "%d points of %d values, usual is %v", len(points), f.Features(), usual)
	}
}

func BenchmarkScoreTogether(b *testing.B) {
	points := cloud(4096, 15, 1)
	f := fit(b, points, 1)
	together := iforest.NewTogether()
	b.ReportAllocs()
	for b.Loop() {
		together.Glances(f, points, 0)
	}
	b.ReportMetric(float64(len(points)*b.N)/b.Elapsed().Seconds(), "rows/s")
}
