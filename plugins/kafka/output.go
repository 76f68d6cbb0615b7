package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	fieldTopic             = "topic"
	fieldKey               = "key"
	fieldMetadata          = "metadata"
	fieldCompression       = "compression"
	fieldMaxMessageBytes   = "max_message_bytes"
	fieldLinger            = "linger"
	fieldTimeout           = "timeout"
	fieldCreateTopic       = "create_topic"
	fieldPartitions        = "partitions"
	fieldReplicationFactor = "replication_factor"
	fieldBatching          = "batching"
)

const (
	minMessageBytes = 1 << 10
	maxMessageBytes = 64 << 20
	maxPartitions   = 100_000
	maxInFlight     = 10_000

	maxLinger  = time.Minute
	minTimeout = time.Second
)

var compressions = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func outputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Services").
		Summary("Writes messages to Kafka topics.").
		Description(`
Messages with the same key go to the same partition, chosen as the Java client chooses it; messages without a key are spread. Messages of a batch that go to the same partition keep their order. Batches are written side by side, up to `+"`max_in_flight`"+` of them, so set that to 1 where order must hold between batches, unless the input gives out one batch of a lane at a time, as the `+"`kafka`"+` input does.

Messages that the brokers refuse, or that are too large, fail alone: the others of their batch are written.

== Delivery guarantees

At least once: a message is written when all replicas that are in sync have it. For the time of `+"`timeout`"+` the client sends again what may not have arrived, without doubling it or changing the order, so a broker that restarts goes unnoticed. After that the messages count as failed, and while no broker answers they wait for one; nothing is dropped. Messages can then come twice: those that arrived without an answer, and those that the input delivers again because they failed or the pipeline stopped before the answer.

== Memory

The batches under way, and as much again for compressing them: at most `+"`max_in_flight`"+` batches.`).
		Fields(connectionFields()...).
		Fields(
			service.NewInterpolatedStringField(fieldTopic).
				Description("The topic to write to. It can depend on the message.").
				Example("sensors").
				LintRule(`root = if this == "" { [ "must not be empty" ] }`),
			service.NewInterpolatedStringField(fieldKey).
				Description("The key of each message. Key readings by sensor or room, so that those of one sensor stay in order in one partition. Messages for which it is empty have no key.").
				Example("${! this.sensor_id }").
				Optional(),
			service.NewMetadataFilterField(fieldMetadata).
				Description("Which metadata to send as headers; none unless told otherwise.").
				Optional(),
			service.NewStringEnumField(fieldCompression, "none", "gzip", "snappy", "lz4", "zstd").
				Description("How to compress batches. `zstd` makes readings smallest, `snappy` and `lz4` take the least time.").
				Default("snappy"),
			service.NewIntField(fieldMaxMessageBytes).
				Description("The size, before compression, of the largest message to send. Topics have a bound of their own, `"+configMaxMessageBytes+"`, about 1 MiB unless it was raised; the lower one holds. The bound of a topic is read when it is first written to.").
				Default(16<<20).
				Advanced().
				LintRule(lintBetween(minMessageBytes, maxMessageBytes)),
			service.NewDurationField(fieldLinger).
				Description("How long to wait for more messages to send together. Longer times make fewer and larger requests, and delay each batch by as much.").
				Default("5ms").
				Advanced().
				LintRule(fmt.Sprintf(`root = if this.parse_duration() < 0 || this.parse_duration() > %d { [ "must be 0s to %s, got %%s".format(this) ] }`, maxLinger, maxLinger)),
			service.NewDurationField(fieldTimeout).
				Description("How long to try to send a message before it counts as failed. Longer times bridge longer absences of a broker without messages coming twice; shorter ones report them sooner.").
				Default("30s").
				Advanced().
				LintRule(lintAtLeast(minTimeout)),
			service.NewObjectField(fieldCreateTopic,
				service.NewIntField(fieldPartitions).
					Description("The number of partitions of a topic that is created: as many as consumers may ever share the work. With 0 none is created, and a missing topic is an error unless the brokers create it.").
					Default(0).
					LintRule(lintBetween(0, maxPartitions)),
				service.NewIntField(fieldReplicationFactor).
					Description("On how many brokers each message is kept. With -1 the default of the brokers holds.").
					Default(-1).
					LintRule(fmt.Sprintf(`root = if this != -1 && (this < 1 || this > %d) { [ "must be -1 or 1 to %[1]d, got %%v".format(this) ] }`, math.MaxInt16)),
			).
				Description("Creates topics that are missing when they are first written to. Topics that exist stay as they are."),
			service.NewOutputMaxInFlightField().
				LintRule(lintBetween(1, maxInFlight)),
			service.NewBatchPolicyField(fieldBatching),
		).
		Example("Readings of a building, keyed by sensor", "The topic is created with 12 partitions if it is missing.", `
output:
  kafka:
    seed_brokers: [ "${BUILDMON_KAFKA_BROKERS:localhost:9092}" ]
    topic: sensors
    key: ${! this.sensor_id }
    create_topic:
      partitions: 12
`).
		Example("Messages with headers", "Metadata that begins with `source_` is sent along.", `
output:
  kafka:
    seed_brokers: [ localhost:9092 ]
    topic: sensors
    compression: zstd
    metadata:
      include_prefixes: [ source_ ]
`)
}

