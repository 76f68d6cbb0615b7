package embedded_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/embedded"
)

func startKafka(t *testing.T, dir string, topics ...string) *embedded.Kafka {
	t.Helper()
	k, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir, Topics: topics, Partitions: 2, Logf: t.Logf})
	require.NoError(t, err)
	t.Cleanup(k.Stop)
	return k
}

func newClient(t *testing.T, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// produce writes n records, one request each, and returns how many were
// acknowledged before ctx ended.
func produce(ctx context.Context, client *kgo.Client, n int) (acknowledged int) {
	for ; acknowledged < n; acknowledged++ {
		record := &kgo.Record{Topic: "sensors", Key: fmt.Append(nil, acknowledged%7), Value: fmt.Append(nil, acknowledged)}
		if client.ProduceSync(ctx, record).FirstErr() != nil {
			return acknowledged
		}
	}
	return acknowledged
}

// total is the number of records in all partitions.
func total(ends kadm.ListedOffsets) (n int64) {
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// consume reads n records of a group, commits them, and returns how often each
// value was seen.
func consume(t *testing.T, brokers []string, n int) map[string]int {
	t.Helper()
	client := newClient(t, brokers,
		kgo.ConsumerGroup("buildmon"), kgo.ConsumeTopics("sensors"), kgo.DisableAutoCommit())
	defer client.Close() // leaves the group
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := map[string]int{}
	for got := 0; got < n; {
		fetches := client.PollRecords(ctx, n-got)
		require.NoError(t, fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
		got += fetches.NumRecords()
		require.NoError(t, client.CommitRecords(ctx, fetches.Records()...))
	}
	return seen
}

func TestKafkaKeepsTopicsAndOffsetsAcrossStops(t *testing.T) {
	dir := t.TempDir()
	k := startKafka(t, dir, "sensors")
	require.Equal(t, 100, produce(t.Context(), newClient(t, k.Brokers()), 100))
	first := consume(t, k.Brokers(), 40)
	k.Stop()
	k.Stop()

	k = startKafka(t, dir, "sensors", "alerts")
	topics, err := kadm.NewClient(newClient(t, k.Brokers())).ListTopics(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"alerts", "sensors"}, topics.Names())
	require.Len(t, topics["alerts"].Partitions, 2, "a topic asked for later is added")

	for value, times := range consume(t, k.Brokers(), 60) {
		first[value] += times
	}
	require.Len(t, first, 100)
	for value, times := range first {
		require.Equal(t, 1, times, value)
	}
}

func TestKafkaDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	startKafka(t, dir)
	_, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir})
	require.ErrorIs(t, err, embedded.ErrInUse)
}

func TestKafkaSaysThatItsPortIsTaken(t *testing.T) {
	dir := t.TempDir()
	_, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir, Port: 1 << 20})
	require.ErrorContains(t, err, "starting kafka on port 1048576")
	startKafka(t, dir) // the directory was given back
}

// Every acknowledged record and every committed offset is there after kill -9
// in the middle of writing, time after time.
func TestKafkaSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	written, read := 0, 0
	for range 3 {
		broker, child := startChild(t, "kafka", dir)
		client := newClient(t, []string{broker})
		require.Equal(t, 200, produce(t.Context(), client, 200))
		written += 200
		consume(t, []string{broker}, 150)
		read += 150

		extra := make(chan int)
		go func() { extra <- produce(t.Context(), client, 1_000_000) }()
		admin := kadm.NewClient(newClient(t, []string{broker}))
		require.Eventually(t, func() bool {
			offsets, err := admin.ListEndOffsets(t.Context(), "sensors")
			return err == nil && total(offsets) > int64(written+50)
		}, time.Minute, time.Millisecond, "the writer is at work")
		require.NoError(t, child.Process.Kill())
		_ = child.Wait() // the error says that it was killed
		client.Close()   // a cancelled context does not end a record that may have arrived
		written += <-extra
	}

	k := startKafka(t, dir, "sensors")
	admin := kadm.NewClient(newClient(t, k.Brokers()))
	ends, err := admin.ListEndOffsets(t.Context(), "sensors")
	require.NoError(t, err)
	commits, err := admin.FetchOffsets(t.Context(), "buildmon")
	require.NoError(t, err)
	end, committed := total(ends), int64(0)
	commits.Each(func(o kadm.OffsetResponse) { committed += o.At })
	require.GreaterOrEqual(t, end, int64(written))
	require.LessOrEqual(t, end, int64(written+3), "at most one record in flight at each kill")
	require.EqualValues(t, read, committed)
	consume(t, k.Brokers(), int(end)-read) // all of them can be read
}
