package evaluate

import "slices"

// history is how many scores a Tail compares with.
const history = 1000

// Tail turns the scores of a detector into tail probabilities, which are
// comparable with those of others: how often its last 1,000 scores were as large.
type Tail struct {
	ring   []float64 // the last scores as they came
	sorted []float64
	next   int
}

// Probability is (1 + how many of the last n scores are as large)/(n + 1), with an
// n of at most 1,000, and remembers the score. A score from 0 to 1 that is larger
// than all of them is less probable by how much nearer to 1 it is, so that also the
// largest scores can be told apart.
func (t *Tail) Probability(score float64) float64 {
	i, _ := slices.BinarySearch(t.sorted, score)
	p := float64(1+len(t.sorted)-i) / float64(1+len(t.sorted))
	if n := len(t.sorted); n > 0 && score > t.sorted[n-1] && t.sorted[n-1] < 1 {
		p *= (1 - min(score, 1)) / (1 - t.sorted[n-1])
	}
	if len(t.ring) < history {
		t.ring = append(t.ring, score)
	} else {
		old, _ := slices.BinarySearch(t.sorted, t.ring[t.next])
		t.sorted = slices.Delete(t.sorted, old, old+1)
		t.ring[t.next] = score
		t.next = (t.next + 1) % history
	}
	i, _ = slices.BinarySearch(t.sorted, score)
	t.sorted = slices.Insert(t.sorted, i, score)
	return p
}

// Combine turns the scores of several detectors on the same rows into one: one
// minus the smallest of their tail probabilities times their number, but not below
// 0. Bonferroni's correction makes it comparable with the score of one detector.
func Combine(channels ...[]float64) []float64 {
	tails := make([]Tail, len(channels))
	combined := make([]float64, len(channels[0]))
	for i := range combined {
		least := 1.0
		for c := range channels {
			least = min(least, tails[c].Probability(channels[c][i])*float64(len(channels)))
		}
		combined[i] = 1 - least
	}
	return combined
}
