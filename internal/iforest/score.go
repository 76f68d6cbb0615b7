package iforest

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// narrow is the number of features up to which scoring does not allocate.
const narrow = 32

// Score tells how unusual a point is, within (0, 1). The point must have as many
// values as those the forest was fitted on. Score does not allocate for points of
// up to 32 values.
func (f *Forest) Score(point []float64) float64 { return glanceOf(f, point, 0) }

// Glance is the score of a point, or about that if it is usual: one that the first
// quarter of the trees gives no more than that score gets their score. So points that
// nobody will ask about cost a quarter.
func (f *Forest) Glance(point []float64, usual float64) float64 { return glanceOf(f, point, usual) }

func glanceOf[T Value](f *Forest, point []T, usual float64) float64 {
	if f.norm == 0 {
		return 0.5 // grown from a single point: nothing stands out
	}
	var buf [narrow]key
	row := rowOf(f, buf[:0], point)
	walk := func(length float64, from, to int) float64 {
		if f.features <= narrow {
			return f.walk((*[narrow]key)(row[:narrow]), length, from, to)
		}
		return f.walkWide(row, length, from, to)
	}
	length, walked := 0.0, 0
	if some := f.trees / 4; usual > 0 && some > 0 {
		length, walked = walk(0, 0, some), some
		if score := f.scoreOf(length, some); score <= usual {
			return score
		}
	}
	return f.scoreOf(walk(length, walked, f.trees), f.trees)
}

// scoreOf is the score of a point with that length of all its paths through some trees.
func (f *Forest) scoreOf(length float64, trees int) float64 {
	return math.Exp2(-length / (float64(trees) * f.norm))
}

// rowOf appends what trees compare of a point.
func rowOf[T Value](f *Forest, row []key, point []T) []key {
	if len(point) != f.features {
		panic(fmt.Sprintf("BUG: iforest: a point of %d values for a forest of %d", len(point), f.features))
	}
	for i, v := range point {
		row = append(row, keyOf(rounded(v, f.medians[i])))
	}
	return row
}

// walk adds the depths at which the point ends in the trees from one to before another.
// Four trees are walked side by side, so that the processor does not wait for one step
// before it begins the next.
func (f *Forest) walk(row *[narrow]key, sum float64, t, end int) float64 {
	n := uint64(1) << f.depth
	for ; t+4 <= end; t += 4 {
		s0, s1, s2, s3 := f.splitsOf(t), f.splitsOf(t+1), f.splitsOf(t+2), f.splitsOf(t+3)
		i0, i1, i2, i3 := uint64(1), uint64(1), uint64(1), uint64(1)
		for range f.depth {
			i0 = next(s0[i0], row[s0[i0]%narrow], i0)
			i1 = next(s1[i1], row[s1[i1]%narrow], i1)
			i2 = next(s2[i2], row[s2[i2]%narrow], i2)
			i3 = next(s3[i3], row[s3[i3]%narrow], i3)
		}
		sum += f.paths[f.leavesOf(t)[i0-n]]
		sum += f.paths[f.leavesOf(t + 1)[i1-n]]
		sum += f.paths[f.leavesOf(t + 2)[i2-n]]
		sum += f.paths[f.leavesOf(t + 3)[i3-n]]
	}
	for ; t < end; t++ {
		sum += f.depthIn(t, row[:])
	}
	return sum
}

// walkWide is the same for points of any number of values.
func (f *Forest) walkWide(row []key, sum float64, t, end int) float64 {
	for ; t < end; t++ {
		sum += f.depthIn(t, row)
	}
	return sum
}

// depthIn is the depth at which the point ends in one tree.
func (f *Forest) depthIn(t int, row []key) float64 {
	s, i := f.splitsOf(t), uint64(1)
	for range f.depth {
		i = next(s[i], row[s[i].feature()], i)
	}
	return f.paths[f.leavesOf(t)[i-uint64(len(s))]]
}

// next is the child of split i that a value goes to: one further if the value is
// larger than the threshold.
func next(s split, v key, i uint64) uint64 {
	_, larger := bits.Sub64(uint64(s), uint64(v), 0)
	i, _ = bits.Add64(i, i, larger)
	return i
}

// Explain says which features made a point unusual. At each split on the way of
// the point the path length still to be expected changes; the fall is credited to
// the feature of the split. Credits are in steps, averaged over the trees: a large
// one makes the point more unusual, a negative one more usual. Together they are
// the gap between the expected path length of the sample and that of the point.
//
// Explain fills credits, which must be as long as the point, and returns it.
func (f *Forest) Explain(point, credits []float64) []float64 {
	var buf [narrow]key
	row := rowOf(f, buf[:0], point)
	clear(credits)
	for t := range f.trees {
		s, e, i := f.splitsOf(t), f.expected[t<<f.depth:], uint64(1)
		for range f.depth {
			if s[i] == through {
				break
			}
			feature := s[i].feature()
			child := next(s[i], row[feature], i)
			after := 0.0
			if n := uint64(len(s)); child < n {
				after = float64(e[child])
			} else {
				after = f.paths[f.leavesOf(t)[child-n]]
			}
			credits[feature] += float64(e[i]) - after
			i = child
		}
	}
	for i := range credits {
		credits[i] /= float64(f.trees)
	}
	return credits
}

// Shares turns credits into shares of what made a point unusual: negative credits
// count as none, and the shares add up to 1, or all are 0 if nothing did. It
// changes credits in place and returns it.
func Shares(credits []float64) []float64 {
	var sum float64
	for i, c := range credits {
		credits[i] = max(c, 0)
		sum += credits[i]
	}
	for i := range credits {
		if sum > 0 {
			credits[i] /= sum
		}
	}
	return credits
}

// Threshold is the score above which a point counts as anomalous if contamination,
// within (0, 0.5], is the share of anomalies among the points that have the given
// scores. It interpolates linearly between scores, as scikit-learn does. Threshold
// sorts scores.
func Threshold(scores []float64, contamination float64) float64 {
	slices.Sort(scores)
	return quantile(scores, 1-contamination)
}

// quantile interpolates linearly between sorted values; NaN if there are none.
func quantile[T Value](sorted []T, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	if i == len(sorted)-1 {
		return float64(sorted[i])
	}
	return float64(sorted[i]) + (at-float64(i))*(float64(sorted[i+1])-float64(sorted[i]))
}
