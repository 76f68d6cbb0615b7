package iforest

import (
	"fmt"
	"math"
	"slices"
)

// narrow is the number of features up to which scoring does not allocate.
const narrow = 32

// Score tells how unusual a point is, within (0, 1). The point must have as many
// values as those the forest was fitted on. Score does not allocate for points of
// up to 32 values.
func (f *Forest) Score(point []float64) float64 { return scoreOf(f, point) }

func scoreOf[T Value](f *Forest, point []T) float64 { return glanceOf(f, point, 0) }

// Glance is the score of a point, or about that if it is usual: one that the first
// quarter of the trees gives no more than that score gets their score. So points that
// nobody will ask about cost a quarter.
func (f *Forest) Glance(point []float64, usual float64) float64 { return glanceOf(f, point, usual) }

func glanceOf[T Value](f *Forest, point []T, usual float64) float64 {
	if f.norm == 0 {
		return 0.5 // grown from a single point: nothing stands out
	}
	var buf [narrow]order
	row := rowOf(f, buf[:0], point)
	walk := func(length float64, from, to int) float64 {
		if f.features <= narrow {
			return f.walk((*[narrow]order)(row[:narrow]), length, from, to)
		}
		return f.walkWide(row, length, from, to)
	}
	length, walked := 0.0, 0
	if some := f.trees / 4; usual > 0 && some > 0 {
		length, walked = walk(0, 0, some), some
		if score := math.Exp2(-length / (float64(some) * f.norm)); score <= usual {
			return score
		}
	}
	length = walk(length, walked, f.trees)
	return math.Exp2(-length / (float64(f.trees) * f.norm))
}

// rowOf appends what trees compare of a point.
func rowOf[T Value](f *Forest, row []order, point []T) []order {
	if len(point) != f.features {
		panic(fmt.Sprintf("BUG: iforest: a point of %d values for a forest of %d", len(point), f.features))
	}
	for i, v := range point {
		row = append(row, orderOf(rounded(v, f.medians[i])))
	}
	return row
}

// walk adds the depths at which the point ends in the trees from one to before another.
// Four trees are walked side by side, so that the processor does not wait for one step
// before it begins the next.
func (f *Forest) walk(row *[narrow]order, sum float64, t, end int) float64 {
	splits, leaves := f.perTree()
	for ; t+4 <= end; t += 4 {
		s := f.splits[t*splits:][:4*splits]
		s0, s1, s2, s3 := s[:splits], s[splits:][:splits], s[2*splits:][:splits], s[3*splits:][:splits]
		var i0, i1, i2, i3 int
		for range f.depth {
			i0 = next(s0[i0], row[s0[i0].feature%narrow], i0)
			i1 = next(s1[i1], row[s1[i1].feature%narrow], i1)
			i2 = next(s2[i2], row[s2[i2].feature%narrow], i2)
			i3 = next(s3[i3], row[s3[i3].feature%narrow], i3)
		}
		l := f.leaves[t*leaves:][:4*leaves]
		sum += f.paths[l[i0-splits]]
		sum += f.paths[l[leaves+i1-splits]]
		sum += f.paths[l[2*leaves+i2-splits]]
		sum += f.paths[l[3*leaves+i3-splits]]
	}
	for ; t < end; t++ {
		sum += f.depthIn(t, row[:])
	}
	return sum
}

// walkWide is the same for points of any number of values.
func (f *Forest) walkWide(row []order, sum float64, t, end int) float64 {
	for ; t < end; t++ {
		sum += f.depthIn(t, row)
	}
	return sum
}

// depthIn is the depth at which the point ends in one tree.
func (f *Forest) depthIn(t int, row []order) float64 {
	splits, leaves := f.perTree()
	s := f.splits[t*splits:][:splits]
	i := 0
	for range f.depth {
		i = next(s[i], row[s[i].feature], i)
	}
	return f.paths[f.leaves[t*leaves+i-splits]]
}

// next is the child of split i that a value goes to: one further if the value is
// larger than the threshold.
func next(s split, v order, i int) int {
	return 2*i + 1 + int(uint64(int64(s.threshold)-int64(v))>>63)
}

// Explain says which features made a point unusual. At each split on the way of
// the point the path length still to be expected changes; the fall is credited to
// the feature of the split. Credits are in steps, averaged over the trees: a large
// one makes the point more unusual, a negative one more usual. Together they are
// the gap between the expected path length of the sample and that of the point.
//
// Explain fills credits, which must be as long as the point, and returns it.
func (f *Forest) Explain(point, credits []float64) []float64 {
	var buf [narrow]order
	row := rowOf(f, buf[:0], point)
	clear(credits)
	splits, leaves := f.perTree()
	for t := range f.trees {
		s, e := f.splits[t*splits:][:splits], f.expected[t*splits:][:splits]
		i := 0
		for range f.depth {
			if s[i] == through {
				break
			}
			child := next(s[i], row[s[i].feature], i)
			after := 0.0
			if child < splits {
				after = float64(e[child])
			} else {
				after = f.paths[f.leaves[t*leaves+child-splits]]
			}
			credits[s[i].feature] += float64(e[i]) - after
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
