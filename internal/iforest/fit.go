package iforest

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Value is what points are made of.
type Value interface{ ~float32 | ~float64 }

// minSpread is the range within which the values of a feature count as equal.
const minSpread = 1e-7

// Fit grows a forest from points, which must all have the same length. The same
// points, config and state of rng always yield the same forest; the same points
// in another order yield another forest. Fit does not keep a reference to points.
//
// Values are rounded to float32. A NaN marks a missing value, for which the median
// of its feature in up to 1,023 of the points stands in, here and when scoring. A
// feature that is missing in all points is never split.
func Fit[T Value](points [][]T, cfg Config, rng *rand.Rand) (*Forest, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("iforest: %w", err)
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("iforest: there are no points")
	}
	features := len(points[0])
	if features < 1 || features > MaxFeatures {
		return nil, fmt.Errorf("iforest: points must have 1 to %d values, got %d", MaxFeatures, features)
	}
	for i, p := range points {
		if len(p) != features {
			return nil, fmt.Errorf("iforest: point %d has %d values, want %d", i, len(p), features)
		}
	}
	m, size := medians(points), min(cfg.SampleSize, len(points))
	g := &grower{
		rng: rng, limit: depthLimit(size), features: make([]int, features), pool: make([]int32, len(points)),
		points: make([]order, 0, len(points)*features), values: make([]order, size*features), sample: make([]int32, size),
	}
	for _, p := range points {
		for i, v := range p {
			g.points = append(g.points, orderOf(rounded(v, m[i])))
		}
	}
	for i := range g.features {
		g.features[i] = i
	}
	for i := range g.pool {
		g.pool[i] = int32(i)
	}
	f := newForest(features, size, cfg.Trees, m)
	p := newPacker(f)
	for t := range cfg.Trees {
		p.pack(t, g.tree())
	}
	return f, nil
}

type grower struct {
	rng    *rand.Rand
	points []order // values of all points
	limit  int

	pool     []int32 // all points, in the order of the last draws
	values   []order // of the sample, point by point
	sample   []int32 // where the values of each point begin, those of a node side by side
	features []int   // in the order of the last draws
	nodes    []node
}

// tree grows a tree, which is there until the next.
func (g *grower) tree() []node {
	width := len(g.features)
	for i := range g.sample {
		j := i + g.rng.IntN(len(g.pool)-i)
		g.pool[i], g.pool[j] = g.pool[j], g.pool[i]
		copy(g.values[i*width:][:width], g.points[int(g.pool[i])*width:])
		g.sample[i] = int32(i * width)
	}
	g.nodes = g.nodes[:0]
	g.grow(g.sample, 0)
	return g.nodes
}

// grow appends the subtree of the given points. Their order does not matter.
func (g *grower) grow(sample []int32, depth int) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{feature: -1, points: len(sample)})
	if depth >= g.limit || len(sample) < 2 {
		return
	}
	feature, lo, hi, ok := g.draw(sample)
	if !ok {
		return
	}
	threshold := below(float64(lo) + g.rng.Float64()*(float64(hi)-float64(lo)))
	if threshold >= hi {
		threshold = lo
	}
	left := g.partition(sample, feature, orderOf(threshold))
	g.grow(sample[:left], depth+1)
	right := len(g.nodes)
	g.grow(sample[left:], depth+1)
	g.nodes[at].feature, g.nodes[at].threshold, g.nodes[at].right = feature, threshold, right
}

// draw draws features until one is not constant in the sample.
func (g *grower) draw(sample []int32) (feature int, lo, hi float32, ok bool) {
	for left := len(g.features); left > 0; left-- {
		j := g.rng.IntN(left)
		feature = g.features[j]
		g.features[j], g.features[left-1] = g.features[left-1], feature
		values := g.values[feature:]
		least := values[sample[0]]
		most := least
		for _, s := range sample[1:] {
			v := values[s]
			least, most = min(least, v), max(most, v)
		}
		if lo, hi = least.float(), most.float(); hi > lo+minSpread {
			return feature, lo, hi, true
		}
	}
	return 0, 0, 0, false
}

// partition moves the points that go left to the front and returns their number. It
// swaps each point, as the processor would guess wrong half of the time which to.
func (g *grower) partition(sample []int32, feature int, threshold order) int {
	values, left := g.values[feature:], 0
	for i, s := range sample {
		sample[i], sample[left] = sample[left], s
		_, right := bits.Sub64(uint64(threshold), uint64(values[s]), 0)
		left += 1 - int(right)
	}
	return left
}

// below is the largest float32 that is not above v. The float32 values at most v
// are exactly those at most below(v), so thresholds lose nothing by it.
func below(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// rounded is a value, or what stands in for a missing one, as a finite float32.
func rounded[T Value](value T, median float64) float32 {
	v := float64(value)
	if v != v {
		v = median
	}
	switch {
	case v > math.MaxFloat32:
		return math.MaxFloat32
	case v < -math.MaxFloat32:
		return -math.MaxFloat32
	}
	return float32(v)
}

// medianRows is from how many points a median is told, spread evenly over all. More say
// no more.
const medianRows = 512

// medians returns the median of each feature, 0 where all values are missing.
func medians[T Value](points [][]T) []float64 {
	m := make([]float64, len(points[0]))
	some := make([][]T, 0, 2*medianRows)
	for i := 0; i < len(points); i += max(1, len(points)/medianRows) {
		some = append(some, points[i])
	}
	column := make([]T, 0, len(some))
	for i := range m {
		column = column[:0]
		for _, p := range some {
			if v := p[i]; v == v {
				column = append(column, v)
			}
		}
		if n := len(column); n > 0 {
			// Halved first, so that the sum of two large values stays finite.
			m[i] = float64(nth(column, (n-1)/2))/2 + float64(nth(column, n/2))/2
		}
	}
	return m
}

// nth is the value that has n before it when values are sorted, which it does as far as
// it must: C. A. R. Hoare, "Algorithm 65: find", Communications of the ACM 4 (1961).
func nth[T Value](values []T, n int) T {
	for lo, hi := 0, len(values)-1; lo < hi; {
		pivot, i, j := values[lo+(hi-lo)/2], lo, hi
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		if n <= j {
			hi = j
		} else if n >= i {
			lo = i
		} else {
			break
		}
	}
	return values[n]
}
