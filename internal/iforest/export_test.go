package iforest

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
	trees := make([][]node, len(given))
	for t, g := range given {
		for i := range g.Feature {
			n := node{feature: -1, points: g.N[i]}
			if g.Feature[i] >= 0 {
				if g.Left[i] != i+1 {
					panic("tree is not in preorder")
				}
				n.feature, n.threshold, n.right = g.Feature[i], below(g.Threshold[i]), g.Right[i]
			}
			trees[t] = append(trees[t], n)
		}
	}
	return newForest(features, sample, make([]float64, features), trees)
}

// PathLength is the mean depth at which a point ends.
func (f *Forest) PathLength(point []float64) float64 {
	var buf [narrow]float32
	return f.pathLength(f.row(&buf, point))
}

// ExpectedPathLength is the mean depth at which points of the sample end.
func (f *Forest) ExpectedPathLength() float64 {
	splits, leaves := f.perTree()
	var sum float64
	for t := range f.trees {
		if splits == 0 {
			sum += f.paths[f.leaves[t*leaves]]
			continue
		}
		sum += float64(f.expected[t*splits])
	}
	return sum / float64(f.trees)
}

// Quantile exposes the interpolation of percentiles.
var Quantile = quantile
