package evaluate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/evaluate"
)

func TestAUC(t *testing.T) {
	f := func(want float64, scores []float64, faulty ...bool) {
		t.Helper()
		assert.InDelta(t, want, evaluate.AUC(scores, faulty), 1e-12)
	}

	// By hand: the share of pairs in order, ties counting half.
	f(1, []float64{1, 2, 3, 4}, false, false, true, true)
	f(0, []float64{4, 3, 2, 1}, false, false, true, true)
	f(0.75, []float64{1, 3, 2, 4}, false, false, true, true)
	f(0.5, []float64{7, 7, 7}, false, true, false)
	f(0.875, []float64{1, 2, 2, 3}, false, false, true, true)
	assert.True(t, math.IsNaN(evaluate.AUC([]float64{1}, []bool{true})))
}

func TestDetect(t *testing.T) {
	f := &evaluate.Feed{Rows: make([][]float64, 10), Faults: []evaluate.Fault{
		{Kind: "a", First: 4, Last: 5}, {Kind: "a", First: 7, Last: 7}, {Kind: "b", First: 9, Last: 9},
	}}
	// Clean rows from 1 on have 1, 2, 3, 5 and 6; the largest is a fifth of them.
	d := evaluate.Detect(f, []float64{9, 1, 2, 3, 0, 5.5, 5, 4, 6, 7}, 1, 0.2)
	assert.Equal(t, 5.0, d.Threshold)
	assert.Equal(t, map[string]int{"a": 2, "b": 1}, d.Of)
	assert.Equal(t, map[string]int{"a": 1, "b": 1}, d.Found)
	assert.InDelta(t, 2.0/3, d.Share(), 1e-12)
	var sum evaluate.Detections
	sum.Add(d)
	sum.Add(d)
	assert.Equal(t, map[string]int{"a": 4, "b": 2}, sum.Of)
}

func TestCombine(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := make([]float64, 3000), make([]float64, 3000)
	for i := range a {
		a[i], b[i] = rng.Float64()/100, rng.Float64()/2 // on scales of their own
	}
	a[2000], b[2500] = 0.02, 0.9
	combined := evaluate.Combine(a, b)
	order := make([]int, len(a))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order[1000:], func(i, j int) int {
		if combined[i] > combined[j] {
			return -1
		}
		return 1
	})
	assert.Contains(t, order[1000:1010], 2000)
	assert.Equal(t, 2500, order[1000])
	for _, v := range combined {
		require.True(t, v >= 0 && v <= 1)
	}
}

// office is ten days of a made-up room.
func office() *evaluate.Feed {
	f := &evaluate.Feed{Metrics: evaluate.OfficeMetrics}
	rng := rand.New(rand.NewPCG(7, 8))
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for i := range 14_400 {
		f.Times = append(f.Times, start.Add(time.Duration(i)*time.Minute))
		f.Rows = append(f.Rows, []float64{21 + rng.NormFloat64(), 40 + rng.NormFloat64(), 600 + rng.NormFloat64(), 0, 0})
	}
	return f
}

func TestInject(t *testing.T) {
	clean := office()
	f, again := evaluate.Inject(clean, 1), evaluate.Inject(clean, 1)
	require.Equal(t, f, again, "the same seed gives the same faults")
	require.NotEqual(t, f.Faults, evaluate.Inject(clean, 2).Faults)

	faulty := f.Faulty()
	count := map[string]int{}
	next := 0
	for _, fault := range f.Faults {
		count[fault.Kind]++
		require.GreaterOrEqual(t, fault.First, max(evaluate.CleanRows, next))
		next = fault.Last + 1
		for i := fault.First; i <= fault.Last; i++ {
			for m, name := range f.Metrics {
				if !slices.Contains(fault.Metrics, name) {
					require.Equal(t, clean.Rows[i][m], f.Rows[i][m], "%s row %d %s", fault.Kind, i, name)
				}
			}
			if fault.Kind == evaluate.NightUse {
				require.Equal(t, 1.0, f.Rows[i][3])
			}
		}
	}
	for i := range f.Rows {
		if !faulty[i] {
			require.Equal(t, clean.Rows[i], f.Rows[i])
		}
	}
	require.Len(t, count, len(evaluate.FaultKinds))
	for kind, n := range count {
		require.GreaterOrEqual(t, n, 5, kind)
	}
}
