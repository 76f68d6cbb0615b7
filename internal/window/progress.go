package window

import (
	"math"
	"time"

	"buildmon/internal/reading"
)

// never is the watermark of a source that has shown nothing.
const never = math.MinInt64

// progress is how far a source has come, in event time.
type progress struct {
	epoch     string
	first     int64 // event time of the first reading of the epoch
	watermark int64

	// settled is the watermark before the batch that last raised it. That batch
	// may come again; what came before it may not.
	settled int64

	seen time.Time // processing time of the last batch
}

// source returns the progress of a source that shows readings now.
func (t *Tumbling) source(source Source, first *reading.Reading, now time.Time) *progress {
	s := t.sources[source.Name]
	if s == nil || s.epoch != source.Epoch {
		s = &progress{epoch: source.Epoch, first: first.Time.UnixMicro(), watermark: never, settled: never}
		t.sources[source.Name] = s
	}
	s.seen = now
	return s
}

// frontier returns the event time that every active source has passed, and the
// one before which none of them can deliver a batch again.
func (t *Tumbling) frontier(now time.Time) (frontier, settled int64) {
	frontier, settled = math.MaxInt64, math.MaxInt64
	for _, s := range t.sources {
		if !t.idle(s, now) {
			frontier = min(frontier, s.watermark)
			settled = min(settled, s.settled)
		}
	}
	return frontier, settled
}

// idle tells whether a source has been silent for so long that nobody waits for
// it.
func (t *Tumbling) idle(s *progress, now time.Time) bool { return now.Sub(s.seen) >= t.cfg.Idle }
