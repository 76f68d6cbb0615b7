package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	fieldTopics           = "topics"
	fieldConsumerGroup    = "consumer_group"
	fieldStartOffset      = "start_offset"
	fieldRack             = "rack"
	fieldBatchCount       = "batch_count"
	fieldBufferBytes      = "partition_buffer_bytes"
	fieldCommitPeriod     = "commit_period"
	fieldGroupProtocol    = "group_protocol"
	fieldSessionTimeout   = "session_timeout"
	fieldRebalanceTimeout = "rebalance_timeout"
	fieldIdleTicks        = "idle_ticks"
)

const (
	startEarliest = "earliest"
	startLatest   = "latest"
)

const (
	protocolClassic  = "classic"
	protocolConsumer = "consumer"
)

const (
	maxBatchCount  = 100_000
	minBufferBytes = 64 << 10
	maxBufferBytes = 1 << 30

	minCommitPeriod = 100 * time.Millisecond
	minGroupTimeout = time.Second
)

func inputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Services").
		Summary("Reads the partitions of Kafka topics as ordered lanes, as one member of a consumer group.").
		Description(`
Each partition is a lane: its messages come in order, in batches of what has been fetched so far, and its next batch comes after the acknowledgement of the last. Order therefore holds with any number of pipeline threads, as many batches are under way as there are partitions, and a slow partition does not hold up the others. A batch that is refused by the output is delivered again before anything else of its partition, after a pause that grows from 100 ms to 5 s.

An output with `+"`batching`"+` of its own makes every batch wait for more messages, which do not come before the batch is acknowledged; leave it out and let `+"`batch_count`"+` decide. A `+"`buffer`"+` acknowledges before the output has stored anything, and takes the guarantees below away.

Topics that do not exist yet are waited for, and new topics and partitions are noticed within seconds.

== Metadata

- `+"`kafka_topic`, `kafka_partition`, `kafka_offset`"+`: where the message is.
- `+"`kafka_key`"+`: its key, if it has one.
- `+"`kafka_timestamp_unix`"+`: its timestamp in seconds.
- `+"`kafka_epoch`"+`: a number that grows each time the partition is assigned anew, to this process or to another one.
- Headers of the message under their own names.

== Idle partitions

With `+"`idle_ticks`"+`, a partition of which everything was read and acknowledged hands out a message every 10 s that says so: a tick. It has the metadata `+"`buildmon_kind: tick`, `kafka_topic`, `kafka_partition` and `kafka_epoch`"+`, and its content is the time at which a broker was asked and had nothing more. Processors that wait for something, such as `+"`silence`"+`, take it as progress of time; the `+"`postgres`"+` output drops it. There are no ticks while no broker answers, since nobody knows then what was written.

== Delivery guarantees

At least once: an offset is committed to Kafka after the acknowledgement of its batch and of all before it, every `+"`commit_period`"+`, when a partition is given up, and at shutdown. After a crash at most the batch under way and `+"`commit_period`"+` of acknowledged messages are delivered again per partition. When a partition goes to another member of the group, its batch under way is given three quarters of `+"`rebalance_timeout`"+` to finish; nothing new is fetched in the meantime. Acknowledgements that come later than that are ignored. Messages of aborted transactions are not read.

== Memory

For each assigned partition the batch under way and a queue of `+"`partition_buffer_bytes`"+`, each of which can exceed this by one fetch, 4 MiB before decompression or one message that is larger. Fetching of a partition pauses while its queue is full.

== Metrics

- `+"`buildmon_kafka_input_lag_records`"+` by topic and partition: messages in the partition that are not acknowledged yet, updated at each batch and every 10 s.
- `+"`buildmon_kafka_input_rebalances_total`"+`: rebalances of the group that this member took part in.
- `+"`buildmon_kafka_input_redelivered_batches_total`"+`: batches delivered again because they were refused.`).
		Fields(connectionFields()...).
		Fields(
			service.NewStringListField(fieldTopics).
				Description("The topics to read.").
				Example([]string{"sensors"}).
				LintRule(`root = if this.type() == "array" && (this.length() == 0 || this.contains("")) { [ "must name at least one topic and none may be empty" ] }`),
			service.NewStringField(fieldConsumerGroup).
				Description("The consumer group to be a member of. Members of a group share the partitions, and the group remembers how far each was read.").
				Example("buildmon").
				LintRule(`root = if this == "" { [ "must not be empty" ] }`),
			service.NewStringAnnotatedEnumField(fieldStartOffset, map[string]string{
				startEarliest: "Read all that the partition still holds.",
				startLatest:   "Read what is written from now on.",
			}).
				Description("Where to begin in a partition of which the group has not committed an offset yet.").
				Default(startEarliest),
			service.NewStringField(fieldRack).
				Description("Where this process runs, if brokers know racks: it then reads from replicas in the same rack where there are some.").
				Default("").
				Advanced(),
			service.NewIntField(fieldBatchCount).
				Description("The most messages in a batch. A batch does not wait to be full; larger limits let the output catch up faster after it was away, and make the batch that is delivered again after a crash larger.").
				Default(5000).
				LintRule(lintBetween(1, maxBatchCount)),
			service.NewIntField(fieldBufferBytes).
				Description("How many bytes to fetch ahead per partition. Larger buffers keep fetching smooth where brokers are far away, and take that much memory for each partition.").
				Default(4<<20).
				Advanced().
				LintRule(lintBetween(minBufferBytes, maxBufferBytes)),
			service.NewDurationField(fieldCommitPeriod).
				Description("How often to commit offsets of acknowledged messages. Longer periods spare the brokers, show a lag to others that is older, and deliver more again after a crash.").
				Default("1s").
				Advanced().
				LintRule(lintAtLeast(minCommitPeriod)),
			service.NewStringAnnotatedEnumField(fieldGroupProtocol, map[string]string{
				protocolClassic:  "Members divide the partitions among themselves, cooperatively: those that stay where they are are not interrupted.",
				protocolConsumer: "The brokers divide them (KIP-848), which needs Apache Kafka 4.0 or later, better 4.3; with older brokers `classic` is used. `session_timeout` is then a setting of the brokers, `group.consumer.session.timeout.ms`.",
			}).
				Description("How the group divides the partitions. All members of a group should use the same.").
				Default(protocolClassic).
				Advanced(),
			service.NewDurationField(fieldSessionTimeout).
				Description("How long the group waits for a sign of life before it gives the partitions of this process to others. Shorter times shorten the standstill after a crash and are less patient with a busy machine. Brokers allow 6 s to 30 min unless told otherwise.").
				Default("15s").
				Advanced().
				LintRule(lintAtLeast(minGroupTimeout)),
			service.NewDurationField(fieldRebalanceTimeout).
				Description("How long the group waits, when partitions are moved, for members to finish the batches under way. Longer times deliver less again when the output is slow, and hold the group up for longer when it is stuck.").
				Default("60s").
				Advanced().
				LintRule(lintAtLeast(minGroupTimeout)),
			service.NewBoolField(fieldIdleTicks).
				Description("Whether partitions that have nothing to read say so every 10 s, by a message of the kind `tick`. The `silence` processor needs it to notice that nothing comes at all. Outputs other than `postgres` write these messages like others unless the pipeline drops them.").
				Default(false),
		).
		Example("From Kafka to Postgres", "Each batch of a partition is stored in one transaction, and its offset is committed afterwards.", `
input:
  kafka:
    seed_brokers: [ "${BUILDMON_KAFKA_BROKERS:localhost:9092}" ]
    topics: [ sensors ]
    consumer_group: buildmon

output:
  postgres:
    dsn: ${BUILDMON_POSTGRES_DSN:postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable}
`).
		Example("With TLS and a password", "The password comes from the environment.", `
input:
  kafka:
    seed_brokers: [ broker-1.example.com:9093, broker-2.example.com:9093 ]
    topics: [ sensors ]
    consumer_group: buildmon
    tls:
      enabled: true
    sasl:
      mechanism: SCRAM-SHA-512
      username: buildmon
      password: ${KAFKA_PASSWORD}
`)
}

