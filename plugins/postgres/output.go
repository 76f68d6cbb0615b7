package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/window"
	"buildmon/plugins/internal/carry"
)

const (
	fieldRetention   = "retention"
	fieldReadings    = "readings"
	fieldAggregates  = "aggregates"
	fieldAnomalies   = "anomalies"
	fieldDeadLetters = "dead_letters"
	fieldRollups15m  = "rollups_15m"
	fieldRollups1h   = "rollups_1h"
	fieldRollups1d   = "rollups_1d"
	fieldTimeout     = "timeout"
	fieldBatching    = "batching"
)

func outputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Storage").
		Summary("Stores readings, window aggregates and anomalies in Postgres, each batch in one transaction.").
		Description(`
Tables are made and kept up to date by this output: `+"`sensor_readings`, `sensor_aggregates`, `sensor_anomalies` and `dead_letters`"+`, partitioned by time, with roll-ups and lists of sensors and rooms beside them. PostgreSQL 15 or newer is needed.

Messages that are no acceptable readings, and messages on which a processor failed, are kept in `+"`dead_letters`"+` with the reason, the source position and their bytes. The readings of the same batch are stored.

With `+"`table` and `columns`"+` messages go to a table of your own instead.

== Delivery guarantees

A batch is stored completely or not at all, and is acknowledged only after the commit. The primary key of `+"`sensor_readings`"+` decides what is new: a reading that is delivered again changes nothing, neither its row nor its window nor its anomalies. So the aggregates equal the readings at every commit, whatever is retried, replayed or written by several processes at once.

While the database is away nothing is acknowledged; the output connects again with a growing wait and goes on.

== Memory

One batch for each of `+"`max_in_flight`"+`.`).
		Fields(
			dsnField(),
			service.NewObjectField(fieldRetention,
				retentionField(fieldReadings, "readings, in whole days. Readings that arrive when their day is gone become dead letters"),
				retentionField(fieldAggregates, "window aggregates, in whole months. At least as long as readings"),
				retentionField(fieldAnomalies, "anomalies, in whole months"),
				retentionField(fieldDeadLetters, "dead letters, by the time they were stored"),
				retentionField(fieldRollups15m, "roll-ups of 15 minutes, in whole days. At least as long as readings"),
				retentionField(fieldRollups1h, "roll-ups of an hour, in whole days. At least as long as readings"),
				retentionField(fieldRollups1d, "roll-ups of a day, in whole days. At least as long as readings"),
			).Description("How long data is kept, by event time."),
			service.NewDurationField(fieldTimeout).Default("1m").Advanced().
				Description("How long one batch may take. A connection that hangs is given up after this time and the batch is written again on another.").
				LintRule(positive),
			service.NewStringField(fieldTable).Default("").Advanced().
				Description("A table of your own, `table` or `schema.table`, that rows are added to instead of buildmon's tables. Rows that break a unique key of it are there already and are left alone.").
				Example("plant.measurements"),
			service.NewBloblangField(fieldColumns).Optional().Advanced().
				Description("A mapping from a message to an object with a member for each column of `table`. Postgres casts the members to the types of the columns. A message that is mapped to `deleted()` is left out.").
				Example(`root.device = this.sensor_id
root.at = this.timestamp
root.celsius = this.temperature`),
			service.NewOutputMaxInFlightField().Default(4),
			service.NewBatchPolicyField(fieldBatching),
		).
		LintRule(`root = match {
  this.table.or("") != "" && this.columns.or("") == "" => [ "table %q needs columns, a mapping to the columns of the table".format(this.table) ],
  this.table.or("") == "" && this.columns.or("") != "" => [ "columns needs table, the name of a table of your own" ],
}`).
		Example("Readings with aggregates and anomalies", "Processors append aggregates and anomalies to the batch of their readings; the output stores them together.", `
pipeline:
  processors:
    - tumbling_window: {}
    - threshold: {}

output:
  postgres:
    dsn: ${BUILDMON_POSTGRES_DSN:postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable}
    retention:
      readings: 2160h # 90 days
`).
		Example("A table of your own", "Readings go to an existing table with other names.", `
output:
  postgres:
    dsn: postgres://plant@localhost/plant
    table: plant.measurements
    columns: |
      root.device = this.sensor_id
      root.at = this.timestamp
      root.celsius = this.temperature
    batching:
      count: 1000
      period: 1s
`)
}

const positive = `root = if this.parse_duration() <= 0 { [ "must be positive, got %s".format(this) ] }`

func retentionField(name, what string) *service.ConfigField {
	return service.NewDurationField(name).Default("0s").
		Description("How long to keep " + what + ". `0s` keeps them for ever.").
		LintRule(`root = if this.parse_duration() < 0 { [ "must not be negative, got %s".format(this) ] }`)
}

