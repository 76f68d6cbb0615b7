package calibrate

import "math"

// half is how many powers of ten make a score of 0.5.
const half = 3

// Score brings a probability to the scale from 0 to 1: 0 for what is certain, 0.5 for
// once in a thousand, 0.67 for once in a million, and never quite 1. It is n/(n + 3) for
// one in 10ⁿ.
func Score(p float64) float64 {
	n := max(-math.Log10(p), 0)
	return n / (n + half)
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
