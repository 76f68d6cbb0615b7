// Package iforest finds unusual points among normal ones, after Liu, Ting and
// Zhou, "Isolation Forest" (ICDM 2008).
//
// A point that random axis-parallel splits separate from a sample in few steps
// is unusual. [Forest.Score] maps the average number of steps to (0, 1): values
// near 1 are anomalies, values well below 0.5 are normal, and about 0.5 for all
// points means that none stands out. Details that the paper leaves open are those
// of scikit-learn's IsolationForest, so that its published results apply.
//
// The package has three layers. [Forest] is one fitted model. [Detector] judges a
// stream of points by a forest that it refits on a sample of the stream's recent
// past. [Monitor] describes readings by their features, keeps one detector for each group
// of sensors, sees to it that late and repeated readings are learned from at most once,
// and tells events apart.
//
// Nothing here reads a clock or global randomness: the same calls with the same
// seed give the same results, bit for bit on one architecture. A fit runs in a goroutine
// of its own, which ends with it; its result is used from a call that the calls before
// determine.
package iforest