func init() {
	service.MustRegisterBatchOutput("postgres", outputSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			policy, err := conf.FieldBatchPolicy(fieldBatching)
			if err != nil {
				return nil, policy, 0, err
			}
			inFlight, err := conf.FieldMaxInFlight()
			if err != nil {
				return nil, policy, 0, err
			}
			out, err := newFromConfig(conf, res)
			return out, policy, inFlight, err
		})
}

// output adapts a store to the host. The host calls WriteBatch from several
// goroutines, and Connect from one of them when a write said that the database
// is away.
type output struct {
	dsn       string
	retention store.Retention
	timeout   time.Duration
	table     *ownTable // nil for buildmon's own tables
	log       *service.Logger
	decoder   *carry.Decoder

	stored, duplicates, anomalies, deadLetters, ticks *service.MetricCounter

	mu       sync.Mutex
	store    *store.Store
	failures int   // writes in a row that did not succeed
	failure  error // the last of them, until Connect has reported it

	stopMaintenance context.CancelFunc
	maintenance     sync.WaitGroup
	warnStrangers   sync.Once
}

var _ service.BatchOutput = (*output)(nil)

func newFromConfig(conf *service.ParsedConfig, res *service.Resources) (*output, error) {
	o := &output{
		log:     res.Logger(),
		decoder: carry.NewDecoder(time.Now),

		stored:      res.Metrics().NewCounter("buildmon_postgres_readings_stored_total"),
		duplicates:  res.Metrics().NewCounter("buildmon_postgres_readings_duplicate_total"),
		anomalies:   res.Metrics().NewCounter("buildmon_postgres_anomalies_stored_total"),
		deadLetters: res.Metrics().NewCounter("buildmon_postgres_dead_letters_total", "reason"),
		ticks:       res.Metrics().NewCounter("buildmon_postgres_ticks_total"),
	}
	var err error
	if o.dsn, err = parseDSN(conf); err != nil {
		return nil, err
	}
	for name, d := range map[string]*time.Duration{
		fieldReadings: &o.retention.Readings, fieldAggregates: &o.retention.Aggregates,
		fieldAnomalies: &o.retention.Anomalies, fieldDeadLetters: &o.retention.DeadLetters,
		fieldRollups15m: &o.retention.Rollups15m, fieldRollups1h: &o.retention.Rollups1h, fieldRollups1d: &o.retention.Rollups1d,
	} {
		if *d, err = conf.FieldDuration(fieldRetention, name); err != nil {
			return nil, err
		}
	}
	if err := o.retention.Validate(); err != nil {
		return nil, err
	}
	if o.timeout, err = conf.FieldDuration(fieldTimeout); err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, fmt.Errorf("timeout must be positive, got %s", o.timeout)
	}
	if o.table, err = ownTableFromConfig(conf); err != nil {
		return nil, err
	}
	return o, nil
}

// Connect opens the store, or looks whether it answers again after a write
// failed. It then first reports why that write failed, with a wait that grows,
// because the database may answer and refuse to write all the same.
func (o *output) Connect(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.failure; err != nil {
		o.failure = nil
		return service.NewErrBackOff(err, o.wait())
	}
	if o.store != nil {
		return o.store.Prepare(ctx)
	}
	s, err := store.Open(ctx, o.dsn, o.retention, time.Now)
	if err != nil {
		o.failures++
		return service.NewErrBackOff(err, o.wait())
	}
	o.store = s
	var background context.Context
	background, o.stopMaintenance = context.WithCancel(context.Background())
	o.maintenance.Go(func() { o.maintain(background, s) })
	return nil
}

// wait grows from a quarter of a second to ten seconds.
func (o *output) wait() time.Duration {
	return min(250*time.Millisecond<<min(o.failures, 6), 10*time.Second)
}

// WriteBatch stores a batch. It reports every failure as a lost connection: the
// host then writes the same batch again, while an error would send it through
// the processors once more.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	o.mu.Lock()
	s := o.store
	o.mu.Unlock()
	if s == nil {
		return service.ErrNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()

	var err error
	if o.table != nil {
		err = o.writeRows(ctx, s, batch)
	} else {
		err = o.write(ctx, s, batch)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failures++
		o.failure = err
		return service.ErrNotConnected
	}
	o.failures, o.failure = 0, nil
	return nil
}

func (o *output) write(ctx context.Context, s *store.Store, batch service.MessageBatch) error {
	b := o.sort(batch)
	if b.Empty() {
		return nil
	}
	result, err := s.Write(ctx, b)
	if err != nil {
		return fmt.Errorf("storing a batch of %d readings: %w", len(b.Readings), err)
	}
	o.stored.Incr(int64(result.Stored))
	o.duplicates.Incr(int64(result.Duplicates))
	o.anomalies.Incr(int64(result.Anomalies))
	o.countLetters(b.DeadLetters, result.Refused)
	if result.Strangers > 0 {
		o.warnStrangers.Do(func() {
			o.log.Warnf("%d readings that tumbling_window had counted were dropped or given another sensor or time after it; they are in no aggregate. Put tumbling_window after everything that does so.", result.Strangers)
		})
	}
	return nil
}