func init() {
	service.MustRegisterBatchOutput("kafka", outputSpec(), newBatchOutput)
}

func newBatchOutput(conf *service.ParsedConfig, res *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	policy, err := conf.FieldBatchPolicy(fieldBatching)
	if err != nil {
		return nil, policy, 0, err
	}
	inFlight, err := intBetween(conf, "max_in_flight", 1, maxInFlight)
	if err != nil {
		return nil, policy, 0, err
	}
	out, err := newOutputFromConfig(conf, res)
	return out, policy, inFlight, err
}

// output writes messages and waits until the brokers have them. Its methods are
// safe for concurrent use.
type output struct {
	conn    connection
	opts    []kgo.Opt
	topic   *service.InterpolatedString
	key     *service.InterpolatedString // nil for none
	headers *service.MetadataFilter
	timeout time.Duration
	topics  *topics

	mu     sync.Mutex
	client *kgo.Client // nil before Connect and after Close
}

var _ service.BatchOutput = (*output)(nil)

func newOutputFromConfig(conf *service.ParsedConfig, res *service.Resources) (*output, error) {
	o := &output{}
	var err error
	if o.conn, err = connectionFromConfig(conf); err != nil {
		return nil, err
	}
	if o.topic, err = conf.FieldInterpolatedString(fieldTopic); err != nil {
		return nil, err
	}
	if static, ok := o.topic.Static(); ok && static == "" {
		return nil, fmt.Errorf("%s must not be empty", fieldTopic)
	}
	if conf.Contains(fieldKey) {
		if o.key, err = conf.FieldInterpolatedString(fieldKey); err != nil {
			return nil, err
		}
	}
	if conf.Contains(fieldMetadata) {
		if o.headers, err = conf.FieldMetadataFilter(fieldMetadata); err != nil {
			return nil, err
		}
	}
	name, err := conf.FieldString(fieldCompression)
	if err != nil {
		return nil, err
	}
	compression, ok := compressions[name]
	if !ok {
		return nil, fmt.Errorf("unknown %s %q, want none, gzip, snappy, lz4 or zstd", fieldCompression, name)
	}
	linger, err := conf.FieldDuration(fieldLinger)
	if err != nil {
		return nil, err
	}
	if linger < 0 || linger > maxLinger {
		return nil, fmt.Errorf("%s must be 0s to %s, got %s", fieldLinger, maxLinger, linger)
	}
	if o.timeout, err = durationAtLeast(conf, fieldTimeout, minTimeout); err != nil {
		return nil, err
	}
	if o.topics, err = topicsFromConfig(conf); err != nil {
		return nil, err
	}
	o.opts = append(o.conn.options(res.Logger()),
		kgo.ProducerBatchCompression(compression),
		kgo.ProducerBatchMaxBytesFn(o.topics.limit),
		kgo.ProducerLinger(linger),
		kgo.RecordDeliveryTimeout(o.timeout),
		// Without it a batch that was sent and not answered is waited for until
		// its broker is back, and nobody hears that it is away.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.AllowAutoTopicCreation(),
	)
	if err := kgo.ValidateOpts(o.opts...); err != nil {
		return nil, err
	}
	return o, nil
}

func topicsFromConfig(conf *service.ParsedConfig) (*topics, error) {
	maxBytes, err := intBetween(conf, fieldMaxMessageBytes, minMessageBytes, maxMessageBytes)
	if err != nil {
		return nil, err
	}
	conf = conf.Namespace(fieldCreateTopic)
	partitions, err := intBetween(conf, fieldPartitions, 0, maxPartitions)
	if err != nil {
		return nil, fmt.Errorf("%s %w", fieldCreateTopic, err)
	}
	replication, err := conf.FieldInt(fieldReplicationFactor)
	if err != nil {
		return nil, err
	}
	if replication != -1 && (replication < 1 || replication > math.MaxInt16) {
		return nil, fmt.Errorf("%s %s must be -1 or 1 to %d, got %d", fieldCreateTopic, fieldReplicationFactor, math.MaxInt16, replication)
	}
	return &topics{
		create:   createTopic{partitions: int32(partitions), replicationFactor: int16(replication)},
		maxBytes: int32(maxBytes),
		limits:   map[string]int32{},
	}, nil
}

// Connect checks that a broker answers. The host retries it with a back-off, so
// it fails within seconds rather than retrying itself.
func (o *output) Connect(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client == nil {
		client, err := kgo.NewClient(o.opts...)
		if err != nil {
			return fmt.Errorf("creating a kafka client: %w", err)
		}
		o.client = client
	}
	return o.ping(ctx, o.client)
}

func (o *output) ping(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 3*dialTimeout)
	defer cancel()
	return o.conn.ping(ctx, client)
}

