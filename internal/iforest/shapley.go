package iforest

import (
	"fmt"
	"math/bits"
)

// MaxPlayers bounds what [Forest.Shapley] divides credit among: it tries all of their
// subsets.
const MaxPlayers = 8

// Shapley says, as [Forest.Explain] does, what made a point unusual, by exact Shapley
// values (L. S. Shapley, "A value for n-person games", 1953). The players are groups
// of adjacent features, all of one size. What a set of players is worth is the path
// length to be expected when their features are known and a split on another feature
// is taken both ways, by the share of the sample that went there: the path-dependent
// expectation of S. M. Lundberg et al., "From local explanations to global
// understanding with explainable AI for trees", Nature Machine Intelligence 2 (2020).
//
// The credits are in steps and add up to what those of Explain do. Unlike there, the
// order of splits in a tree does not favour those near the root. It takes time that
// doubles with each player, about 2 ms for 5.
//
// Shapley fills credits, one for each player, of which there may be up to [MaxPlayers],
// and returns it.
func (f *Forest) Shapley(point, credits []float64) []float64 {
	players := len(credits)
	if players < 1 || players > MaxPlayers || f.features%players != 0 {
		panic(fmt.Sprintf("BUG: iforest: %d players for %d features", players, f.features))
	}
	var buf [narrow]key
	w := walk{forest: f, row: rowOf(f, buf[:0], point), each: f.features / players}
	worth := make([]float64, 1<<players)
	for known := range worth {
		w.known = known
		for t := range f.trees {
			w.tree = t
			worth[known] += w.expect(1, f.sample)
		}
		worth[known] /= float64(f.trees)
	}
	clear(credits)
	for p := range credits {
		for known := range worth {
			if known>>p&1 == 0 {
				credits[p] += weight(bits.OnesCount(uint(known)), players) * (worth[known] - worth[known|1<<p])
			}
		}
	}
	return credits
}

// weight is the share of all orders of n players in which one comes right after those
// size others: size! (n−size−1)! / n!.
func weight(size, n int) float64 {
	w := 1 / float64(n)
	for i := 1; i <= size; i++ {
		w *= float64(i) / float64(n-i)
	}
	return w
}

// walk goes down one tree with the features of some players known.
type walk struct {
	forest *Forest
	row    []key
	each   int // features of a player
	tree   int
	known  int // a bit for each player
}

// expect is the path length to be expected at a place of the heap, to which so many
// points of the sample came.
func (w *walk) expect(at, points int) float64 {
	f := w.forest
	splits := f.splitsOf(w.tree)
	if at >= len(splits) {
		return f.paths[f.leavesOf(w.tree)[at-len(splits)]]
	}
	s, place := splits[at], w.tree<<f.depth+at
	if s == through {
		return float64(f.expected[place])
	}
	left := int(f.left[place])
	if feature := s.feature(); w.known>>(feature/w.each)&1 == 1 {
		if child := next(s, w.row[feature], uint64(at)); child&1 == 1 {
			return w.expect(2*at+1, points-left)
		}
		return w.expect(2*at, left)
	}
	share := float64(left) / float64(points)
	return share*w.expect(2*at, left) + (1-share)*w.expect(2*at+1, points-left)
}
