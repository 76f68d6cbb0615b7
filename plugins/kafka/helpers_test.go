package kafka

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"buildmon/internal/testkafka"
	"buildmon/plugins/internal/carry"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// soon bounds everything that has to happen in the end.
const soon = 30 * time.Second

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// noneLeft requires that nothing goes on, in the end, that options do not leave out.
func noneLeft(t *testing.T, options ...goleak.Option) {
	t.Helper()
	ctx := within(t, soon)
	err := goleak.Find(options...) // has a little patience of its own
	for err != nil && ctx.Err() == nil {
		err = goleak.Find(options...)
	}
	require.NoError(t, err)
}

// inputYAML is a config of the input; more are lines of further fields.
func inputYAML(brokers []string, topic, group string, more ...string) string {
	return fmt.Sprintf("seed_brokers: [ %q ]\ntopics: [ %q ]\nconsumer_group: %q\n%s",
		strings.Join(brokers, ","), topic, group, strings.Join(more, "\n"))
}

func newInput(t *testing.T, yaml string) *input {
	t.Helper()
	conf, err := inputSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	in, err := newInputFromConfig(conf, service.MockResources())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, in.Close(context.Background())) })
	return in
}

func openInput(t *testing.T, yaml string) *input {
	t.Helper()
	in := newInput(t, yaml)
	require.NoError(t, in.Connect(within(t, soon)))
	return in
}

// closeSoon closes an input, which must not wait for a rebalance_timeout.
func closeSoon(t *testing.T, in *input) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- in.Close(context.Background()) }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(soon):
		t.Fatal("still closing")
	}
}

// got is a batch that was read.
type got struct {
	partition int
	epoch     int
	offsets   []int
	batch     service.MessageBatch
	ack       service.AckFunc
}

// answer acks with nil and nacks otherwise.
func (g got) answer(t *testing.T, err error) {
	t.Helper()
	require.NoError(t, g.ack(context.Background(), err))
}

// ends counts how often a lane ends.
type ends struct{ settled, unsettled atomic.Int32 }

// end counts how often the lane of a batch ends.
func (g got) end() *ends {
	var n ends
	carry.NewDecoder(time.Now).Batch(g.batch)[0].Lane.AtEnd(func(_ context.Context, settled bool) {
		if settled {
			n.settled.Add(1)
		} else {
			n.unsettled.Add(1)
		}
	})
	return &n
}

func (g got) last() int { return g.offsets[len(g.offsets)-1] }

// read returns the next batch, of which all messages are of one partition and
// have consecutive offsets.
func read(t *testing.T, in *input) got {
	t.Helper()
	g, err := tryRead(t, in, soon)
	require.NoError(t, err)
	return g
}

func tryRead(t *testing.T, in *input, d time.Duration) (got, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	batch, ack, err := in.ReadBatch(ctx)
	if err != nil {
		return got{}, err
	}
	require.NotEmpty(t, batch)
	g := got{partition: metaInt(t, batch[0], metaPartition), epoch: metaInt(t, batch[0], metaEpoch), batch: batch, ack: ack}
	for i, msg := range batch {
		require.Equal(t, g.partition, metaInt(t, msg, metaPartition))
		require.Equal(t, g.epoch, metaInt(t, msg, metaEpoch))
		g.offsets = append(g.offsets, metaInt(t, msg, metaOffset))
		if i > 0 {
			require.Equal(t, g.offsets[i-1]+1, g.offsets[i])
		}
	}
	return g, nil
}

// quiet requires that nothing is handed out for a while.
func quiet(t *testing.T, in *input, d time.Duration) {
	t.Helper()
	_, err := tryRead(t, in, d)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func metaInt(t *testing.T, msg *service.Message, key string) int {
	t.Helper()
	v, ok := msg.MetaGetMut(key)
	require.True(t, ok, key)
	require.IsType(t, 0, v, key)
	return v.(int)
}

// seed appends n records to a partition, with values "<partition>:<i>".
func seed(t *testing.T, brokers []string, topic string, partition int32, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "%d:%d", partition, i)})
	}
	seedRecords(t, brokers, records...)
}

func seedRecords(t *testing.T, brokers []string, records ...*kgo.Record) {
	t.Helper()
	client := testkafka.Client(t, brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(64<<20))
	require.NoError(t, client.ProduceSync(within(t, soon), records...).FirstErr())
}

// committed returns the committed offset of a partition, or -1.
func committed(t *testing.T, brokers []string, group, topic string, partition int32) int {
	t.Helper()
	offsets, err := kadm.NewClient(testkafka.Client(t, brokers)).FetchOffsets(within(t, soon), group)
	require.NoError(t, err)
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return -1
	}
	return int(o.At)
}