func init() {
	service.MustRegisterBatchInput("kafka", inputSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			return newInputFromConfig(conf, res)
		})
}

// inputConfig is what the fields of the input say.
type inputConfig struct {
	connection
	topics           []string
	group            string
	startOffset      kgo.Offset
	rack             string
	limits           laneLimits
	commitPeriod     time.Duration
	brokersDivide    bool // the partitions, by the protocol of KIP-848
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	idleTicks        bool
	watchPeriod      time.Duration
}

// options of a client that is a member of the group.
func (c inputConfig) options(log *service.Logger) []kgo.Opt {
	opts := append(c.connection.options(log),
		kgo.ConsumeTopics(c.topics...),
		kgo.ConsumerGroup(c.group),
		kgo.ConsumeStartOffset(c.startOffset),
		kgo.Rack(c.rack),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(fetchMaxWait),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(fetchMaxPartitionBytes),
		kgo.SessionTimeout(c.sessionTimeout),
		kgo.RebalanceTimeout(c.rebalanceTimeout),
		kgo.HeartbeatInterval(min(maxHeartbeat, c.sessionTimeout/3)),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(c.commitPeriod),
		kgo.BlockRebalanceOnPoll(),
	)
	if c.brokersDivide {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	return opts
}

// patience is how long a batch under way may hold up a rebalance. The rest of the
// timeout is for hearing of the rebalance, for the commit, for what processors save at
// the end of a partition, and for joining again.
func (c inputConfig) patience() time.Duration { return c.rebalanceTimeout * 3 / 4 }

// input reads partitions as ordered lanes; see the description of its fields.
// Its methods are safe for concurrent use.
type input struct {
	conf  inputConfig
	log   *service.Logger
	stats *inputMetrics

	mu      sync.Mutex
	session *session // nil before Connect and after Close
}

var _ service.BatchInput = (*input)(nil)

func newInputFromConfig(conf *service.ParsedConfig, res *service.Resources) (*input, error) {
	c, err := parseInputConfig(conf)
	if err != nil {
		return nil, err
	}
	if err := kgo.ValidateOpts(c.options(res.Logger())...); err != nil {
		return nil, err
	}
	return &input{conf: c, log: res.Logger(), stats: newInputMetrics(res.Metrics())}, nil
}

func parseInputConfig(conf *service.ParsedConfig) (c inputConfig, err error) {
	if c.connection, err = connectionFromConfig(conf); err != nil {
		return c, err
	}
	if c.topics, err = conf.FieldStringList(fieldTopics); err != nil {
		return c, err
	}
	if len(c.topics) == 0 || slices.Contains(c.topics, "") {
		return c, fmt.Errorf("%s must name at least one topic and none may be empty, got %q", fieldTopics, c.topics)
	}
	if c.group, err = conf.FieldString(fieldConsumerGroup); err != nil {
		return c, err
	}
	if c.group == "" {
		return c, fmt.Errorf("%s must not be empty", fieldConsumerGroup)
	}
	start, err := conf.FieldString(fieldStartOffset)
	if err != nil {
		return c, err
	}
	switch start {
	case startEarliest:
		c.startOffset = kgo.NewOffset().AtStart()
	case startLatest:
		c.startOffset = kgo.NewOffset().AtEnd()
	default:
		return c, fmt.Errorf("unknown %s %q, want %s or %s", fieldStartOffset, start, startEarliest, startLatest)
	}
	switch protocol, err := conf.FieldString(fieldGroupProtocol); {
	case err != nil:
		return c, err
	case protocol == protocolClassic:
	case protocol == protocolConsumer:
		c.brokersDivide = true
	default:
		return c, fmt.Errorf("unknown %s %q, want %s or %s", fieldGroupProtocol, protocol, protocolClassic, protocolConsumer)
	}
	if c.rack, err = conf.FieldString(fieldRack); err != nil {
		return c, err
	}
	if c.limits.records, err = intBetween(conf, fieldBatchCount, 1, maxBatchCount); err != nil {
		return c, err
	}
	if c.limits.bytes, err = intBetween(conf, fieldBufferBytes, minBufferBytes, maxBufferBytes); err != nil {
		return c, err
	}
	for _, d := range []struct {
		field string
		low   time.Duration
		to    *time.Duration
	}{
		{fieldCommitPeriod, minCommitPeriod, &c.commitPeriod},
		{fieldSessionTimeout, minGroupTimeout, &c.sessionTimeout},
		{fieldRebalanceTimeout, minGroupTimeout, &c.rebalanceTimeout},
	} {
		if *d.to, err = durationAtLeast(conf, d.field, d.low); err != nil {
			return c, err
		}
	}
	c.watchPeriod = defaultWatchPeriod
	c.idleTicks, err = conf.FieldBool(fieldIdleTicks)
	return c, err
}

// Connect asks the brokers for the topics and joins the group. The host retries
// it with a back-off, so it fails within seconds when no broker answers. Once
// it has succeeded the client reconnects by itself.
func (in *input) Connect(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.session != nil {
		return nil
	}
	if err := in.check(ctx); err != nil {
		return err
	}
	var err error
	in.session, err = openSession(in.conf, in.log, in.stats)
	return err
}

// check finds out, with a client that joins no group, whether brokers answer
// and topics can be read. Topics that are missing may still be created, by the
// first that writes to them, so they are no error.
func (in *input) check(ctx context.Context) error {
	client, err := kgo.NewClient(in.conf.connection.options(in.log)...)
	if err != nil {
		return fmt.Errorf("creating a kafka client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*dialTimeout)
	defer cancel()
	if err := in.conf.ping(ctx, client); err != nil {
		return err
	}
	topics, err := kadm.NewClient(client).ListTopics(ctx, in.conf.topics...)
	if err != nil {
		return fmt.Errorf("asking kafka at %s for topics %q: %w", in.conf, in.conf.topics, err)
	}
	for _, topic := range in.conf.topics {
		switch err := topics[topic].Err; {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			in.log.Warnf("Topic %q does not exist at %s yet; waiting for it to be created", topic, in.conf)
		case err != nil && !kerr.IsRetriable(err):
			return fmt.Errorf("reading topic %q at %s: %w", topic, in.conf, err)
		}
	}
	return nil
}

// ReadBatch waits for a batch of any partition whose last one was answered.
func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	in.mu.Lock()
	s := in.session
	in.mu.Unlock()
	if s == nil {
		return nil, nil, service.ErrNotConnected
	}
	d, err := s.lanes.next(ctx)
	if err != nil {
		return nil, nil, err
	}
	return d.messages(), func(_ context.Context, err error) error {
		s.lanes.resolve(d, err)
		return nil
	}, nil
}

// Close commits what was acknowledged and leaves the group.
func (in *input) Close(ctx context.Context) error {
	in.mu.Lock()
	s := in.session
	in.session = nil
	in.mu.Unlock()
	if s != nil {
		s.close(ctx)
	}
	return nil
}
