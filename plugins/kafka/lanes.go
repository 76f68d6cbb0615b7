package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/plugins/internal/carry"
)

// fetching is what lanes ask of the client.
type fetching interface {
	// pause and resume stop and start the fetching of a partition.
	pause(source)
	resume(source)

	// mark says that a record and all before it in its partition may be
	// committed.
	mark(*kgo.Record)
}

// lanes turns what is fetched from assigned partitions into batches, so that
// the records of a partition are handed out in order, one batch at a time, the
// next one after the acknowledgement of the last.
//
// It waits for nothing but what next and revoke say; in particular nobody holds
// its lock while the pipeline is busy, so a revocation is never held up by it.
// A lanes is safe for concurrent use.
type lanes struct {
	limits laneLimits
	client fetching
	stats  *inputMetrics

	mu     sync.Mutex
	lanes  map[source]*lane
	ready  []*lane // in state ready, in the order in which they became so
	epoch  int64   // of the latest assignment
	notify chan struct{}

	stopOnce sync.Once
	stopped  chan struct{}
}

type laneLimits struct {
	records int // in a batch
	bytes   int // in the queue of a lane, from which on it is not fetched
}

func newLanes(limits laneLimits, client fetching, stats *inputMetrics) *lanes {
	return &lanes{
		limits:  limits,
		client:  client,
		stats:   stats,
		lanes:   map[source]*lane{},
		notify:  make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
}

// delivery is a batch that was handed out.
type delivery struct {
	lane    *lane
	number  int // of the delivery within its lane
	records []*kgo.Record
	tick    time.Time // if there are no records
}

// assign begins a lane for each partition and returns their epoch. It is the
// generation of the consumer group, which grows with every rebalance whichever
// process a partition goes to, or more where the broker has forgotten the group
// and counts from one again: epochs of one process always grow.
func (ls *lanes) assign(partitions map[string][]int32, generation int32) int64 {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.epoch = max(ls.epoch+1, int64(generation))
	for s := range sources(partitions) {
		ls.drop(s)
		ls.lanes[s] = &lane{
			source:   s,
			labels:   newMetadata(s, ls.epoch),
			resolved: make(chan struct{}),
			position: -1,
		}
		// The client keeps a pause over a revocation.
		ls.client.resume(s)
	}
	return ls.epoch
}

// push appends fetched records to the queues of their lanes. Records of
// partitions that are not assigned are dropped: whoever has them now fetches
// them again. Rebalances must be held off between the fetch and the return of
// push, or records of an old assignment could end up in the lane of a new one.
func (ls *lanes) push(fetches kgo.Fetches) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		l := ls.lanes[source{p.Topic, p.Partition}]
		if l == nil || len(p.Records) == 0 {
			return
		}
		if l.position < 0 {
			l.position = p.Records[0].Offset
		}
		l.queue = append(l.queue, p.Records...)
		for _, r := range p.Records {
			l.bytes += sizeOf(r)
		}
		ls.heard(l, p.HighWatermark)
		if l.bytes >= ls.limits.bytes && !l.paused {
			l.paused = true
			ls.client.pause(l.source)
		}
		if l.state == idle {
			ls.makeReady(l)
		}
	})
}

// next hands out a batch of the lane that has waited longest. It waits for one
// until ctx ends, or returns service.ErrEndOfInput after stop.
func (ls *lanes) next(ctx context.Context) (delivery, error) {
	for {
		if d, ok := ls.take(); ok {
			return d, nil
		}
		select {
		case <-ls.notify:
		case <-ctx.Done():
			return delivery{}, ctx.Err()
		case <-ls.stopped:
			return delivery{}, service.ErrEndOfInput
		}
	}
}

func (ls *lanes) take() (delivery, bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(ls.ready) > 0 {
		l := ls.ready[0]
		ls.ready = ls.ready[1:]
		if l.gone || l.revoked {
			continue
		}
		if len(ls.ready) > 0 {
			ls.signal()
		}
		if l.batch != nil {
			ls.stats.redelivered.Incr(1)
		}
		l.take(ls.limits.records)
		l.state = inFlight
		l.delivery++
		// Half a queue is left while the next fetch is under way.
		if l.paused && l.bytes < ls.limits.bytes/2 {
			l.paused = false
			ls.client.resume(l.source)
		}
		return delivery{lane: l, number: l.delivery, records: l.batch, tick: l.tick}, true
	}
	return delivery{}, false
}

// resolve takes the answer to a delivery. Answers that come twice, or after the
// partition was given up, change nothing.
func (ls *lanes) resolve(d delivery, err error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := d.lane
	if l.gone || l.state != inFlight || l.delivery != d.number {
		return
	}
	if err == nil {
		if n := len(l.batch); n > 0 {
			ls.client.mark(l.batch[n-1])
			l.position = l.batch[n-1].Offset + 1
			ls.heard(l, l.position)
		}
		l.done()
	} else {
		l.rest = min(max(minRest, 2*l.rest), maxRest)
	}
	switch {
	case l.revoked:
		l.state = idle
		close(l.resolved)
	case err != nil:
		l.state = resting
		l.wake = time.AfterFunc(l.rest, func() { ls.rested(l) })
	case len(l.queue) > 0:
		ls.makeReady(l)
	default:
		l.state = idle
	}
}

