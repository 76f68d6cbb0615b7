package iforest_test

import (
	"math/rand/v2"
	"testing"

	"buildmon/internal/iforest"
	"buildmon/internal/testspeed"
)

// node is a tree as one would draw it.
type node struct {
	feature     int
	threshold   float64
	left, right *node
}

func grow(rng *rand.Rand, features, depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{rng.IntN(features), rng.NormFloat64(), grow(rng, features, depth-1), grow(rng, features, depth-1)}
}

// Measured: 0.05 to 0.1. Trees of the same number and depth, walked by pointers, without path lengths.
func TestScoreTakesAThirdOfAWalk(t *testing.T) {
	points := cloud(4096, 5, 1)
	f := fit(t, points, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	trees := make([]*node, iforest.DefaultConfig.Trees)
	for i := range trees {
		trees[i] = grow(rng, 5, 8)
	}
	i, j, steps := 0, 0, 0
	testspeed.RequireRatio(t, 0.33, func() {
		i++
		f.Score(points[i&4095])
	}, func() {
		j++
		for _, n := range trees {
			for n != nil {
				steps++
				if points[j&4095][n.feature] < n.threshold {
					n = n.left
				} else {
					n = n.right
				}
			}
		}
	})
}