// WriteBatch returns when the fate of each message is known. It returns a
// service.BatchError for those that failed, or service.ErrNotConnected if none
// was written because no broker answers.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	o.mu.Lock()
	client := o.client
	o.mu.Unlock()
	if client == nil {
		return service.ErrNotConnected
	}
	records, errs := o.records(batch)
	o.prepare(ctx, client, records, errs)
	if err := produce(ctx, client, records, errs); err != nil {
		return err
	}
	failed := 0
	var first error
	for i, err := range errs {
		if err == nil {
			continue
		}
		if errs[i] = o.explain(records[i], err); first == nil {
			first = errs[i]
		}
		failed++
	}
	if failed == 0 {
		return nil
	}
	if failed == len(batch) && o.ping(ctx, client) != nil {
		return service.ErrNotConnected
	}
	if failed > 1 {
		first = fmt.Errorf("%d of %d messages failed, the first: %w", failed, len(batch), first)
	}
	batchErr := service.NewBatchError(batch, first)
	for i, err := range errs {
		if err != nil {
			batchErr.Failed(i, err)
		}
	}
	return batchErr
}

// records makes a record of each message. Where that is impossible the record
// is nil and there is an error.
func (o *output) records(batch service.MessageBatch) (records []*kgo.Record, errs []error) {
	records = make([]*kgo.Record, len(batch))
	errs = make([]error, len(batch))
	topic := batch.InterpolationExecutor(o.topic)
	var key *service.MessageBatchInterpolationExecutor
	if o.key != nil {
		key = batch.InterpolationExecutor(o.key)
	}
	for i, msg := range batch {
		records[i], errs[i] = o.record(i, msg, topic, key)
	}
	return records, errs
}

func (o *output) record(i int, msg *service.Message, topic, key *service.MessageBatchInterpolationExecutor) (*kgo.Record, error) {
	r := &kgo.Record{}
	var err error
	if r.Topic, err = topic.TryString(i); err != nil {
		return nil, fmt.Errorf("finding the %s of a message: %w", fieldTopic, err)
	}
	if r.Topic == "" {
		return nil, fmt.Errorf("the %s of a message is empty", fieldTopic)
	}
	if key != nil {
		b, err := key.TryBytes(i)
		if err != nil {
			return nil, fmt.Errorf("finding the %s of a message: %w", fieldKey, err)
		}
		if len(b) > 0 {
			r.Key = b
		}
	}
	if r.Value, err = msg.AsBytes(); err != nil {
		return nil, fmt.Errorf("encoding a message: %w", err)
	}
	if !o.headers.IsEmpty() {
		err := o.headers.Walk(msg, func(key, value string) error {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading the metadata of a message: %w", err)
		}
		slices.SortFunc(r.Headers, func(a, b kgo.RecordHeader) int { return cmp.Compare(a.Key, b.Key) })
	}
	return r, nil
}

// prepare makes the topics of records ready; where that fails, so do the
// records of the topic.
func (o *output) prepare(ctx context.Context, client *kgo.Client, records []*kgo.Record, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	outcome := map[string]error{}
	for i, r := range records {
		if r == nil {
			continue
		}
		err, seen := outcome[r.Topic]
		if !seen {
			err = o.topics.prepare(ctx, client, r.Topic)
			outcome[r.Topic] = err
		}
		errs[i] = err
	}
}

// produce sends the records that have no error yet, in their order, and sets
// the errors of those that fail. It returns an error, and sets none, if ctx
// ends before all is known.
func produce(ctx context.Context, client *kgo.Client, records []*kgo.Record, errs []error) error {
	results := make([]error, len(records))
	// The one more is ours, so that done cannot close while records are added.
	var open atomic.Int64
	open.Store(1)
	done := make(chan struct{})
	finish := func() {
		if open.Add(-1) == 0 {
			close(done)
		}
	}
	for i, r := range records {
		if errs[i] != nil {
			continue
		}
		open.Add(1)
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			results[i] = err
			finish()
		})
	}
	finish()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, err := range results {
		if err != nil {
			errs[i] = err
		}
	}
	return nil
}

// explain says which message failed where, and what helps.
func (o *output) explain(r *kgo.Record, err error) error {
	if r == nil {
		return err
	}
	switch {
	case errors.Is(err, kerr.MessageTooLarge):
		return fmt.Errorf("writing a message of %d bytes to topic %q, which takes at most %d: %w; raise %s of the topic or %s",
			len(r.Key)+len(r.Value), r.Topic, o.topics.limit(r.Topic), err, configMaxMessageBytes, fieldMaxMessageBytes)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		o.topics.forget(r.Topic)
		return fmt.Errorf("writing to topic %q: %w; create it or set %s", r.Topic, err, fieldCreateTopic)
	}
	return fmt.Errorf("writing to topic %q: %w", r.Topic, err)
}

// Close gives up what is not written yet; its senders are told.
func (o *output) Close(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client != nil {
		o.client.Close()
		o.client = nil
	}
	return nil
}
