package simulate

import (
	"container/heap"
	"fmt"
	"time"
)

// Disturbance is harm done to a message between its sensor and the receiver.
type Disturbance uint8

// The disturbances.
const (
	Undisturbed Disturbance = iota
	Late                    // delivered late, by a half to the whole of LateBy
	OutOfOrder              // overtaken by the 1 to 10 readings after it
	Duplicated              // the second of two deliveries, up to 10 readings after the first
	Malformed               // delivered once, with content that is no reading
	numDisturbances
)

var disturbances = [numDisturbances]string{"undisturbed", "late", "out_of_order", "duplicated", "malformed"}

// String is the name of the disturbance in configuration and metadata.
func (d Disturbance) String() string {
	if d < numDisturbances {
		return disturbances[d]
	}
	return fmt.Sprintf("Disturbance(%d)", uint8(d))
}

// maxOvertaken is how many readings a message may fall behind without being
// late.
const maxOvertaken = 10

// TransportConfig holds the probability of each disturbance of a reading. A
// reading suffers at most one, so they add up to at most 1.
type TransportConfig struct {
	Late, OutOfOrder, Duplicated, Malformed float64

	// LateBy is the longest delay of late readings.
	LateBy time.Duration
}

func (c *TransportConfig) validate() error {
	var sum float64
	for d, p := range c.chances() {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("probability of %s must be 0 to 1, got %v", Disturbance(d), p)
		}
		sum += p
	}
	// The tolerance admits ten times 0.1.
	if sum > 1+1e-9 {
		return fmt.Errorf("probabilities of late, out_of_order, duplicated and malformed must add up to at most 1, got %v", sum)
	}
	if c.LateBy <= 0 {
		return fmt.Errorf("late_by must be positive, got %s", c.LateBy)
	}
	return nil
}

func (c *TransportConfig) chances() [numDisturbances]float64 {
	return [numDisturbances]float64{Late: c.Late, OutOfOrder: c.OutOfOrder, Duplicated: c.Duplicated, Malformed: c.Malformed}
}

// Delivery is an event on its way to the receiver.
type Delivery struct {
	Event

	// Due is when it arrives, in event time: that of the reading, or later.
	Due time.Time

	Disturbance Disturbance

	// Bits decide how a malformed message is malformed.
	Bits uint64
}

// Transport delivers the events of a simulator in the order in which they are
// due. What happens to a reading depends on the seed and the reading alone. It
// is not safe for concurrent use.
type Transport struct {
	from    *Simulator
	chances [numDisturbances]float64
	calm    bool
	lateBy  time.Duration

	next    Event
	has     bool // next is filled in
	started bool
	passed  int64     // events that arrived when they were due
	last    time.Time // event time of the last of them

	late   queue // by Due
	behind queue // by the number of events that pass first
	order  int64 // breaks ties
}

// NewTransport returns a transport of the events of a simulator, which nobody
// else may use from then on.
func NewTransport(cfg TransportConfig, from *Simulator) (*Transport, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t := &Transport{from: from, chances: cfg.chances(), lateBy: cfg.LateBy}
	t.calm = t.chances == [numDisturbances]float64{}
	return t, nil
}

// Next fills in the next delivery and reports whether there was one. After the
// last event of the simulator, what is still on its way arrives.
func (t *Transport) Next(d *Delivery) bool {
	if t.calm {
		d.Disturbance, d.Bits = Undisturbed, 0
		ok := t.from.Next(&d.Event)
		d.Due = d.Reading.Time
		return ok
	}
	if !t.started {
		t.has, t.started = t.from.Next(&t.next), true
	}
	for {
		switch {
		case len(t.behind) > 0 && (!t.has || t.behind[0].rank <= t.passed):
			*d = heap.Pop(&t.behind).(*held).Delivery
			if d.Due = t.last; !t.last.After(d.Reading.Time) {
				d.Due = d.Reading.Time
				if d.Disturbance == OutOfOrder {
					d.Disturbance = Undisturbed // nothing came after it
				}
			}
			return true
		case len(t.late) > 0 && (!t.has || t.late[0].rank <= t.next.Reading.Time.UnixMilli()):
			*d = heap.Pop(&t.late).(*held).Delivery
			return true
		case !t.has:
			return false
		}
		*d = Delivery{Event: t.next, Due: t.next.Reading.Time}
		t.has = t.from.Next(&t.next)
		if t.send(d) {
			t.passed, t.last = t.passed+1, d.Due
			return true
		}
	}
}

// send decides on the fate of a reading and reports whether it arrives now.
func (t *Transport) send(d *Delivery) bool {
	key := keyOf(t.from.cfg.Seed, d.Reading.SensorID)
	at := d.Reading.Time.UnixMilli()
	u := unit(draw(key, streamTransport, at))
	bits := draw(key, streamTransport+1, at)
	fate := Undisturbed
	for f := Late; f < numDisturbances; f++ {
		if u < t.chances[f] {
			fate = f
			break
		}
		u -= t.chances[f]
	}
	overtaken := 1 + int64(bits%maxOvertaken)
	switch fate {
	case Late:
		d.Disturbance = Late
		d.Due = d.Due.Add(time.Duration(between(bits, 0.5, 1) * float64(t.lateBy)).Round(time.Millisecond))
		t.hold(&t.late, d, d.Due.UnixMilli())
		return false
	case OutOfOrder:
		d.Disturbance = OutOfOrder
		t.hold(&t.behind, d, t.passed+overtaken)
		return false
	case Duplicated:
		again := *d
		again.Disturbance = Duplicated
		t.hold(&t.behind, &again, t.passed+overtaken)
	case Malformed:
		d.Disturbance, d.Bits = Malformed, bits
	}
	return true
}

func (t *Transport) hold(q *queue, d *Delivery, rank int64) {
	t.order++
	heap.Push(q, &held{Delivery: *d, rank: rank, order: t.order})
}

type held struct {
	Delivery
	rank, order int64
}

// queue is a heap of deliveries, lowest rank first.
type queue []*held

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	if q[i].rank != q[j].rank {
		return q[i].rank < q[j].rank
	}
	return q[i].order < q[j].order
}
func (q *queue) Push(x any) { *q = append(*q, x.(*held)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
}
