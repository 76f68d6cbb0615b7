package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"buildmon/internal/testkafka"
	"buildmon/plugins/internal/carry"
)

var errRefused = errors.New("refused by the test")

func TestInputReadsPartitionsInOrderOneBatchAtATime(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const partitions, records = 3, 500
		topic := testkafka.Topic(t, brokers, partitions)
		for p := range int32(partitions) {
			seed(t, brokers, topic, p, records)
		}
		in := openInput(t, inputYAML(brokers, topic, topic, "batch_count: 7"))

		rng := rand.New(rand.NewPCG(1, 2))
		next := map[int]int{}
		underWay := map[int]got{}
		for count := 0; count < partitions*records; {
			// Read until there is nothing left to hand out, then answer any one,
			// as an output would of which some calls are slow.
			for range partitions - len(underWay) - ended(next, underWay, records) {
				g := read(t, in)
				require.NotContains(t, underWay, g.partition)
				require.Equal(t, next[g.partition], g.offsets[0])
				require.LessOrEqual(t, len(g.offsets), 7)
				underWay[g.partition] = g
				next[g.partition] = g.last() + 1
				count += len(g.offsets)
			}
			for _, p := range rng.Perm(partitions) {
				if g, ok := underWay[p]; ok {
					delete(underWay, p)
					g.answer(t, nil)
					break
				}
			}
		}
		require.Equal(t, map[int]int{0: records, 1: records, 2: records}, next)
	})
}

// ended counts the partitions that have no batch under way and none to come.
func ended(next map[int]int, underWay map[int]got, records int) int {
	n := 0
	for p, o := range next {
		if _, ok := underWay[p]; !ok && o == records {
			n++
		}
	}
	return n
}

func TestInputHandsOutNoSecondBatchOfAPartition(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, 10)
		in := openInput(t, inputYAML(brokers, topic, topic, "batch_count: 4"))

		first := read(t, in)
		quiet(t, in, time.Second)
		first.answer(t, nil)
		second := read(t, in)
		require.Equal(t, first.last()+1, second.offsets[0])
		quiet(t, in, 100*time.Millisecond)
	})
}

func TestInputSetsMetadata(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		at := time.Unix(1_767_605_400, 0)
		seedRecords(t, brokers,
			&kgo.Record{
				Topic: topic, Key: []byte("room-1"), Value: []byte("a"), Timestamp: at,
				Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("roof")}, {Key: metaEpoch, Value: []byte("forged")}},
			},
			&kgo.Record{
				Topic: topic, Value: nil, Timestamp: at,
				Headers: []kgo.RecordHeader{{Key: metaKey, Value: []byte("forged")}},
			},
		)
		in := openInput(t, inputYAML(brokers, topic, topic))

		var messages service.MessageBatch
		for len(messages) < 2 {
			g := read(t, in)
			messages = append(messages, g.batch...)
			g.answer(t, nil)
		}
		value, err := messages[0].AsBytes()
		require.NoError(t, err)
		require.Equal(t, "a", string(value))
		all := map[string]any{}
		require.NoError(t, messages[0].MetaWalkMut(func(k string, v any) error {
			all[k] = v
			return nil
		}))
		require.Positive(t, all[metaEpoch])
		delete(all, metaEpoch)
		delete(all, "buildmon_carried") // for processors, which are spared to look it up
		require.Equal(t, map[string]any{
			metaTopic: topic, metaPartition: 0, metaOffset: 0, metaKey: "room-1", metaTimestamp: 1_767_605_400, "source": "roof",
		}, all)

		value, err = messages[1].AsBytes()
		require.NoError(t, err)
		require.Empty(t, value)
		_, ok := messages[1].MetaGet(metaKey)
		require.False(t, ok, "a message without a key has no kafka_key")
	})
}

