package carry

import (
	"context"
	"strconv"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Metadata that the kafka input sets and that together tell where a message
// came from.
const (
	MetaTopic     = "kafka_topic"
	MetaPartition = "kafka_partition"
	MetaOffset    = "kafka_offset"
	MetaEpoch     = "kafka_epoch"
)

// Lane is a source whose messages come in order: a Kafka partition, or all that
// comes from anywhere else. Processors keep their state per lane, so results do
// not depend on how lanes interleave.
type Lane struct {
	// Name is "topic/partition", or empty for sources without partitions.
	Name string

	// Epoch changes whenever the partition is assigned anew; state of an older
	// epoch may have been overtaken by another process.
	Epoch string

	end *ending // nil of a lane whose source does not say when it ends
}

// ending is what is to be done when a lane ends.
type ending struct {
	mu   sync.Mutex
	over bool
	todo []func(ctx context.Context, settled bool)
}

// NewLane returns a lane that its source will end.
func NewLane(name, epoch string) *Lane { return &Lane{Name: name, Epoch: epoch, end: &ending{}} }

// AtEnd lets do be called when the lane ends, or at once if it has. If it is settled then,
// nothing that came of it will come again, and another process may have what follows as
// soon as do returns: that is the time to save what was learned. Else the lane may belong
// to another process already, and do must not wait for a batch of it. It is safe for
// concurrent use.
func (l Lane) AtEnd(do func(ctx context.Context, settled bool)) {
	if l.end == nil {
		return
	}
	l.end.mu.Lock()
	over := l.end.over
	if !over {
		l.end.todo = append(l.end.todo, do)
	}
	l.end.mu.Unlock()
	if over {
		do(context.Background(), false)
	}
}

// End is for the source of the lane.
func (l Lane) End(ctx context.Context, settled bool) {
	l.end.mu.Lock()
	todo := l.end.todo
	l.end.over, l.end.todo = true, nil
	l.end.mu.Unlock()
	for _, do := range todo {
		do(ctx, settled)
	}
}

func (l Lane) is(other Lane) bool { return l.Name == other.Name && l.Epoch == other.Epoch }

// Begin lets the messages of a lane know it. Sources that know their lane spare all
// others to look it up for each message.
func (l *Lane) Begin(batch service.MessageBatch) {
	carriers := make([]carried, len(batch))
	for i, msg := range batch {
		carriers[i].lane = l
		msg.MetaSetImmut(metaCarried, &carriers[i])
	}
}

func laneOf(msg *service.Message) Lane { return carriedBy(msg).from(msg) }

// from is where a message is from that carries this.
func (c *carried) from(msg *service.Message) Lane {
	if c != nil && c.lane != nil {
		return *c.lane
	}
	topic, ok := msg.MetaGet(MetaTopic)
	if !ok {
		return Lane{}
	}
	partition, _ := msg.MetaGet(MetaPartition)
	epoch, _ := msg.MetaGet(MetaEpoch)
	return Lane{Name: topic + "/" + partition, Epoch: epoch}
}

// Position is the place of a message in its lane, for people who look for it:
// "topic/partition/offset", or empty for sources without positions.
func Position(msg *service.Message) string {
	lane := laneOf(msg)
	offset, ok := msg.MetaGet(MetaOffset)
	if !ok || lane.Name == "" {
		return ""
	}
	if _, err := strconv.ParseInt(offset, 10, 64); err != nil {
		return ""
	}
	return lane.Name + "/" + offset
}

// Part is what a batch has of one lane.
type Part struct {
	Lane    Lane
	Indices []int // of its items

	// Digest tells parts of other readings and ticks apart while the process runs.
	Digest uint64
}

// ByLane divides the items of a batch by lanes, in the order in which these first appear.
func ByLane(items []*Item) (parts []Part) {
	find := func(lane Lane) int {
		for i := range parts {
			if parts[i].Lane.is(lane) {
				return i
			}
		}
		p := Part{Lane: lane}
		if len(parts) == 0 { // most batches are of one lane
			p.Indices = make([]int, 0, len(items))
		}
		parts = append(parts, p)
		return len(parts) - 1
	}
	last := 0
	for i, item := range items {
		if i == 0 || !item.Lane.is(parts[last].Lane) {
			last = find(item.Lane)
		}
		p := &parts[last]
		p.Indices = append(p.Indices, i)
		p.Digest = (p.Digest ^ item.Digest) * 1099511628211 // the prime of FNV-1a
	}
	for i := range parts {
		parts[i].Digest ^= uint64(len(parts[i].Indices))
	}
	return parts
}
