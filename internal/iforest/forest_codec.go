package iforest

import (
	"fmt"
	"math"

	"buildmon/internal/codec"
)

const (
	forestKind    = "forest"
	forestVersion = 1
)

// MarshalBinary writes the forest in a form of this package, with a version.
func (f *Forest) MarshalBinary() ([]byte, error) {
	b := codec.AppendHeader(nil, forestKind, forestVersion)
	for _, n := range []int{f.features, f.sample, f.trees} {
		b = codec.AppendUint(b, uint64(n))
	}
	b = appendFloats(b, f.medians)
	for t := range f.trees {
		b = f.appendTree(b, t, 1)
	}
	return b, nil
}

// appendTree writes what lies below a place of the heap, in preorder.
func (f *Forest) appendTree(b []byte, tree, at int) []byte {
	splits := f.splitsOf(tree)
	if at < len(splits) && splits[at] != through {
		b = codec.AppendUint(b, uint64(splits[at].feature())+1)
		b = codec.AppendUint(b, uint64(math.Float32bits(splits[at].threshold().float())))
		b = f.appendTree(b, tree, 2*at)
		return f.appendTree(b, tree, 2*at+1)
	}
	for at < len(splits) {
		at *= 2
	}
	kind := f.kinds[f.leavesOf(tree)[at-len(splits)]]
	return codec.AppendUint(codec.AppendUint(b, 0), uint64(kind.points))
}

// UnmarshalBinary replaces the forest by one that MarshalBinary wrote. It refuses
// other versions and whatever is no forest, and then leaves f as it was.
func (f *Forest) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, forestKind, forestVersion)
	features := within(r, "features", 1, MaxFeatures)
	sample := within(r, "sample size", 1, MaxSampleSize)
	count := within(r, "trees", 1, MaxTrees)
	medians := readFloats(r, features)
	for _, m := range medians {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			r.Fail("median %v is not finite", m)
		}
	}
	trees := make([][]node, count)
	for t := range trees {
		trees[t] = readTree(r, nil, features, sample, depthLimit(sample))
		if points := trees[t][0].points; r.OK() && points != sample {
			r.Fail("tree %d is of %d points, want %d", t, points, sample)
		}
	}
	if err := r.Close(); err != nil {
		return fmt.Errorf("decoding forest: %w", err)
	}
	*f = *newForest(features, sample, count, medians)
	p := newPacker(f)
	for t, nodes := range trees {
		p.pack(t, nodes)
	}
	return nil
}

// readTree appends the nodes of a subtree that may have the given levels of
// splits. It appends at least one node, whatever it reads.
func readTree(r *codec.Reader, nodes []node, features, sample, levels int) []node {
	feature := within(r, "feature", 0, uint64(features)) - 1
	if feature < 0 {
		return append(nodes, node{feature: -1, points: within(r, "points of a leaf", 1, uint64(sample))})
	}
	threshold := math.Float32frombits(uint32(within(r, "threshold", 0, math.MaxUint32)))
	if threshold != threshold || math.IsInf(float64(threshold), 0) || levels == 0 {
		r.Fail("a split at %v with %d levels left", threshold, levels)
	}
	if !r.OK() {
		return append(nodes, node{feature: -1})
	}
	at := len(nodes)
	nodes = readTree(r, append(nodes, node{feature: feature, threshold: threshold}), features, sample, levels-1)
	right := len(nodes)
	nodes = readTree(r, nodes, features, sample, levels-1)
	nodes[at].right = right
	nodes[at].points = nodes[at+1].points + nodes[right].points
	return nodes
}

// within reads a number that must lie within bounds, or returns 0.
func within(r *codec.Reader, what string, lo, hi uint64) int {
	v := r.Uint()
	if r.OK() && (v < lo || v > hi) {
		r.Fail("%s must be %d to %d, got %d", what, lo, hi, v)
	}
	if !r.OK() {
		return 0
	}
	return int(v)
}

// appendFloats and readFloats leave the number of values to what is known already.
func appendFloats(b []byte, values []float64) []byte {
	for _, v := range values {
		b = codec.AppendFloat(b, v)
	}
	return b
}

func readFloats(r *codec.Reader, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = r.Float()
	}
	return values
}
