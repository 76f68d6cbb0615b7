// Package window groups readings into windows of fixed size over event time.
//
// A window covers the half-open interval [start, start+size) of event time, so a
// reading on the boundary belongs to the later window. Windows are aligned to
// the Unix epoch, whatever their size, which makes the result independent of
// when the process started.
//
// What the readings of one batch add to one window of one group is a [Pane], a
// function of the batch alone. Panes merge exactly in count, minimum and
// maximum, and up to rounding in sum, so a store that adds up panes of distinct
// readings holds the same as one that sorts and groups all readings at the end.
// [Tumbling] makes panes of batches and keeps, as a view for people, the row of
// each open window as this process knows it.
//
// The package never reads the wall clock: event time comes with the readings and
// processing time is an argument.
package window