func TestInputDeliversRefusedBatchAgainFirst(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, 10)
		in := openInput(t, inputYAML(brokers, topic, topic, "batch_count: 4"))

		first := read(t, in)
		// What processors did to the messages must not come again.
		first.batch[0].SetBytes([]byte("spoiled"))
		first.batch[0].MetaSetMut("spoiled", true)
		for range 3 {
			first.answer(t, errRefused)
			again := read(t, in)
			require.Equal(t, first.offsets, again.offsets)
			value, err := again.batch[0].AsBytes()
			require.NoError(t, err)
			require.Equal(t, "0:0", string(value))
			_, ok := again.batch[0].MetaGet("spoiled")
			require.False(t, ok)
			first = again
		}
		first.answer(t, nil)
		require.Equal(t, first.last()+1, read(t, in).offsets[0])
	})
}

func TestInputGoesOnWithOtherPartitionsAndBoundsWhatItHolds(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const records, size = 60, 256 << 10
		topic := testkafka.Topic(t, brokers, 2)
		for p := range int32(2) {
			for i := range records {
				// Random, so that compression does not make it small.
				value := make([]byte, size)
				for j := range value {
					value[j] = byte(rand.Uint32())
				}
				copy(value, []byte{byte(i)})
				seedRecords(t, brokers, &kgo.Record{Topic: topic, Partition: p, Value: value})
			}
		}
		in := openInput(t, inputYAML(brokers, topic, topic, "batch_count: 2", "partition_buffer_bytes: 1048576"))

		var slow got
		for slow.batch == nil {
			if g := read(t, in); g.partition == 0 {
				slow = g
			} else {
				g.answer(t, errRefused) // read below
			}
		}
		// The other one is read to its end meanwhile.
		for done := 0; done < records; {
			g := read(t, in)
			require.Equal(t, 1, g.partition)
			require.Equal(t, done, g.offsets[0])
			done += len(g.offsets)
			g.answer(t, nil)
		}
		held := func() (bytes int, paused bool) {
			in.session.lanes.mu.Lock()
			defer in.session.lanes.mu.Unlock()
			l := in.session.lanes.lanes[source{topic, 0}]
			return l.bytes, l.paused
		}
		require.Eventually(t, func() bool { _, paused := held(); return paused }, soon, 10*time.Millisecond)
		bytes, _ := held()
		require.LessOrEqual(t, bytes, 1<<20+fetchMaxPartitionBytes+size)
		require.Less(t, bytes, records*size/2)

		// And the slow one goes on where it was.
		slow.answer(t, nil)
		for next := slow.last() + 1; next < records; {
			g := read(t, in)
			require.Equal(t, next, g.offsets[0])
			next = g.last() + 1
			g.answer(t, nil)
		}
	})
}

func TestInputCommitsWhatIsAcknowledged(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, 20)
		config := inputYAML(brokers, topic, topic, "batch_count: 5", "commit_period: 100ms")
		in := openInput(t, config)

		first := read(t, in)
		require.Equal(t, -1, committed(t, brokers, topic, topic, 0))
		first.answer(t, nil)
		require.Eventually(t, func() bool {
			return committed(t, brokers, topic, topic, 0) == first.last()+1
		}, soon, 50*time.Millisecond, "committed while reading goes on")

		second := read(t, in)
		second.answer(t, nil)
		read(t, in) // not answered
		require.NoError(t, in.Close(context.Background()))
		require.Equal(t, second.last()+1, committed(t, brokers, topic, topic, 0), "committed at close")

		third := read(t, openInput(t, config))
		require.Equal(t, second.last()+1, third.offsets[0])
	})
}

func TestInputDoesNotReadAbortedTransactions(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		client := testkafka.Client(t, brokers, kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
		for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
			require.NoError(t, client.BeginTransaction())
			require.NoError(t, client.ProduceSync(within(t, soon), kgo.StringRecord(fmt.Sprint(end == kgo.TryCommit))).FirstErr())
			require.NoError(t, client.EndTransaction(within(t, soon), end))
		}
		in := openInput(t, inputYAML(brokers, topic, topic))
		g := read(t, in)
		require.Len(t, g.batch, 1)
		value, err := g.batch[0].AsBytes()
		require.NoError(t, err)
		require.Equal(t, "true", string(value))
		g.answer(t, nil)
		quiet(t, in, 500*time.Millisecond)
	})
}

