// Package percentile learns which values are usual for a group of sensors, as
// two percentiles of what the group reported in the last hours, and tells which
// values lie beyond them.
//
// # The usual range
//
// For each group and metric it keeps a bounded sample of the values of the last
// history of event time. Percentiles are computed from it every refresh
// interval, by linear interpolation between the two nearest values (numpy's
// default). A value is an anomaly when it lies farther past the range than
// margin times the width of the range: the 1st and 99th percentile alone flag
// 2 % of perfectly good values for ever.
//
// A group that has only been seen at night does not know the day. So the margin is
// twice as wide at first and falls to what is configured as the sample comes to
// span the history.
//
// # What is learned
//
// A value within the limits is learned as it is. A value past a limit is learned
// as if it lay a quarter of the width past that limit. So the range stays as it
// is while strange values are rare, since they keep their rank; and when they
// make up more than the share that the percentiles leave out (1 % of the
// history, a quarter of an hour of a day), the range widens by one step towards
// them, and by another after as many more. A fault does not become normal at
// once, however far off it is; a lasting change does within hours.
//
// # The sample
//
// While the history holds no more than MaxSamples values of a group and metric,
// all are kept. Beyond that, one of each block of 2, 4, 8 … consecutive values
// is, at a place in the block that a hash of the block's number decides: sensors
// that report in turn are sampled evenly, and the same values always give the
// same sample.
//
// The package never reads a clock and knows nothing of messages. Time is the
// time of the readings.
package percentile
