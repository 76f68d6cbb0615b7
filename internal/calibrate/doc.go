// Package calibrate puts the scores of different detectors on one scale.
//
// Scores of two detectors cannot be compared: one counts deviations, another the
// steps in a tree. What can be compared is how rare they are. [Tail] remembers the
// last scores of a detector and says how probable one at least as large is:
//
//	p = (1 + how many of the last n scores are as large)/(n + 1)
//
// which is the p-value of a Monte Carlo test (A. C. Davison and D. V. Hinkley,
// "Bootstrap Methods and their Application", 1997, equation 4.11). Past the largest
// score that was seen, the tail is taken for exponential, with the mean excess of
// the largest hundredth: peaks over a threshold (J. Pickands, "Statistical inference
// using extreme order statistics", Annals of Statistics 3, 1975) with shape 0.
//
// [Reports] does the same for a detector that says nothing of most readings.
//
// [Score] brings a probability to the scale from 0 to 1 on which anomalies are
// stored: 0.5 for what happens once in a thousand readings, 0.67 for once in a million.
// [Combine] is the probability of the least probable of several.
//
// Nothing here reads a clock or allocates after the first n scores. A Tail is not
// safe for concurrent use.
package calibrate
