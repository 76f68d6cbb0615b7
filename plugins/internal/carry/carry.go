// Package carry lets messages carry what was decoded from them, so that each is
// decoded once on its way through a pipeline, and lets processors append derived
// messages, such as aggregates and anomalies, to the batch of their readings.
package carry

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
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

	// Digest tells readings and ticks of different content apart while the process runs.
	Digest uint64
}

var digestSeed = maphash.MakeSeed()

// Decoder finds or decodes the readings of batches. It is safe for concurrent
// use.
type Decoder struct {
	now  func() time.Time
	pool sync.Pool // of *batchDecoder
}

// NewDecoder returns a decoder that judges timestamps by the given clock, at which it looks
// once for each batch.
func NewDecoder(now func() time.Time) *Decoder {
	return &Decoder{now: now, pool: sync.Pool{New: func() any {
		dec := &batchDecoder{}
		dec.Decoder = reading.NewDecoder(func() time.Time { return dec.began })
		return dec
	}}}
}

// batchDecoder decodes the messages of one batch after the other.
type batchDecoder struct {
	*reading.Decoder
	began time.Time // when it began with the batch
}

// Batch returns one item for each message of the batch, for reading only. A message
// that had to be decoded carries the result from then on; it is used as long as nobody
// changes the content. Messages that are no acceptable reading are marked as dead letters
// with the reason, so that pipelines can route them.
func (d *Decoder) Batch(batch service.MessageBatch) []*Item {
	items := make([]*Item, len(batch))
	var fresh *decoding // of the messages that carry nothing yet
	var last *content   // of the messages that carry something
	for i, msg := range batch {
		if err := msg.GetError(); err != nil {
			items[i] = &Item{Err: err, Lane: laneOf(msg)}
			continue
		}
		raw, err := msg.AsBytes()
		if err != nil {
			items[i] = &Item{Err: err, Lane: laneOf(msg)}
			continue
		}
		// Messages mostly follow each other as they did when they were decoded, and this
		// is a glance where asking for metadata is a lookup.
		if next := last.following(); len(raw) > 0 && next.isOf(raw) {
			items[i], last = next.value.(*Item), next
			continue
		}
		c := carriedBy(msg)
		if have := c.of(raw); have != nil {
			if item, ok := have.value.(*Item); ok {
				items[i], last = item, have
			} else {
				items[i] = &Item{Lane: laneOf(msg)}
			}
			continue
		}
		kind, marked := msg.MetaGet(MetaKind)
		if kind == KindTick {
			items[i] = tickOf(msg)
			continue
		}
		if marked && kind != KindDeadLetter {
			items[i] = &Item{Lane: laneOf(msg)}
			continue
		}
		if fresh == nil {
			fresh = newDecoding(len(batch) - i)
			dec := d.pool.Get().(*batchDecoder)
			defer d.pool.Put(dec)
			dec.began = d.now()
			fresh.dec = dec
		}
		item := fresh.decode(raw, c.from(msg))
		if refused := (*reading.Error)(nil); errors.As(item.Err, &refused) {
			msg.MetaSetMut(MetaKind, KindDeadLetter)
			msg.MetaSetMut(MetaReason, string(refused.Reason))
		} else if marked { // mended since
			msg.MetaDelete(MetaKind)
			msg.MetaDelete(MetaReason)
		}
		items[i] = fresh.carryWith(msg, c, item, raw)
	}
	return items
}

// decoding makes what the messages of one batch will carry. The parts of a batch
// share their memory: they are kept and dropped together.
type decoding struct {
	dec      *batchDecoder
	readings []reading.Reading
	items    []Item
	contents []content
	last     *content
}

func newDecoding(most int) *decoding {
	return &decoding{readings: make([]reading.Reading, most), items: make([]Item, most), contents: make([]content, most)}
}

func (d *decoding) decode(raw []byte, lane Lane) *Item {
	r, item := &d.readings[0], &d.items[0]
	d.readings, d.items = d.readings[1:], d.items[1:]
	item.Lane, item.Digest = lane, maphash.Bytes(digestSeed, raw)
	if item.Err = d.dec.DecodeTo(r, raw); item.Err == nil {
		item.Reading = r
	}
	return item
}

// carryWith lets a message carry an item, and returns the one that it carries: there
// are copies of messages, and whoever decodes one of them first decodes for all.
func (d *decoding) carryWith(msg *service.Message, c *carried, item *Item, raw []byte) *Item {
	made := &d.contents[0]
	d.contents = d.contents[1:]
	made.value, made.raw = item, raw
	if c == nil || !c.now.CompareAndSwap(nil, made) {
		if have := c.of(raw); have != nil {
			return have.value.(*Item)
		}
		carryContent(msg, c, made)
	}
	if d.last != nil {
		d.last.next.Store(made)
	}
	d.last = made
	return item
}

// usualBytes holds most readings, so that making one does not grow it bit by
// bit.
const usualBytes = 320

// NewReading returns a message with the wire format of r that carries r, for
// inputs that make readings rather than receive them.
func NewReading(r *reading.Reading) *service.Message {
	raw := r.AppendJSON(make([]byte, 0, usualBytes))
	msg := service.NewMessage(raw)
	carryWith(msg, &Item{Reading: r, Digest: maphash.Bytes(digestSeed, raw)}, raw)
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
	if err != nil {
		return kind, nil
	}
	if have := carriedBy(msg).of(raw); have != nil {
		value = have.value
	}
	return kind, value
}

// metaCarried is the metadata key under which a message carries a value. The
// context of a message would not do: the host puts back the one that a message
// had before a processor.
const metaCarried = "buildmon_carried"

// carried is what a message carries. A message of a lane carries it from the
// beginning, and copies of the message share it. It is safe for concurrent use.
type carried struct {
	now  atomic.Pointer[content]
	lane *Lane // where the message is from, if its source has said so
}

// content is what was made of the content of a message.
type content struct {
	value any // *Item, or what a derived message stands for
	raw   []byte
	next  atomic.Pointer[content] // that was decoded after it, an *Item too
}

// Copy is what those see who ask for the metadata as text.
func (*carried) Copy() any { return "" }

// of returns what was made of the content, or nil if that was of another one.
func (c *carried) of(raw []byte) *content {
	if c != nil {
		if have := c.now.Load(); have.isOf(raw) {
			return have
		}
	}
	return nil
}

// isOf tells whether it was made of raw. Content is replaced, never written to, so it is
// the same if it lies at the same place; it is held on to, so the place is not used again.
func (c *content) isOf(raw []byte) bool {
	return c != nil && len(raw) == len(c.raw) && unsafe.SliceData(raw) == unsafe.SliceData(c.raw)
}

func (c *content) following() *content {
	if c == nil {
		return nil
	}
	return c.next.Load()
}

func carryWith(msg *service.Message, value any, raw []byte) {
	carryContent(msg, carriedBy(msg), &content{value: value, raw: raw})
}

// carryContent lets a message carry something else than its copies.
func carryContent(msg *service.Message, before *carried, made *content) {
	c := &carried{}
	if before != nil {
		c.lane = before.lane
	}
	c.now.Store(made)
	msg.MetaSetImmut(metaCarried, c)
}

func carriedBy(msg *service.Message) *carried {
	v, _ := msg.MetaGetImmut(metaCarried)
	c, _ := v.(*carried)
	return c
}