// sort tells readings, panes, anomalies and the rest apart.
func (o *output) sort(batch service.MessageBatch) *store.Batch {
	items := o.decoder.Batch(batch)
	b := &store.Batch{Readings: make([]*reading.Reading, 0, len(batch))}
	for i, item := range items {
		switch {
		case item.Err != nil:
			b.DeadLetters = append(b.DeadLetters, letterOf(batch[i], item.Err))
		case !item.Tick.IsZero():
			o.ticks.Incr(1)
		case item.Reading != nil:
			b.Readings = append(b.Readings, item.Reading)
		default:
			if err := addDerived(b, batch[i]); err != nil {
				b.DeadLetters = append(b.DeadLetters, letterOf(batch[i], err))
			}
		}
	}
	b.Origin = func(r *reading.Reading) (string, []byte) {
		for i := range items {
			if items[i].Reading == r {
				letter := letterOf(batch[i], nil)
				return letter.Source, letter.Raw
			}
		}
		return "", nil
	}
	return b
}

func addDerived(b *store.Batch, msg *service.Message) error {
	kind, value := carry.Derived(msg)
	switch v := value.(type) {
	case *window.Pane:
		b.Panes = append(b.Panes, v)
		return nil
	case *anomaly.Anomaly:
		b.Anomalies = append(b.Anomalies, v)
		return nil
	}
	switch kind {
	case carry.KindAnomaly: // found by another process
		raw, err := msg.AsBytes()
		if err != nil {
			return err
		}
		a := &anomaly.Anomaly{}
		if err := a.UnmarshalJSON(raw); err != nil {
			return &reading.Error{Reason: badAnomaly, Detail: err.Error()}
		}
		b.Anomalies = append(b.Anomalies, a)
		return nil
	case carry.KindContinuation: // of an event that was found by another process
		return nil
	case carry.KindAggregate:
		return &reading.Error{Reason: aggregateAlone, Detail: "an aggregate is stored only together with its readings, in the pipeline whose tumbling_window made it"}
	}
	return &reading.Error{Reason: unknownKind, Detail: fmt.Sprintf("metadata %s is %q, want %q or %q", carry.MetaKind, kind, carry.KindAggregate, carry.KindAnomaly)}
}

// Reasons of this output, beside those of a decoder and of the store.
const (
	processingFailed reading.Reason = "processing_failed"
	badAnomaly       reading.Reason = "bad_anomaly"
	aggregateAlone   reading.Reason = "aggregate_without_readings"
	unknownKind      reading.Reason = "unknown_kind"
)

func letterOf(msg *service.Message, err error) store.DeadLetter {
	letter := store.DeadLetter{Reason: processingFailed, Source: carry.Position(msg)}
	if err != nil {
		letter.Detail = err.Error()
	}
	if refused := (*reading.Error)(nil); errors.As(err, &refused) {
		letter.Reason, letter.Detail = refused.Reason, refused.Detail
	}
	raw, err := msg.AsBytes()
	if err != nil {
		letter.Detail += "; its content cannot be encoded: " + err.Error()
	}
	letter.Raw = raw
	return letter
}

func (o *output) countLetters(groups ...[]store.DeadLetter) {
	for _, letters := range groups {
		for _, l := range letters {
			o.deadLetters.Incr(1, string(l.Reason))
		}
	}
}

const (
	maintainEvery = time.Hour

	// rollUpEvery is also how long nothing may be added to a bucket before it is
	// rolled up. Shorter rolls up the running bucket more often than anybody looks.
	rollUpEvery = 10 * time.Second
)

// maintain makes and drops partitions once an hour, and rolls up.
func (o *output) maintain(ctx context.Context, s *store.Store) {
	ticker := time.NewTicker(rollUpEvery)
	defer ticker.Stop()
	var maintained time.Time
	failing := false
	for {
		if now := time.Now(); now.Sub(maintained) >= maintainEvery {
			maintained = now
			dropped, err := s.Maintain(ctx)
			if len(dropped) > 0 {
				o.log.Infof("dropped %d partitions past retention, the last is %s", len(dropped), dropped[len(dropped)-1])
			}
			if err != nil && ctx.Err() == nil {
				o.log.Warnf("maintaining partitions: %v; trying again in an hour", err)
			}
		}
		_, err := s.RollUp(ctx, rollUpEvery)
		if err != nil && !failing && ctx.Err() == nil {
			o.log.Warnf("%v; dashboards over long ranges are slower until it works again", err)
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes the connections. The host has no write running when it calls it.
func (o *output) Close(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store == nil {
		return nil
	}
	o.stopMaintenance()
	o.maintenance.Wait()
	o.store.Close()
	o.store = nil
	return nil
}
