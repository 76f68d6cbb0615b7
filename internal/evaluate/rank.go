package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// AUC is the share of pairs of a faulty and a clean row that the scores put in the
// right order, ties counting half: the area under the curve of true over false
// alarms. It is NaN if there are no such pairs.
func AUC(scores []float64, faulty []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var bad, good, ranks float64
	for i := 0; i < len(order); {
		j := i
		n := 0.0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			if faulty[order[j]] {
				n++
			}
		}
		ranks += n * float64(i+j+1) / 2
		bad += n
		good += float64(j-i) - n
		i = j
	}
	return (ranks - bad*(bad+1)/2) / (bad * good)
}

// Detections is what scores find in a feed when a share of clean rows may raise a
// false alarm.
type Detections struct {
	Threshold float64        // scores above it are alarms
	Found     map[string]int // faults with an alarm, by kind
	Of        map[string]int // all faults, by kind
}

// Share is the share of faults that were found.
func (d *Detections) Share() float64 {
	found, of := 0, 0
	for _, n := range d.Found {
		found += n
	}
	for _, n := range d.Of {
		of += n
	}
	return float64(found) / float64(of)
}

// Add adds what was found in another feed.
func (d *Detections) Add(other Detections) {
	if d.Of == nil {
		d.Found, d.Of = map[string]int{}, map[string]int{}
	}
	for kind, n := range other.Found {
		d.Found[kind] += n
	}
	for kind, n := range other.Of {
		d.Of[kind] += n
	}
}

// Detect chooses the lowest threshold at which no more than that share of the clean
// rows from a row on score above it, and says which faults it finds.
func Detect(f *Feed, scores []float64, from int, share float64) Detections {
	var clean []float64
	for i, faulty := range f.Faulty() {
		if i >= from && !faulty {
			clean = append(clean, scores[i])
		}
	}
	slices.Sort(clean)
	d := Detections{Threshold: math.Inf(-1), Found: map[string]int{}, Of: map[string]int{}}
	if most := int(share * float64(len(clean))); most < len(clean) {
		d.Threshold = clean[len(clean)-1-most]
	}
	for _, fault := range f.Faults {
		d.Of[fault.Kind]++
		if slices.Max(scores[fault.First:fault.Last+1]) > d.Threshold {
			d.Found[fault.Kind]++
		}
	}
	return d
}
