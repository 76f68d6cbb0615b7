package carry

import (
	"strconv"

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
}

func laneOf(msg *service.Message) Lane {
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

// ByLane calls fn once for each lane of a batch with the indices of its items,
// in the order in which lanes first appear.
func ByLane(items []Item, fn func(lane Lane, indices []int) error) error {
	var order []Lane
	lanes := map[Lane][]int{}
	for i := range items {
		l := items[i].Lane
		if _, ok := lanes[l]; !ok {
			order = append(order, l)
		}
		lanes[l] = append(lanes[l], i)
	}
	for _, l := range order {
		if err := fn(l, lanes[l]); err != nil {
			return err
		}
	}
	return nil
}
