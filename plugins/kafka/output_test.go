package kafka

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"buildmon/internal/testkafka"
)

func openOutput(t *testing.T, brokers []string, fields ...string) *output {
	t.Helper()
	conf, err := outputSpec().ParseYAML(fmt.Sprintf("seed_brokers: [ %q ]\n%s", strings.Join(brokers, ","), strings.Join(fields, "\n")), nil)
	require.NoError(t, err)
	out, err := newOutputFromConfig(conf, service.MockResources())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.Close(context.Background())) })
	require.NoError(t, out.Connect(within(t, soon)))
	return out
}

func message(value string, meta ...string) *service.Message {
	msg := service.NewMessage([]byte(value))
	for i := 0; i+1 < len(meta); i += 2 {
		msg.MetaSetMut(meta[i], meta[i+1])
	}
	return msg
}

// stored reads n records of a topic, and no more if there are more.
func stored(t *testing.T, brokers []string, topic string, n int) []*kgo.Record {
	t.Helper()
	client := testkafka.Client(t, brokers, kgo.ConsumeTopics(topic))
	var out []*kgo.Record
	for len(out) < n {
		fetches := client.PollFetches(within(t, soon))
		require.NoError(t, fetches.Err0())
		out = append(out, fetches.Records()...)
	}
	return out
}

// failures returns the errors of a batch by the index of their messages.
func failures(t *testing.T, indexer *service.Indexer, err error) map[int]error {
	t.Helper()
	var batchErr *service.BatchError
	require.ErrorAs(t, err, &batchErr)
	out := map[int]error{}
	batchErr.WalkMessagesIndexedBy(indexer, func(i int, _ *service.Message, err error) bool {
		if err != nil {
			out[i] = err
		}
		return true
	})
	return out
}

func TestOutputKeepsTheOrderOfAKey(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const sensors, readings = 20, 100
		topic := testkafka.Topic(t, brokers, 4)
		out := openOutput(t, brokers, "topic: "+topic, `key: ${! @sensor }`, "linger: 0s")
		for batches := range 2 {
			var batch service.MessageBatch
			for i := range readings / 2 {
				for s := range sensors {
					batch = append(batch, message(strconv.Itoa(batches*readings/2+i), "sensor", fmt.Sprint("s", s)))
				}
			}
			require.NoError(t, out.WriteBatch(within(t, soon), batch))
		}
		next := map[string]int{}
		partition := map[string]int32{}
		for _, r := range stored(t, brokers, topic, sensors*readings) {
			key := string(r.Key)
			require.Equal(t, strconv.Itoa(next[key]), string(r.Value))
			if next[key] == 0 {
				partition[key] = r.Partition
			}
			require.Equal(t, partition[key], r.Partition)
			next[key]++
		}
		require.Len(t, next, sensors)
	})
}

func TestOutputSendsHeadersKeysAndTopicsOfMessages(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		out := openOutput(t, brokers, `topic: ${! @to.or("") }`, `key: ${! @key.or("") }`, "metadata: { include_prefixes: [ source_ ] }")
		batch := service.MessageBatch{
			message("a", "to", topic, "key", "k", "source_roof", "1", "source_door", "2", "other", "3"),
			message("b", "to", topic),
			message("c"),
		}
		indexer := batch.Index()
		failed := failures(t, indexer, out.WriteBatch(within(t, soon), batch))
		require.Len(t, failed, 1)
		require.EqualError(t, failed[2], "the topic of a message is empty")

		records := stored(t, brokers, topic, 2)
		require.Equal(t, "k", string(records[0].Key))
		require.Equal(t, []kgo.RecordHeader{{Key: "source_door", Value: []byte("2")}, {Key: "source_roof", Value: []byte("1")}}, records[0].Headers)
		require.Nil(t, records[1].Key)
		require.Empty(t, records[1].Headers)
	})
}

func TestOutputCompresses(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		for name := range compressions {
			topic := testkafka.Topic(t, brokers, 1)
			out := openOutput(t, brokers, "topic: "+topic, "compression: "+name)
			value := strings.Repeat("temperature", 1000)
			require.NoError(t, out.WriteBatch(within(t, soon), service.MessageBatch{message(value)}))
			r := stored(t, brokers, topic, 1)[0]
			require.Equal(t, value, string(r.Value))
			// Codes of the attribute of a record batch, as Kafka numbers them.
			require.EqualValues(t, map[string]int{"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}[name], r.Attrs.CompressionType(), name)
		}
	})
}

func TestOutputCreatesMissingTopics(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Name(t)
		admin := kadm.NewClient(testkafka.Client(t, brokers))
		t.Cleanup(func() { _, _ = admin.DeleteTopics(context.Background(), topic) })

		// Several at once, as several threads meet a new topic.
		var wg sync.WaitGroup
		for range 4 {
			out := openOutput(t, brokers, "topic: "+topic, "create_topic: { partitions: 5, replication_factor: 1 }")
			wg.Go(func() {
				err := out.WriteBatch(within(t, soon), service.MessageBatch{message("a")})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, stored(t, brokers, topic, 4), 4)
		details, err := admin.ListTopics(within(t, soon), topic)
		require.NoError(t, err)
		require.Len(t, details[topic].Partitions, 5)
	})
}

// Somebody else creates the topic between the look and the creation.
func TestOutputTakesATopicThatSomebodyElseCreates(t *testing.T) {
	cluster := testkafka.StartCluster(t, kfake.SeedTopics(2, "sensors"))
	out := openOutput(t, cluster.ListenAddrs(), "topic: sensors", "create_topic: { partitions: 5, replication_factor: 1 }")
	unseen := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "sensors", Err: kerr.UnknownTopicOrPartition})
	require.NoError(t, out.WriteBatch(within(t, soon), service.MessageBatch{message("a")}))
	require.Equal(t, 1, unseen.Hits())
}

