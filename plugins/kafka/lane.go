package kafka

import (
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

// laneState is what a lane waits for.
type laneState int

const (
	idle     laneState = iota // for records
	ready                     // to be handed out
	inFlight                  // for the acknowledgement of its batch
	resting                   // for the time to deliver a refused batch again
)

// source names a partition of a topic.
type source struct {
	topic     string
	partition int32
}

// lane is the queue of one assigned partition, from its assignment to its
// revocation, with at most one batch handed out.
//
// Its mutable fields belong to the lock of lanes.
type lane struct {
	source
	labels metadata

	state laneState
	queue []*kgo.Record // fetched and not yet part of a batch
	bytes int           // of the queue
	batch []*kgo.Record // handed out, or refused and to be handed out again
	tick  time.Time     // likewise, instead of a batch; zero if there is none

	delivery int           // counts how often a batch was handed out
	rest     time.Duration // before the next attempt; 0 after a success
	wake     *time.Timer   // ends a rest

	paused   bool          // not fetched, because the queue is full
	revoked  bool          // nothing more is handed out
	gone     bool          // the partition is no longer ours
	resolved chan struct{} // closed when a revoked lane has its answer

	position int64 // offset after the last acknowledged record; -1 if not known
	end      int64 // offset after the last record of the partition, as last heard
}

// A batch that was refused is delivered again after minRest, and after twice as
// long each further time, up to maxRest.
const (
	minRest = 100 * time.Millisecond
	maxRest = 5 * time.Second
)

// recordOverhead is what a buffered record takes in memory beside its key,
// value and headers: the kgo.Record, its place in the queue, its context.
const recordOverhead = 256

func sizeOf(r *kgo.Record) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// take makes the front of the queue the batch, unless a refused batch or a tick
// comes first.
func (l *lane) take(limit int) {
	if l.batch != nil || !l.tick.IsZero() {
		return
	}
	n := min(limit, len(l.queue))
	l.batch, l.queue = l.queue[:n:n], l.queue[n:]
	for _, r := range l.batch {
		l.bytes -= sizeOf(r)
	}
	if len(l.queue) == 0 {
		l.queue = nil
	}
}

// done forgets the tick or the batch. The array is shared with the queue, so the records
// are dropped from it one by one.
func (l *lane) done() {
	clear(l.batch)
	l.batch, l.tick = nil, time.Time{}
	l.rest = 0
}

func (l *lane) lag() int64 { return max(0, l.end-l.position) }

// messages makes a message of each record, or one of a tick. A refused batch is
// made anew, since messages may have been changed on their way.
func (d delivery) messages() service.MessageBatch {
	batch := make(service.MessageBatch, len(d.records))
	for i, r := range d.records {
		batch[i] = d.lane.labels.message(r)
	}
	if !d.tick.IsZero() {
		batch = append(batch, d.lane.labels.tick(d.tick))
	}
	d.lane.labels.lane.Begin(batch)
	return batch
}
