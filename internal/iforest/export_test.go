package iforest

import (
	"math"

	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
)

// AveragePath exposes the formula that all scores rest on.
var AveragePath = averagePath

// GivenTree is a tree grown elsewhere, in preorder; a feature below 0 is a leaf.
type GivenTree struct {
	Feature   []int     `json:"feature"`
	Threshold []float64 `json:"threshold"`
	Left      []int     `json:"left"`
	Right     []int     `json:"right"`
	N         []int     `json:"n"`
}

// FromTrees packs trees grown elsewhere.
func FromTrees(features, sample int, given []GivenTree) *Forest {
	f := newForest(features, sample, len(given), make([]float64, features))
	p := newPacker(f)
	for t, g := range given {
		var nodes []node
		for i := range g.Feature {
			n := node{feature: -1, points: g.N[i]}
			if g.Feature[i] >= 0 {
				if g.Left[i] != i+1 {
					panic("tree is not in preorder")
				}
				n.feature, n.threshold, n.right = g.Feature[i], below(g.Threshold[i]), g.Right[i]
			}
			nodes = append(nodes, n)
		}
		p.pack(t, nodes)
	}
	return f
}

// PathLength is the mean depth at which a point ends.
func (f *Forest) PathLength(point []float64) float64 {
	return f.walkWide(rowOf(f, nil, point), 0, 0, f.trees) / float64(f.trees)
}

// ExpectedPathLength is the mean depth at which points of the sample end.
func (f *Forest) ExpectedPathLength() float64 {
	var sum float64
	for t := range f.trees {
		if f.depth == 0 {
			sum += f.paths[f.leaves[t]]
			continue
		}
		sum += float64(f.expected[t<<f.depth+1])
	}
	return sum / float64(f.trees)
}

// Quantile exposes the interpolation of percentiles.
var Quantile = quantile[float64]

// Nth exposes the search for medians.
var Nth = nth[float64]

// ExpectedKnowing is the mean over the trees of the path length to be expected when
// only some features of a point are known, from the trees as they are stored.
func (f *Forest) ExpectedKnowing(point []float64, known map[int]bool) float64 {
	data, err := f.MarshalBinary()
	if err != nil {
		panic(err)
	}
	r := codec.NewReader(data, forestKind, forestVersion)
	features, sample, trees := int(r.Uint()), int(r.Uint()), int(r.Uint())
	readFloats(r, features)
	var sum float64
	for range trees {
		nodes := readTree(r, nil, features, sample, depthLimit(sample))
		var expect func(at, depth int) float64
		expect = func(at, depth int) float64 {
			n := nodes[at]
			switch {
			case n.feature < 0:
				return float64(depth) + averagePath(n.points)
			case !known[n.feature]:
				return (float64(nodes[at+1].points)*expect(at+1, depth+1) + float64(nodes[n.right].points)*expect(n.right, depth+1)) / float64(n.points)
			case float32(point[n.feature]) <= n.threshold:
				return expect(at+1, depth+1)
			}
			return expect(n.right, depth+1)
		}
		sum += expect(0, 0)
	}
	return sum / float64(trees)
}

// Refit fits the sample as it is, and waits for it.
func (d *Detector) Refit() {
	d.begin(d.fitted)
	<-d.next.done
	d.model, d.next = d.next.model, nil
}

// Together scores many points at once.
type Together struct{ together }

// NewTogether returns memory for that.
func NewTogether() *Together { return &Together{} }

// Glances is what [Forest.Glance] says of each point.
func (w *Together) Glances(f *Forest, points [][]float64, usual float64) []float64 {
	scores := make([]float64, len(points))
	glances(&w.together, f, points, usual, scores)
	return scores
}

// Unusual tells whether a score or a mean is as improbable as least, given others, both
// as a model tells it and by the probability.
func Unusual(scores, means []float64, least, score, mean float64) (is, want bool) {
	m := &model{usual: calibrate.NewTail(max(len(scores), 1)), lasting: calibrate.NewTail(max(len(means), 1)), limit: math.Inf(1), least: least}
	m.usual.Fill(scores)
	m.lasting.Fill(means)
	m.settle()
	j := Judgement{Score: score, Sustained: mean}
	return m.unusual(j), m.probability(j) <= least
}
