package iforest_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/iforest"
	"buildmon/internal/testfuzz"
)

func TestAveragePath(t *testing.T) {
	f := func(n int, want float64) {
		t.Helper()
		require.InDelta(t, want, iforest.AveragePath(n), 1e-12)
	}

	f(0, 0)
	f(1, 0)
	f(2, 1)
	// 2*(ln(n-1) + 0.5772156649) - 2*(n-1)/n; scikit-learn 1.2.1 gives the same.
	f(3, 1.207392357589623)
	f(256, 10.244770920119917)
}

func TestQuantileInterpolates(t *testing.T) {
	f := func(q, want float64, values ...float64) {
		t.Helper()
		require.InDelta(t, want, iforest.Quantile(values, q), 1e-12)
	}

	// By hand.
	f(0.5, 7, 7)
	f(0, 1, 1, 2, 3, 4)
	f(1, 4, 1, 2, 3, 4)
	f(0.5, 2.5, 1, 2, 3, 4)
	f(0.9, 3.7, 1, 2, 3, 4)
	require.True(t, math.IsNaN(iforest.Quantile(nil, 0.5)))
}

func TestNthIsThatOfSortedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for range 1000 {
		values := make([]float64, 1+rng.IntN(60))
		kinds := 1 + rng.IntN(40) // so that many are equal
		for i := range values {
			values[i] = float64(rng.IntN(kinds))
		}
		sorted := slices.Sorted(slices.Values(values))
		for range 3 {
			n := rng.IntN(len(values))
			require.Equal(t, sorted[n], iforest.Nth(values, n))
		}
	}
}

func TestFitRefuses(t *testing.T) {
	f := func(points [][]float64, cfg iforest.Config, errContains string) {
		t.Helper()
		_, err := iforest.Fit(points, cfg, rand.New(rand.NewPCG(1, 0)))
		require.ErrorContains(t, err, errContains)
	}

	one := [][]float64{{1}}
	f(nil, iforest.DefaultConfig, "there are no points")
	f([][]float64{{}}, iforest.DefaultConfig, "points must have 1 to 4096 values, got 0")
	f([][]float64{{1, 2}, {1}}, iforest.DefaultConfig, "point 1 has 1 values, want 2")
	f(one, iforest.Config{Trees: 0, SampleSize: 256}, "trees must be 1 to 1000, got 0")
	f(one, iforest.Config{Trees: 1001, SampleSize: 256}, "trees must be 1 to 1000, got 1001")
	f(one, iforest.Config{Trees: 1, SampleSize: 1}, "samples must be 2 to 4096, got 1")
	f(one, iforest.Config{Trees: 1, SampleSize: 4097}, "samples must be 2 to 4096, got 4097")
}

func TestScoreRanksAnOutlierFirst(t *testing.T) {
	points := cloud(500, 3, 1)
	forest := fit(t, points, 1)
	for _, p := range points {
		require.Greater(t, forest.Score([]float64{8, -8, 8}), forest.Score(p))
	}
	require.Greater(t, forest.Score([]float64{8, -8, 8}), 0.7)
	require.Less(t, forest.Score([]float64{0, 0, 0}), 0.5)
}

// Scores that follow from the definition alone.
func TestScoreOfTrivialForests(t *testing.T) {
	f := func(want float64, points ...[]float64) {
		t.Helper()
		require.InDelta(t, want, fit(t, points, 1).Score(points[0]), 1e-12)
	}

	// A single point is isolated at once and may be expected to be.
	f(0.5, []float64{1, 2})
	// Equal points are never split: the mean depth is c(n) itself.
	f(0.5, []float64{1, 2}, []float64{1, 2}, []float64{1, 2})
	// Two points are split once: depth 1, c(2) = 1.
	f(0.5, []float64{1, 2}, []float64{3, 2})
	// Within float32 these are equal.
	f(0.5, []float64{1}, []float64{1 + 1e-9}, []float64{1 - 1e-9})
}

func TestScoreLiesWithinZeroAndOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	values := []float64{0, 1, -1, 1e9, -1e9, 1e-9, math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	for range 50 {
		points := make([][]float64, 1+rng.IntN(300))
		for i := range points {
			points[i] = []float64{values[rng.IntN(len(values))], rng.NormFloat64(), float64(rng.IntN(3))}
		}
		forest, err := iforest.Fit(points, iforest.Config{Trees: 1 + rng.IntN(9), SampleSize: 2 + rng.IntN(64)}, rng)
		require.NoError(t, err)
		for _, p := range points {
			s := forest.Score(p)
			require.True(t, s > 0 && s < 1, "score %v of %v", s, p)
		}
	}
}

func TestFitIsReproducible(t *testing.T) {
	points := cloud(1000, 4, 1)
	a, b, other := fit(t, points, 5), fit(t, points, 5), fit(t, points, 6)
	require.Equal(t, a, b)
	require.NotEqual(t, a, other)
}

func TestFitCopiesPoints(t *testing.T) {
	points := cloud(300, 2, 1)
	forest := fit(t, points, 1)
	before := forest.Score([]float64{0, 0})
	for _, p := range points {
		clear(p)
	}
	require.Equal(t, before, forest.Score([]float64{0, 0}))
}

