// Package detect is what processors that look for anomalies in single readings
// have in common: readings pass untouched, what is found is appended to their
// batch with a score on the one scale of all detectors, and a batch that comes again
// yields the same again.
package detect

import (
	"time"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/lanes"
)

// State is what a detector has learned from one lane.
type State interface {
	lanes.State

	// Judge appends what it finds on a reading to found, and learns from the
	// reading. What it finds has a strength; score and severity follow from it.
	Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly
}

// Preparer is a state that wants to know of readings before it is asked about them.
type Preparer interface {
	// Prepare is told of readings that Judge is asked about next, in this order, and about
	// no others.
	Prepare(readings []*reading.Reading)
}

// some is how many messages of a batch a state is told of at once. What it remembers of
// them stays in the cache.
const some = 512

// Ticker is a state that also finds something when nothing comes.
type Ticker interface {
	// Tick appends what it finds when nothing more came up to a time.
	Tick(at time.Time, found []*anomaly.Anomaly) []*anomaly.Anomaly
}

// Counter is a state that counts what it does. A metric costs as much to move by one
// as by a batch.
type Counter interface {
	// Count moves the metrics by what was counted since the last call.
	Count()
}

// Laned is a state that wants to know which lane it is of, for metrics.
type Laned interface {
	SetLane(name string)
}