func TestOutputNamesAMissingTopic(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Name(t)
		out := openOutput(t, brokers, "topic: "+topic, "timeout: 20s")
		err := out.WriteBatch(within(t, soon), service.MessageBatch{message("a"), message("b")})
		require.ErrorContains(t, err, fmt.Sprintf("2 of 2 messages failed, the first: writing to topic %q: UNKNOWN_TOPIC_OR_PARTITION", topic))
		require.ErrorContains(t, err, "create it or set create_topic")

		testkafka.CreateTopic(t, brokers, topic, 1)
		require.Eventually(t, func() bool {
			return out.WriteBatch(within(t, soon), service.MessageBatch{message("a")}) == nil
		}, soon, 100*time.Millisecond)
	})
}

func random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(rand.UintN(26))
	}
	return string(b)
}

func TestOutputRefusesOnlyWhatIsTooLarge(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1, "max.message.bytes", "100000")
		out := openOutput(t, brokers, "topic: "+topic, "compression: none")

		// Together the small ones are several times what the topic takes.
		var batch service.MessageBatch
		for range 40 {
			batch = append(batch, message(random(10_000)))
		}
		batch[7] = message(random(200_000))
		indexer := batch.Index()
		failed := failures(t, indexer, out.WriteBatch(within(t, soon), batch))
		require.Len(t, failed, 1)
		require.ErrorContains(t, failed[7], fmt.Sprintf("writing a message of 200000 bytes to topic %q, which takes at most 100000: MESSAGE_TOO_LARGE", topic))
		require.ErrorContains(t, failed[7], "raise max.message.bytes of the topic or max_message_bytes")
		require.Len(t, stored(t, brokers, topic, 39), 39)
	})
}

func TestOutputWritesLargeMessages(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1, "max.message.bytes", "20000000")
		value := random(10 << 20)
		out := openOutput(t, brokers, "topic: "+topic)
		require.NoError(t, out.WriteBatch(within(t, soon), service.MessageBatch{message("small"), message(value)}))
		require.True(t, bytes.Equal([]byte(value), stored(t, brokers, topic, 2)[1].Value))

		limited := openOutput(t, brokers, "topic: "+topic, "max_message_bytes: 2000000")
		err := limited.WriteBatch(within(t, soon), service.MessageBatch{message(value)})
		require.ErrorContains(t, err, "which takes at most 2000000")
	})
}

func TestOutputLosesNothingWhileTheBrokerIsAway(t *testing.T) {
	dir, port := t.TempDir(), testkafka.Port(t)
	start := func() *kfake.Cluster {
		return testkafka.StartCluster(t, kfake.Ports(port), kfake.DataDir(dir))
	}
	cluster := start()
	brokers := cluster.ListenAddrs()
	require.NoError(t, cluster.CreateTopic("sensors", 1, nil))
	out := openOutput(t, brokers, "topic: sensors", "timeout: 1s")
	require.NoError(t, out.WriteBatch(within(t, soon), service.MessageBatch{message("a")}))

	cluster.Close()
	require.ErrorIs(t, out.WriteBatch(within(t, soon), service.MessageBatch{message("b")}), service.ErrNotConnected)
	require.ErrorContains(t, out.Connect(within(t, soon)), "connecting to kafka at "+out.conn.String())

	start()
	require.Eventually(t, func() bool { return out.Connect(within(t, soon)) == nil }, soon, 50*time.Millisecond)
	// The client may pause longer than the short timeout of this test.
	require.Eventually(t, func() bool {
		return out.WriteBatch(within(t, soon), service.MessageBatch{message("b")}) == nil
	}, soon, 50*time.Millisecond)
	var values []string
	for _, r := range stored(t, brokers, "sensors", 2) {
		values = append(values, string(r.Value))
	}
	// An attempt that took too long may have arrived all the same.
	require.Equal(t, []string{"a", "b"}, slices.Compact(values))
}

func TestOutputEndsWithItsContext(t *testing.T) {
	t.Cleanup(func() { noneLeft(t) })
	cluster := testkafka.StartCluster(t, kfake.SeedTopics(1, "sensors"))
	out := openOutput(t, cluster.ListenAddrs(), "topic: sensors")
	require.NoError(t, out.WriteBatch(within(t, soon), service.MessageBatch{message("a")}))
	cluster.Close()

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- out.WriteBatch(ctx, service.MessageBatch{message("b")}) }()
	require.Never(t, func() bool { return len(result) > 0 }, 200*time.Millisecond, 50*time.Millisecond)
	cancel()
	select {
	case err := <-result:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(soon):
		t.Fatal("WriteBatch did not end with its context")
	}
	require.NoError(t, out.Close(context.Background()))
	require.ErrorIs(t, out.WriteBatch(context.Background(), service.MessageBatch{message("c")}), service.ErrNotConnected)
}

func TestOutputAuthenticates(t *testing.T) {
	check := func(t *testing.T, brokers []string) {
		openOutput(t, brokers, "topic: sensors", "sasl: { mechanism: SCRAM-SHA-512, username: "+testkafka.User+", password: "+testkafka.Password+" }")
	}
	t.Run("kfake", func(t *testing.T) {
		check(t, testkafka.Start(t, kfake.EnableSASL(), kfake.Superuser(mechanismScramSHA512, testkafka.User, testkafka.Password)))
	})
	t.Run("real", func(t *testing.T) { check(t, testkafka.RealSASL(t)) })
}
