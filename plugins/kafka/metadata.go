package kafka

import (
	"strconv"
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

// metadata holds what all messages of a lane share.
type metadata struct {
	topic, partition, epoch any
	lane                    *carry.Lane
}

func newMetadata(s source, epoch int64) metadata {
	return metadata{
		topic: s.topic, partition: int(s.partition), epoch: int(epoch),
		lane: carry.NewLane(s.topic+"/"+strconv.Itoa(int(s.partition)), strconv.FormatInt(epoch, 10)),
	}
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
		msg.MetaSetImmut(metaKey, (*recordKey)(r))
	} else if len(r.Headers) > 0 {
		msg.MetaDelete(metaKey)
	}
	msg.MetaSetMut(metaTopic, m.topic)
	msg.MetaSetMut(metaPartition, m.partition)
	msg.MetaSetImmut(metaOffset, (*recordOffset)(r))
	msg.MetaSetImmut(metaTimestamp, (*recordTimestamp)(r))
	msg.MetaSetMut(metaEpoch, m.epoch)
	return msg
}

// What only some pipelines ask for is read from the record when they ask, and costs
// the others nothing.
type (
	recordKey       kgo.Record
	recordOffset    kgo.Record
	recordTimestamp kgo.Record
)

func (r *recordKey) Copy() any       { return string(r.Key) }
func (r *recordOffset) Copy() any    { return int(r.Offset) }
func (r *recordTimestamp) Copy() any { return int(r.Timestamp.Unix()) }
