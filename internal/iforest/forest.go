package iforest

import (
	"fmt"
	"math"
)

// Bounds of what a forest may be made of. They keep a model that was read from
// elsewhere from claiming any amount of memory.
const (
	MaxTrees      = 1000
	MaxSampleSize = 4096
	MaxFeatures   = 4096
)

// Config says how a forest is grown. The paper found 100 trees of 256 points to
// be enough for sets of any size.
type Config struct {
	Trees      int // 1 to MaxTrees; more make scores steadier and slower
	SampleSize int // points a tree is grown from, 2 to MaxSampleSize
}

// DefaultConfig is the choice of the paper.
var DefaultConfig = Config{Trees: 100, SampleSize: 256}

// Validate reports the first setting that is out of bounds.
func (c Config) Validate() error {
	if c.Trees < 1 || c.Trees > MaxTrees {
		return fmt.Errorf("trees must be 1 to %d, got %d", MaxTrees, c.Trees)
	}
	if c.SampleSize < 2 || c.SampleSize > MaxSampleSize {
		return fmt.Errorf("samples must be 2 to %d, got %d", MaxSampleSize, c.SampleSize)
	}
	return nil
}

// Forest is a fitted model. It is immutable and safe for concurrent use.
//
// Trees are kept as perfect binary trees in heap order, all in one array: the root is
// split 1 and the children of split i are 2i and 2i+1, so a walk needs neither links nor
// a test for leaves. A leaf that lies higher than the last level is continued to the
// left by splits that send everything there.
type Forest struct {
	features int
	sample   int     // points each tree was grown from
	depth    int     // levels of splits in each tree
	norm     float64 // averagePath of the sample
	trees    int

	// Each tree has 2^depth places in what follows. The first is of no split.
	medians []float64 // stand in for missing values
	splits  []split
	leaves  []uint16 // an index of kinds and paths

	// For explanations: the path length to be expected of a point that has come to a
	// split, and how many points of the sample it sent left.
	expected []float32
	left     []uint16

	kinds []leafKind
	paths []float64 // path length by kind
}

// split sends a point left when its value is at most the threshold. It is the order of
// the threshold, and in its lower half the feature: so it is less than the key of a value
// if and only if the value is larger than the threshold.
type split uint64

// key is the order of a value, to be compared with splits.
type key uint64

func splitOf(threshold order, feature int) split { return split(threshold)<<32 | split(feature) }

func (s split) threshold() order { return order(s >> 32) }
func (s split) feature() int     { return int(uint32(s)) }

func keyOf(v float32) key { return key(orderOf(v)) << 32 }

// through marks a split that only leads on to a leaf. Values are finite, so no
// true split has this threshold.
const through = split(math.MaxUint32 << 32)

// order is a float32 as an integer that compares as it does: the walk through a tree
// turns what is borrowed in a subtraction into a step, where a comparison of floats would
// be a branch that the processor guesses wrong half of the time.
type order uint32

const sign = 1 << 31

func orderOf(v float32) order {
	bits := math.Float32bits(v + 0) // −0 is 0
	negative := uint32(int32(bits) >> 31)
	return order(bits ^ (negative | sign)) // no branch, as half of them are negative
}

func (o order) float() float32 {
	if o < sign {
		return math.Float32frombits(uint32(^o))
	}
	return math.Float32frombits(uint32(o ^ sign))
}

// leafKind tells leaves apart as far as path lengths go.
type leafKind struct {
	depth, points int
}

// node is a tree in the form in which it is grown and stored: in preorder, the
// left child right after its parent.
type node struct {
	feature   int // negative for a leaf
	threshold float32
	right     int // index of the right child
	points    int // how many points of the sample came here
}

// Features is the number of values in a point.
func (f *Forest) Features() int { return f.features }

// SampleSize is the number of points that each tree was grown from: that of the
// configuration, or all points if there were fewer.
func (f *Forest) SampleSize() int { return f.sample }

// newForest has room for trees of the given sample size, which are to be packed.
func newForest(features, sample, trees int, medians []float64) *Forest {
	f := &Forest{
		features: features, sample: sample, depth: depthLimit(sample), norm: averagePath(sample), trees: trees, medians: medians,
	}
	places := f.trees << f.depth
	f.splits, f.leaves = make([]split, places), make([]uint16, places)
	f.expected, f.left = make([]float32, places), make([]uint16, places)
	return f
}

// splitsOf and leavesOf are those of one tree. The leaf at a place i of the heap is the
// one at i less their number.
func (f *Forest) splitsOf(tree int) []split  { return f.splits[tree<<f.depth:][:1<<f.depth] }
func (f *Forest) leavesOf(tree int) []uint16 { return f.leaves[tree<<f.depth:][:1<<f.depth] }

// packer packs trees, one after another.
type packer struct {
	forest   *Forest
	kinds    []uint16 // one more than the index of a kind, by depth and points
	nodes    []node
	splits   []split
	leaves   []uint16
	expected []float32
	left     []uint16
}

func newPacker(f *Forest) *packer {
	return &packer{forest: f, kinds: make([]uint16, (f.depth+1)*(f.sample+1))}
}

// pack packs a tree.
func (p *packer) pack(tree int, nodes []node) {
	f := p.forest
	p.nodes, p.splits, p.leaves = nodes, f.splitsOf(tree), f.leavesOf(tree)
	p.expected, p.left = f.expected[tree<<f.depth:][:1<<f.depth], f.left[tree<<f.depth:][:1<<f.depth]
	p.place(0, 1, 0)
}

// place places node n at a place of the heap and returns the path length to be
// expected there.
func (p *packer) place(n, at, depth int) float64 {
	nd := p.nodes[n]
	if nd.feature < 0 {
		return p.placeLeaf(at, leafKind{depth: depth, points: nd.points})
	}
	p.splits[at] = splitOf(orderOf(nd.threshold), nd.feature)
	left, right := p.nodes[n+1].points, p.nodes[nd.right].points
	mean := (float64(left)*p.place(n+1, 2*at, depth+1) + float64(right)*p.place(nd.right, 2*at+1, depth+1)) / float64(left+right)
	p.expected[at], p.left[at] = float32(mean), uint16(left)
	return mean
}

func (p *packer) placeLeaf(at int, kind leafKind) float64 {
	f := p.forest
	index := &p.kinds[kind.depth*(f.sample+1)+kind.points]
	if *index == 0 {
		f.kinds = append(f.kinds, kind)
		f.paths = append(f.paths, float64(kind.depth)+averagePath(kind.points))
		*index = uint16(len(f.kinds))
	}
	k := *index - 1
	for ; at < len(p.splits); at *= 2 {
		p.splits[at] = through
		p.expected[at], p.left[at] = float32(f.paths[k]), uint16(kind.points)
	}
	p.leaves[at-len(p.splits)] = k
	return f.paths[k]
}

// depthLimit is the average height of a tree of n points; beyond it a tree would
// only tell normal points apart.
func depthLimit(n int) int {
	depth := 0
	for 1<<depth < n {
		depth++
	}
	return depth
}

// averagePath is the expected depth of an unsuccessful search in a binary search
// tree of n keys (equation 1 of the paper), which is what remains below a leaf of
// n points. The harmonic number in it is estimated by a logarithm, as in
// scikit-learn, but for n = 2, where the estimate is far off: 0.15 instead of 1.
func averagePath(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	const euler = 0.57721566490153286060651209008240243
	m := float64(n)
	return 2*(math.Log(m-1)+euler) - 2*(m-1)/m
}