func TestInputStartsAtTheEndIfAskedTo(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, 20)
		in := openInput(t, inputYAML(brokers, topic, topic, "start_offset: latest"))
		// Where the end is, is found out some time after the input was opened: what was
		// written until then is not read, nor what was there before.
		for written := 20; ; written++ {
			require.Less(t, written, 1000)
			seed(t, brokers, topic, 0, 1)
			g, err := tryRead(t, in, 100*time.Millisecond)
			if err == nil {
				require.GreaterOrEqual(t, g.offsets[0], 20)
				break
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}

func TestInputReadsLargeMessages(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1, "max.message.bytes", "20000000")
		large := bytes.Repeat([]byte("0123456789"), 1<<20)
		for i := range large[:1<<20] {
			large[i] = byte(rand.Uint32())
		}
		client := testkafka.Client(t, brokers, kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
		for _, value := range [][]byte{[]byte("before"), large, []byte("after")} {
			require.NoError(t, client.ProduceSync(within(t, soon), &kgo.Record{Topic: topic, Value: value}).FirstErr())
		}
		in := openInput(t, inputYAML(brokers, topic, topic))
		var sizes []int
		for len(sizes) < 3 {
			g := read(t, in)
			for _, msg := range g.batch {
				value, err := msg.AsBytes()
				require.NoError(t, err)
				sizes = append(sizes, len(value))
			}
			g.answer(t, nil)
		}
		require.Equal(t, []int{6, 10 << 20, 5}, sizes)
	})
}

func TestInputWaitsForTopicsToBeCreated(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Name(t)
		in := openInput(t, inputYAML(brokers, topic, topic))
		quiet(t, in, time.Second)
		testkafka.CreateTopic(t, brokers, topic, 2)
		seed(t, brokers, topic, 1, 3)
		require.Equal(t, 1, read(t, in).partition)
	})
}

func TestInputGoesOnAfterTheBrokerRestarted(t *testing.T) {
	dir, port := t.TempDir(), testkafka.Port(t)
	start := func() *kfake.Cluster {
		return testkafka.StartCluster(t, kfake.Ports(port), kfake.DataDir(dir))
	}
	cluster := start()
	brokers := cluster.ListenAddrs()
	require.NoError(t, cluster.CreateTopic("sensors", 1, nil))
	seed(t, brokers, "sensors", 0, 20)
	in := openInput(t, inputYAML(brokers, "sensors", "buildmon", "batch_count: 5", "commit_period: 100ms"))
	done := map[int]bool{}
	step := func() {
		g := read(t, in)
		for _, o := range g.offsets {
			done[o] = true
		}
		require.True(t, g.offsets[0] == 0 || done[g.offsets[0]-1], "skips to %d", g.offsets[0])
		g.answer(t, nil)
	}
	step()
	cluster.Close()
	start()
	seed(t, brokers, "sensors", 0, 20)
	for len(done) < 40 {
		step()
	}
	require.Eventually(t, func() bool { return committed(t, brokers, "buildmon", "sensors", 0) == 40 }, soon, 50*time.Millisecond)
}

func TestInputConnectFailsFast(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := closed.Addr().String()
	require.NoError(t, closed.Close())

	in := newInput(t, inputYAML([]string{address}, "sensors", "buildmon"))
	err = in.Connect(context.Background())
	require.ErrorContains(t, err, "connecting to kafka at ["+address+"]: ")
	require.ErrorContains(t, err, "connection refused")
	require.ErrorContains(t, err, "; check seed_brokers (BUILDMON_KAFKA_BROKERS)")

	_, _, err = in.ReadBatch(context.Background())
	require.ErrorIs(t, err, service.ErrNotConnected)
}

