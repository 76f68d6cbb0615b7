package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/testkafka"
)

// runStream runs a stream until done is closed, and then stops it.
func runStream(t *testing.T, builder *service.StreamBuilder, done <-chan struct{}) {
	t.Helper()
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	select {
	case <-done:
	case err := <-ended:
		t.Fatalf("the stream ended by itself: %v", err)
	case <-within(t, soon).Done():
		t.Error("the stream is not done in time")
	}
	require.NoError(t, stream.Stop(within(t, soon)))
	require.NoError(t, <-ended)
}

func newBuilder(t *testing.T) *service.StreamBuilder {
	t.Helper()
	builder := service.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML(`level: "off"`))
	return builder
}

// An output that refuses batches at random, behind several threads that take
// their time, gets every message, and each partition in its order.
func TestStreamKeepsOrderThroughThreadsAndRefusals(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const partitions, records = 4, 300
		topic := testkafka.Topic(t, brokers, partitions)
		for p := range int32(partitions) {
			seed(t, brokers, topic, p, records)
		}
		builder := newBuilder(t)
		builder.SetThreads(4)
		require.NoError(t, builder.AddInputYAML(fmt.Sprintf(`
kafka:
  seed_brokers: [ %q ]
  topics: [ %s ]
  consumer_group: %s
  batch_count: 20
`, brokers[0], topic, topic)))
		require.NoError(t, builder.AddProcessorYAML(`sleep: { duration: '${! if random_int(max: 3) == 0 { "5ms" } else { "0s" } }' }`))

		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(3, 4))
		next := map[int]int{}
		total := 0
		done := make(chan struct{})
		require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			mu.Lock()
			defer mu.Unlock()
			if rng.IntN(10) == 0 {
				return errRefused
			}
			for _, msg := range batch {
				p := metaInt(t, msg, metaPartition)
				if got := metaInt(t, msg, metaOffset); got != next[p] {
					t.Errorf("offset %d of partition %d, want %d", got, p, next[p])
				}
				next[p]++
				total++
			}
			if total == partitions*records {
				close(done)
			}
			return nil
		}))
		runStream(t, builder, done)
		for p := range int32(partitions) {
			require.Equal(t, records, committed(t, brokers, topic, topic, p), "a stopped stream has committed all")
		}
	})
}

func TestStreamFromTopicToTopic(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const partitions, records = 3, 400
		from := testkafka.Topic(t, brokers, partitions)
		to := testkafka.Topic(t, brokers, 2)
		for p := range int32(partitions) {
			seed(t, brokers, from, p, records)
		}
		builder := newBuilder(t)
		builder.SetThreads(3)
		require.NoError(t, builder.AddInputYAML(fmt.Sprintf(`
kafka:
  seed_brokers: [ %q ]
  topics: [ %s ]
  consumer_group: %s
  batch_count: 50
`, brokers[0], from, from)))
		require.NoError(t, builder.AddOutputYAML(fmt.Sprintf(`
kafka:
  seed_brokers: [ %q ]
  topic: %s
  key: ${! @kafka_partition }
  metadata:
    include_prefixes: [ kafka_ ]
`, brokers[0], to)))

		// Each partition of the first topic is a key in the second, so its order
		// holds there.
		done := make(chan struct{})
		next := map[string]int{}
		go func() {
			defer close(done)
			client := testkafka.Client(t, brokers, kgo.ConsumeTopics(to))
			for seen := 0; seen < partitions*records; {
				fetches := client.PollFetches(within(t, soon))
				if err := fetches.Err0(); err != nil {
					t.Error(err)
					return
				}
				for _, r := range fetches.Records() {
					key := string(r.Key)
					if want := fmt.Sprintf("%s:%d", key, next[key]); string(r.Value) != want {
						t.Errorf("got %q, want %q", r.Value, want)
					}
					next[key]++
					seen++
				}
			}
		}()
		runStream(t, builder, done)
		require.Equal(t, map[string]int{"0": records, "1": records, "2": records}, next)
	})
}

func TestStreamRefusesWrongConfigs(t *testing.T) {
	require.ErrorContains(t, newBuilder(t).AddInputYAML(`
kafka:
  seed_brokers: [ localhost ]
  topics: [ sensors ]
  consumer_group: buildmon
  batch_count: 0
`), "must be 1 to 100000, got 0")
}
