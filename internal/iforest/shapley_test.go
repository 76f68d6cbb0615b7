package iforest_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/iforest"
)

// Together, Shapley values and path credits explain the same.
func TestShapleyAddsUp(t *testing.T) {
	points := cloud(1000, 6, 1)
	forest := fit(t, points, 1)
	for _, p := range append(points[:20], []float64{9, 9, 9, 9, 9, 9}) {
		for _, players := range []int{1, 2, 3, 6} {
			var sum, credit float64
			for _, v := range forest.Shapley(p, make([]float64, players)) {
				sum += v
			}
			for _, v := range forest.Explain(p, make([]float64, 6)) {
				credit += v
			}
			// expected is kept in float32.
			require.InDelta(t, credit, sum, 1e-4)
		}
	}
}

// By the definition: the mean over all orders of players of what each adds when it
// comes, with what a set is worth told from the stored trees.
func TestShapleyEqualsItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		const players, each = 4, 2
		forest, err := iforest.Fit(cloud(60, players*each, rng.Uint64()), iforest.Config{Trees: 7, SampleSize: 32}, rng)
		require.NoError(t, err)
		point := cloud(1, players*each, rng.Uint64())[0]
		point[3] = 5
		want := make([]float64, players)
		orders := permutations(players)
		for _, order := range orders {
			known := map[int]bool{}
			before := forest.ExpectedKnowing(point, known)
			for _, p := range order {
				for i := range each {
					known[p*each+i] = true
				}
				after := forest.ExpectedKnowing(point, known)
				want[p] += (before - after) / float64(len(orders))
				before = after
			}
		}
		got := forest.Shapley(point, make([]float64, players))
		for p := range want {
			assert.InDelta(t, want[p], got[p], 1e-6)
		}
	}
}

// A feature that no split asks for has no credit, and two that are equal in all ways
// have the same.
func TestShapleyIsFair(t *testing.T) {
	points := make([][]float64, 500)
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range points {
		points[i] = []float64{rng.NormFloat64(), rng.NormFloat64(), 7}
	}
	credits := fit(t, points, 1).Shapley([]float64{6, 6, 7}, make([]float64, 3))
	assert.Zero(t, credits[2])
	assert.InDelta(t, credits[0], credits[1], 0.3*math.Abs(credits[0]))
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			order := append(append(append([]int{}, p[:i]...), n-1), p[i:]...)
			all = append(all, order)
		}
	}
	return all
}
