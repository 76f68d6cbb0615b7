package carry

import (
	"hash/maphash"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
)

// BadTick is the reason for ticks that do not say a time.
const BadTick reading.Reason = "bad_tick"

// NewTick returns a message that says that nothing more came up to a time, for
// inputs that know. Processors are called with messages only; without it those that
// wait for something would not be called when nothing comes at all.
func NewTick(at time.Time) *service.Message {
	msg := service.NewMessage(at.UTC().AppendFormat(nil, time.RFC3339Nano))
	msg.MetaSetMut(MetaKind, KindTick)
	return msg
}

func tickOf(msg *service.Message) *Item {
	item := &Item{Lane: laneOf(msg)}
	raw, err := msg.AsBytes()
	if err == nil {
		item.Tick, err = time.Parse(time.RFC3339Nano, string(raw))
		item.Digest = maphash.Bytes(digestSeed, raw)
	}
	if err != nil {
		item.Err = &reading.Error{Reason: BadTick, Detail: "a tick holds a time in RFC 3339 and nothing else: " + err.Error()}
	}
	return item
}
