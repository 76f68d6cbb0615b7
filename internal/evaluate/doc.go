// Package evaluate measures detectors on feeds whose faults are known.
//
// A detector gives each row of a feed a score, larger for more unusual. Those of
// several detectors are made comparable and combined by [Combine]. What the scores are
// worth is said by [ScoreNAB] as the Numenta Anomaly Benchmark does, by [Detect] as
// the faults that are found when a share of clean rows may raise an alarm, and by
// [AUC].
//
// Feeds are read from files of public data sets, which are no part of the project,
// or made by [Inject] from a feed without faults.
package evaluate
