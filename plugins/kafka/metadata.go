package kafka

import (
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/plugins/internal/carry"
)

// Metadata of each message, named as in Redpanda Connect; kafka_epoch is ours.
const (
	metaTopic     = "kafka_topic"
	metaPartition = "kafka_partition"
	metaOffset    = "kafka_offset"
	metaKey       = "kafka_key"
	metaTimestamp = "kafka_timestamp_unix"
	metaEpoch     = "kafka_epoch"
)

// metadata holds the values that all messages of a lane share, as the interface
// values that messages keep, so that they are allocated once for the lane.
type metadata struct {
	topic, partition, epoch any
}

func newMetadata(s source, epoch int64) metadata {
	return metadata{topic: s.topic, partition: int(s.partition), epoch: int(epoch)}
}

// tick says that nothing was left at that time.
func (m metadata) tick(at time.Time) *service.Message {
	msg := carry.NewTick(at)
	msg.MetaSetMut(metaTopic, m.topic)
	msg.MetaSetMut(metaPartition, m.partition)
	msg.MetaSetMut(metaEpoch, m.epoch)
	return msg
}

func (m metadata) message(r *kgo.Record) *service.Message {
	msg := service.NewMessage(r.Value)
	// Headers come first, so that none can pass for one of our own keys.
	for i := range r.Headers {
		msg.MetaSetMut(r.Headers[i].Key, string(r.Headers[i].Value))
	}
	if r.Key != nil {
		msg.MetaSetMut(metaKey, string(r.Key))
	} else if len(r.Headers) > 0 {
		msg.MetaDelete(metaKey)
	}
	msg.MetaSetMut(metaTopic, m.topic)
	msg.MetaSetMut(metaPartition, m.partition)
	msg.MetaSetMut(metaOffset, int(r.Offset))
	msg.MetaSetMut(metaTimestamp, int(r.Timestamp.Unix()))
	msg.MetaSetMut(metaEpoch, m.epoch)
	return msg
}