// rested makes a lane whose batch was refused deliver it again. If the partition
// was given up meanwhile, take passes over it.
func (ls *lanes) rested(l *lane) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.makeReady(l)
}

// revoke stops handing out the partitions, waits up to patience for the batches
// that were already handed out, and gives the partitions up. It returns those
// whose batch was not answered in time, which is delivered again to whoever gets the
// partition, and the lanes that are settled, which the caller has to end.
func (ls *lanes) revoke(partitions map[string][]int32, patience time.Duration) (unanswered []source, settled []*carry.Lane) {
	var busy []*lane
	ls.mu.Lock()
	for s := range sources(partitions) {
		if l := ls.lanes[s]; l != nil {
			l.revoked = true
			if l.state == inFlight {
				busy = append(busy, l)
			}
		}
	}
	ls.mu.Unlock()

	deadline := time.NewTimer(patience)
	defer deadline.Stop()
wait:
	for _, l := range busy {
		select {
		case <-l.resolved:
		case <-ls.stopped:
			break wait
		case <-deadline.C:
			break wait
		}
	}

	ls.mu.Lock()
	defer ls.mu.Unlock()
	for s := range sources(partitions) {
		l := ls.lanes[s]
		switch {
		case l == nil:
			continue
		case l.state == inFlight:
			unanswered = append(unanswered, s)
		case l.rest == 0: // nothing was refused
			settled = append(settled, l.labels.lane)
			ls.remove(l)
		}
		ls.drop(s)
	}
	return unanswered, settled
}

// lost gives partitions up at once: they may already belong to somebody else.
func (ls *lanes) lost(partitions map[string][]int32) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for s := range sources(partitions) {
		ls.drop(s)
	}
}

// drop ends a lane, if there is one, whatever it is at.
func (ls *lanes) drop(s source) {
	if l := ls.lanes[s]; l != nil {
		ls.remove(l)
		l.labels.lane.End(context.Background(), false)
	}
}

// remove lets answers to the batch of a lane be ignored from now on.
func (ls *lanes) remove(l *lane) {
	delete(ls.lanes, l.source)
	l.gone = true
	l.queue, l.batch, l.bytes = nil, nil, 0
	if l.wake != nil {
		l.wake.Stop()
	}
	// The partition counts where it is now.
	ls.stats.setLag(l.source, 0)
}

// heardEnds takes the ends of partitions that were asked for. Without it the
// lag of a paused partition would stand still while it grows.
func (ls *lanes) heardEnds(ends map[source]int64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for s, end := range ends {
		if l := ls.lanes[s]; l != nil && l.position >= 0 {
			ls.heard(l, end)
		}
	}
}

// begins takes the offsets that the group had committed, for lanes that have not
// shown where they begin.
func (ls *lanes) begins(committed map[string]map[int32]kgo.EpochOffset) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for topic, partitions := range committed {
		for id, o := range partitions {
			if l := ls.lanes[source{topic, id}]; l != nil && l.position < 0 && o.Offset >= 0 {
				l.position = o.Offset
			}
		}
	}
}

// tick tells each lane of which nothing is left that time went on: the ends of
// the partitions were asked for at that time or later.
func (ls *lanes) tick(ends map[source]int64, at time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for s, end := range ends {
		if l := ls.lanes[s]; l != nil && !l.revoked && l.state == idle && l.position >= end {
			l.tick = at
			ls.makeReady(l)
		}
	}
}

func (ls *lanes) heard(l *lane, end int64) {
	l.end = max(l.end, end)
	ls.stats.setLag(l.source, l.lag())
}

// topics returns the topics of which a partition is assigned.
func (ls *lanes) topics() []string {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	seen := map[string]bool{}
	var out []string
	for s := range ls.lanes {
		if !seen[s.topic] {
			seen[s.topic] = true
			out = append(out, s.topic)
		}
	}
	return out
}

func (ls *lanes) makeReady(l *lane) {
	l.state = ready
	ls.ready = append(ls.ready, l)
	ls.signal()
}

// signal wakes one caller of next; who finds more than it takes passes it on.
func (ls *lanes) signal() {
	select {
	case ls.notify <- struct{}{}:
	default:
	}
}

// stop ends next and the waiting of revoke.
func (ls *lanes) stop() { ls.stopOnce.Do(func() { close(ls.stopped) }) }

// sources walks the partitions of an assignment as the client gives it.
func sources(partitions map[string][]int32) func(func(source) bool) {
	return func(yield func(source) bool) {
		for topic, ids := range partitions {
			for _, id := range ids {
				if !yield(source{topic, id}) {
					return
				}
			}
		}
	}
}
