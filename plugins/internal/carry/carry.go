// Package carry lets messages carry what was decoded from them, so that each is
// decoded once on its way through a pipeline, and lets processors append derived
// messages, such as aggregates and anomalies, to the batch of their readings.
package carry

import (
	"errors"
	"sync"
	"time"
	"unsafe"

	"github.com/redpanda-data/benthos/v4/public/service"

	// The lint rules of plugins use functions that this package registers. They
	// are compiled when a plugin is registered, so it has to come before.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/internal/reading"
)

// MetaKind is the metadata key that tells derived messages and dead letters from
// readings, which do not have it.
const MetaKind = "buildmon_kind"

// MetaReason is the metadata key that says why a message is a dead letter.
const MetaReason = "buildmon_reason"

// The kinds of messages that are no readings.
const (
	KindAggregate    = "aggregate"
	KindAnomaly      = "anomaly"
	KindContinuation = "continuation" // of an event whose anomaly was reported before
	KindDeadLetter   = "dead_letter"
	KindTick         = "tick" // of a lane that has nothing to say: time goes on
)

// Item is what a message of a batch turned out to be.
type Item struct {
	// Reading is nil for derived messages and for messages with an error.
	Reading *reading.Reading

	// Err is a *reading.Error when the message is no acceptable reading, or the
	// error that an earlier processor left on it.
	Err error

	// Tick is the time up to which nothing more came, if the message says that and
	// nothing else.
	Tick time.Time

	// Lane is where the message came from.
	Lane Lane
}

// Decoder finds or decodes the readings of batches. It is safe for concurrent
// use.
type Decoder struct {
	pool sync.Pool
}

// NewDecoder returns a decoder that judges timestamps by the given clock.
func NewDecoder(now func() time.Time) *Decoder {
	return &Decoder{pool: sync.Pool{New: func() any { return reading.NewDecoder(now) }}}
}

// Batch returns one item for each message of the batch. A message that had to be
// decoded carries the result from then on; it is used as long as nobody changes
// the content. Messages that are no acceptable reading
// are marked as dead letters with the reason, so that pipelines can route them.
func (d *Decoder) Batch(batch service.MessageBatch) []Item {
	items := make([]Item, len(batch))
	dec := d.pool.Get().(*reading.Decoder)
	defer d.pool.Put(dec)

	for i, msg := range batch {
		if err := msg.GetError(); err != nil {
			items[i] = Item{Err: err, Lane: laneOf(msg)}
			continue
		}
		kind, marked := msg.MetaGet(MetaKind)
		if kind == KindTick {
			items[i] = tickOf(msg)
			continue
		}
		if marked && kind != KindDeadLetter {
			items[i] = Item{Lane: laneOf(msg)}
			continue
		}
		raw, err := msg.AsBytes()
		if err != nil {
			items[i] = Item{Err: err, Lane: laneOf(msg)}
			continue
		}
		if c := carriedBy(msg); c != nil && c.is(raw) {
			items[i] = c.value.(Item)
			continue
		}
		item := Item{Lane: laneOf(msg)}
		item.Reading, item.Err = dec.Decode(raw)
		if refused := (*reading.Error)(nil); errors.As(item.Err, &refused) {
			msg.MetaSetMut(MetaKind, KindDeadLetter)
			msg.MetaSetMut(MetaReason, string(refused.Reason))
		} else if marked { // mended since
			msg.MetaDelete(MetaKind)
			msg.MetaDelete(MetaReason)
		}
		carryWith(msg, item, raw)
		items[i] = item
	}
	return items
}

// usualBytes holds most readings, so that making one does not grow it bit by
// bit.
const usualBytes = 320

// NewReading returns a message with the wire format of r that carries r, for
// inputs that make readings rather than receive them.
func NewReading(r *reading.Reading) *service.Message {
	raw := r.AppendJSON(make([]byte, 0, usualBytes))
	msg := service.NewMessage(raw)
	carryWith(msg, Item{Reading: r}, raw)
	return msg
}

// Derive returns a message to append to the batch of from: it keeps the
// metadata of from, holds content, is marked with kind, and carries value for
// [Derived].
func Derive(from *service.Message, kind string, content []byte, value any) *service.Message {
	msg := from.Copy()
	msg.SetBytes(content)
	msg.MetaSetMut(MetaKind, kind)
	carryWith(msg, value, content)
	return msg
}

// Derived returns the kind of a derived message, or "" for others, and the value
// it carries, or nil if it carries none because it came from outside or because
// its content was changed.
func Derived(msg *service.Message) (kind string, value any) {
	kind, ok := msg.MetaGet(MetaKind)
	if !ok {
		return "", nil
	}
	raw, err := msg.AsBytes()
	if c := carriedBy(msg); err == nil && c != nil && c.is(raw) {
		return kind, c.value
	}
	return kind, nil
}

// metaCarried is the metadata key under which a message carries a value. The
// context of a message would not do: the host puts back the one that a message
// had before a processor.
const metaCarried = "buildmon_carried"

// carried is what a message carries and the content it belongs to.
type carried struct {
	value any
	raw   []byte
}

// Copy is what those see who ask for the metadata as text.
func (*carried) Copy() any { return "" }

// is tells whether the content is still what the value belongs to. Content is
// replaced, never written to, so it is the same if it lies at the same place;
// carried holds on to it, so the place is not used again.
func (c *carried) is(raw []byte) bool {
	return len(raw) == len(c.raw) && unsafe.SliceData(raw) == unsafe.SliceData(c.raw)
}

func carryWith(msg *service.Message, value any, raw []byte) {
	msg.MetaSetImmut(metaCarried, &carried{value: value, raw: raw})
}

func carriedBy(msg *service.Message) *carried {
	v, _ := msg.MetaGetImmut(metaCarried)
	c, _ := v.(*carried)
	return c
}