func TestMissingValuesAreTheMedian(t *testing.T) {
	nan := math.NaN()
	points := cloud(301, 3, 1)
	for i, p := range points {
		p[0] += float64(i) // the median lies near 150
		p[2] = nan
	}
	points[0][0] = nan
	forest := fit(t, points, 1)

	require.InDelta(t, forest.Score([]float64{150.5, 0, 0}), forest.Score([]float64{nan, 0, 0}), 0.02)
	require.Less(t, forest.Score([]float64{nan, 0, 0}), 0.5)
	// Nothing is known of the last feature, so it changes nothing.
	require.Equal(t, forest.Score([]float64{1, 0, 0}), forest.Score([]float64{1, 0, 1e6}))
	require.Zero(t, forest.Explain([]float64{1, 0, 1e6}, make([]float64, 3))[2])
}

func TestScoreDoesNotAllocate(t *testing.T) {
	forest := fit(t, cloud(300, 32, 1), 1)
	point := make([]float64, 32)
	require.Zero(t, testing.AllocsPerRun(100, func() { forest.Score(point) }))
}

func TestScoreOfManyFeatures(t *testing.T) {
	points := cloud(300, 100, 1)
	forest := fit(t, points, 1)
	far := make([]float64, 100)
	for i := range far {
		far[i] = 9
	}
	require.Greater(t, forest.Score(far), forest.Score(points[0]))
}

func TestForestIsSafeForConcurrentUse(t *testing.T) {
	points := cloud(300, 5, 1)
	forest := fit(t, points, 1)
	want := make([]float64, len(points))
	for i, p := range points {
		want[i] = forest.Score(p)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, p := range points {
				assert.Equal(t, want[i], forest.Score(p))
			}
		})
	}
	wg.Wait()
}

func TestExplainAddsUp(t *testing.T) {
	points := cloud(1000, 5, 1)
	forest := fit(t, points, 1)
	for _, p := range append(points[:100], []float64{9, 9, 9, 9, 9}) {
		var sum float64
		for _, c := range forest.Explain(p, make([]float64, 5)) {
			sum += c
		}
		// expected is kept in float32.
		require.InDelta(t, forest.ExpectedPathLength()-forest.PathLength(p), sum, 1e-5)
	}
}

func TestExplainNamesTheFeature(t *testing.T) {
	forest := fit(t, cloud(1000, 5, 1), 1)
	for feature := range 5 {
		point := make([]float64, 5)
		point[feature] = 7
		shares := iforest.Shares(forest.Explain(point, make([]float64, 5)))
		require.Greater(t, shares[feature], 0.9, "shares %v", shares)
	}
}

func TestShares(t *testing.T) {
	require.InDeltaSlice(t, []float64{0.75, 0, 0.25}, iforest.Shares([]float64{3, -5, 1}), 1e-12)
	require.Equal(t, []float64{0, 0}, iforest.Shares([]float64{-1, 0}))
}

func TestForestSurvivesMarshalling(t *testing.T) {
	for _, points := range [][][]float64{cloud(1000, 5, 1), cloud(1, 2, 1), {{1, math.NaN()}, {1, math.NaN()}}} {
		forest := fit(t, points, 1)
		data, err := forest.MarshalBinary()
		require.NoError(t, err)
		var restored iforest.Forest
		require.NoError(t, restored.UnmarshalBinary(data))
		require.Equal(t, forest, &restored)
	}
}

func TestForestRefusesForeignData(t *testing.T) {
	data, err := fit(t, cloud(300, 2, 1), 1).MarshalBinary()
	require.NoError(t, err)
	f := func(data []byte, errContains string) {
		t.Helper()
		var forest iforest.Forest
		require.ErrorContains(t, forest.UnmarshalBinary(data), errContains)
		require.Equal(t, iforest.Forest{}, forest)
	}

	f(nil, "decoding forest: it ends too early")
	f(data[:len(data)-1], "it ends too early")
	f(append(data[:len(data):len(data)], 0), "goes on for 1 bytes after its end")
	version := append([]byte(nil), data...)
	version[7] = 2 // after the name of the kind and its length
	f(version, "it has version 2, want version 1")
}

func FuzzForestUnmarshal(f *testing.F) {
	for _, points := range [][][]float64{cloud(40, 2, 1), cloud(1, 1, 1)} {
		forest, err := iforest.Fit(points, iforest.Config{Trees: 3, SampleSize: 8}, rand.New(rand.NewPCG(1, 0)))
		require.NoError(f, err)
		data, err := forest.MarshalBinary()
		require.NoError(f, err)
		f.Add(data)
	}
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		var forest iforest.Forest
		if forest.UnmarshalBinary(data) != nil {
			return
		}
		point := make([]float64, forest.Features())
		s := forest.Score(point)
		require.True(t, s > 0 && s <= 1, "score %v", s)
		forest.Explain(point, point)
		again, err := forest.MarshalBinary()
		require.NoError(t, err)
		var same iforest.Forest
		require.NoError(t, same.UnmarshalBinary(again))
		require.Equal(t, forest, same)
	})
}

// Glance is the score where that is unusual, and about the score elsewhere.
func TestGlance(t *testing.T) {
	points := cloud(4096, 15, 1)
	f := fit(t, points, 1)
	exact := 0
	for i, p := range points {
		if i%10 == 0 {
			p = append([]float64{6, -6}, p[2:]...)
		}
		score, glance := f.Score(p), f.Glance(p, 0.45)
		if glance == score {
			exact++
		} else {
			require.LessOrEqual(t, glance, 0.45)
			require.InDelta(t, score, glance, 0.1)
		}
		require.Equal(t, score, f.Glance(p, 0))
	}
	require.Less(t, exact, 3000, "a thousand are usual")
	require.Greater(t, exact, 400, "those far off, and more, are not")
}
