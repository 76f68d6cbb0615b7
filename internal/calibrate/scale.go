package calibrate

import "math"

// decades is how many powers of ten lie between the scores 0 and 1.
const decades = 6

// Score brings a probability to the scale from 0 to 1: 0 for what is certain, 0.5 for
// once in a thousand, 1 for once in a million and less.
func Score(p float64) float64 {
	return min(max(-math.Log10(p)/decades, 0), 1)
}

// Combine is the probability of the least of some probabilities: by Bonferroni's
// correction at most their number times it.
func Combine(p ...float64) float64 {
	least := 1.0
	for _, v := range p {
		least = min(least, v*float64(len(p)))
	}
	return least
}