func TestInputAuthenticates(t *testing.T) {
	mechanisms := []string{mechanismPlain, mechanismScramSHA256, mechanismScramSHA512}
	login := func(t *testing.T, brokers []string, mechanism, password string) error {
		in := newInput(t, inputYAML(brokers, "sensors", "buildmon",
			"sasl: { mechanism: "+mechanism+", username: "+testkafka.User+", password: "+password+" }"))
		return in.Connect(within(t, soon))
	}
	for _, mechanism := range mechanisms {
		check := func(t *testing.T, brokers []string) {
			require.NoError(t, login(t, brokers, mechanism, testkafka.Password))

			err := login(t, brokers, mechanism, "wrong")
			require.Regexp(t, `; check .*sasl$`, err.Error())
			require.NotContains(t, err.Error(), "wrong")
		}
		t.Run(mechanism+"/kfake", func(t *testing.T) {
			check(t, testkafka.Start(t, kfake.EnableSASL(), kfake.Superuser(mechanism, testkafka.User, testkafka.Password)))
		})
		t.Run(mechanism+"/real", func(t *testing.T) {
			check(t, testkafka.RealSASL(t))
		})
	}
}

func TestInputClosesWithoutLeavingAnythingBehind(t *testing.T) {
	t.Cleanup(func() { noneLeft(t) })
	before := goleak.IgnoreCurrent()
	t.Run("with a broker", func(t *testing.T) {
		brokers := testkafka.Start(t, kfake.SeedTopics(2, "sensors"))
		in := openInput(t, inputYAML(brokers, "sensors", "buildmon"))
		seed(t, brokers, "sensors", 0, 10)
		read(t, in) // whose answer is not waited for
		closeSoon(t, in)
		_, _, err := in.ReadBatch(context.Background())
		require.ErrorIs(t, err, service.ErrNotConnected)
	})
	noneLeft(t, before)
	t.Run("while it rests before another attempt", func(t *testing.T) {
		brokers := testkafka.Start(t, kfake.SeedTopics(1, "sensors"))
		in := openInput(t, inputYAML(brokers, "sensors", "buildmon"))
		seed(t, brokers, "sensors", 0, 10)
		read(t, in).answer(t, errRefused)
		require.NoError(t, in.Close(context.Background()))
	})
	noneLeft(t, before)
	t.Run("after the broker went away", func(t *testing.T) {
		cluster := testkafka.StartCluster(t, kfake.SeedTopics(1, "sensors"))
		in := openInput(t, inputYAML(cluster.ListenAddrs(), "sensors", "buildmon"))
		seed(t, cluster.ListenAddrs(), "sensors", 0, 10)
		read(t, in).answer(t, nil)
		cluster.Close()
		closeSoon(t, in)
	})
}

// A partition of which all was read ticks, also after a restart, and no other.
func TestInputTicksWhenNothingIsLeft(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, 20)
		open := func() *input {
			in := newInput(t, inputYAML(brokers, topic, topic, "idle_ticks: true"))
			in.conf.watchPeriod = 20 * time.Millisecond
			require.NoError(t, in.Connect(within(t, soon)))
			return in
		}
		tick := func(in *input) (time.Time, service.AckFunc) {
			batch, ack, err := in.ReadBatch(within(t, soon))
			require.NoError(t, err)
			require.Len(t, batch, 1)
			items := carry.NewDecoder(time.Now).Batch(batch)
			require.NoError(t, items[0].Err)
			require.Equal(t, topic+"/0", items[0].Lane.Name)
			require.NotEmpty(t, items[0].Lane.Epoch)
			require.False(t, items[0].Tick.IsZero())
			return items[0].Tick, ack
		}
		before := time.Now()
		in := open()
		for left := 20; left > 0; {
			g := read(t, in)
			left -= len(g.offsets)
			g.answer(t, nil)
		}
		one, ack := tick(in)
		quiet(t, in, 100*time.Millisecond)
		require.NoError(t, ack(t.Context(), nil))
		two, ack := tick(in)
		require.WithinRange(t, one, before, two)
		require.NoError(t, ack(t.Context(), nil))
		require.NoError(t, in.Close(t.Context()))

		_, ack = tick(open())
		require.NoError(t, ack(t.Context(), nil))
	})
}
