package evaluate

import "buildmon/internal/calibrate"

// Combine turns the scores of several detectors on the same rows into one, by how
// rare each is among the last of its detector; see [calibrate.Tail] and
// [calibrate.Score].
func Combine(channels ...[]float64) []float64 {
	tails := make([]*calibrate.Tail, len(channels))
	for c := range tails {
		tails[c] = calibrate.NewTail(calibrate.DefaultSize)
	}
	combined := make([]float64, len(channels[0]))
	p := make([]float64, len(channels))
	for i := range combined {
		for c, scores := range channels {
			p[c] = tails[c].Probability(scores[i])
			tails[c].Remember(scores[i])
		}
		combined[i] = calibrate.Score(calibrate.Combine(p...))
	}
	return combined
}
