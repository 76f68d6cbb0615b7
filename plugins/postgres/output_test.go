package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/testpg"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/testconfig"
)

func newOutput(t *testing.T, config string, args ...any) *output {
	t.Helper()
	conf, err := outputSpec().ParseYAML(fmt.Sprintf(config, args...), nil)
	require.NoError(t, err)
	o, err := newFromConfig(conf, service.MockResources())
	require.NoError(t, err)
	return o
}

func connected(t *testing.T, config string, args ...any) *output {
	t.Helper()
	o := newOutput(t, config, args...)
	require.NoError(t, o.Connect(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Close(context.Background())) })
	return o
}

func wire(sensor string, more string) string {
	return fmt.Sprintf(`{"sensor_id":%q,"building":"Building A","timestamp":"2026-01-05T09:30:00Z"%s}`, sensor, more)
}

func message(offset int, content string) *service.Message {
	msg := service.NewMessage([]byte(content))
	msg.MetaSetMut(carry.MetaTopic, "sensors")
	msg.MetaSetMut(carry.MetaPartition, 2)
	msg.MetaSetMut(carry.MetaOffset, offset)
	return msg
}

func query(t *testing.T, dsn, sql string) (s string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&s))
	return s
}

func TestConfig(t *testing.T) {
	for _, test := range []struct{ config, errContains, lintContains string }{
		{config: "dsn: postgres://localhost/x"},
		{config: "dsn: postgres://localhost/x\nretention: { readings: 48h, aggregates: 720h }"},
		{config: "{}", errContains: "field 'dsn' is required", lintContains: "field dsn is required"},
		{"dsn: 'postgres://localhost:port/x'", "parsing the DSN", testconfig.NotLinted},
		{"dsn: postgres://localhost/x\nretention: { readings: -1h }", "retention of readings must not be negative, got -1h0m0s", "must not be negative, got -1h"},
		{"dsn: postgres://localhost/x\nretention: { aggregates: 1h }", "retention of aggregates 1h0m0s must not be shorter", testconfig.NotLinted},
		{"dsn: postgres://localhost/x\ntimeout: 0s", "timeout must be positive, got 0s", "must be positive, got 0s"},
		{"dsn: postgres://localhost/x\ntable: mine", `table "mine" needs columns`, ""},
		{"dsn: postgres://localhost/x\ncolumns: root = this", "columns needs table", ""},
		{"dsn: postgres://localhost/x\ntable: a.b.c\ncolumns: root = this", `table is "a.b.c", want table or schema.table`, testconfig.NotLinted},
	} {
		t.Run(test.config, func(t *testing.T) {
			indented := "    " + strings.ReplaceAll(test.config, "\n", "\n    ")
			lints, err := service.GlobalEnvironment().NewComponentConfigLinter().LintOutputYAML([]byte("postgres:\n" + indented))
			require.NoError(t, err)
			conf, err := outputSpec().ParseYAML(test.config, nil)
			if err == nil {
				_, err = newFromConfig(conf, service.MockResources())
			}
			testconfig.Require(t, err, lints, test.errContains, test.lintContains)
		})
	}
}

func TestBadMessagesStopNothingAndVanishNowhere(t *testing.T) {
	dsn := testpg.New(t)
	o := connected(t, "dsn: %s", dsn)
	failed := message(3, wire("failed", ""))
	failed.SetError(errors.New("a mapping failed"))
	batch := service.MessageBatch{
		message(0, wire("good", `,"temperature":21`)),
		message(1, `{"sensor_id":`),
		message(2, wire("absurd", `,"humidity":900`)),
		failed,
		message(4, "\xff\x00"),
		service.NewMessage([]byte(strings.Repeat("x", 10<<20))),
		message(6, wire("deep", `,"huge":1e200000`)),
		message(7, wire("better", `,"temperature":22`)),
	}
	for range 2 { // delivered twice, kept once
		require.NoError(t, o.WriteBatch(t.Context(), batch.Copy()))
	}
	require.Equal(t, "better good", query(t, dsn, "SELECT string_agg(sensor_id, ' ' ORDER BY sensor_id) FROM sensor_readings"))
	require.Equal(t,
		"sensors/2/1 malformed_json, sensors/2/2 out_of_range, sensors/2/3 processing_failed, sensors/2/4 malformed_json, sensors/2/6 out_of_range",
		query(t, dsn, "SELECT string_agg(source || ' ' || reason, ', ' ORDER BY source) FROM dead_letters WHERE source IS NOT NULL"))
	require.Equal(t, "10485760", query(t, dsn, "SELECT length(raw)::text FROM dead_letters WHERE reason = 'too_large' LIMIT 1"))
	require.Equal(t, "a mapping failed", query(t, dsn, "SELECT detail FROM dead_letters WHERE source = 'sensors/2/3'"))
	require.Equal(t, "true", query(t, dsn, `SELECT (raw = '\xff00')::text FROM dead_letters WHERE source = 'sensors/2/4'`))
}

func TestAnomaliesAreKeptWithTheirReadings(t *testing.T) {
	dsn := testpg.New(t)
	o := connected(t, "dsn: %s", dsn)
	batch := service.MessageBatch{message(0, wire("warm", `,"temperature":31`))}
	item := carry.NewDecoder(time.Now).Batch(batch)[0]
	found := &anomaly.Anomaly{Reading: item.Reading, Detector: "threshold", Type: "temperature_too_high", Metric: "temperature", Severity: anomaly.Critical, Score: 0.95, Explanation: "Warm."}
	encoded, err := found.MarshalJSON()
	require.NoError(t, err)
	batch = append(batch, carry.Derive(batch[0], carry.KindAnomaly, encoded, found))

	// One that another process found comes as JSON alone.
	foreign := service.NewMessage([]byte(`{"sensor_id":"elsewhere","timestamp":"2026-01-05T09:31:00Z","detector":"d","metric":"co2","anomaly_type":"t","anomaly_score":0.4,"explanation":"."}`))
	foreign.MetaSetMut(carry.MetaKind, carry.KindAnomaly)
	broken := message(9, `{"sensor_id":"elsewhere"}`)
	broken.MetaSetMut(carry.MetaKind, carry.KindAnomaly)
	alone := message(10, `{"window_start":"2026-01-05T09:31:00Z"}`)
	alone.MetaSetMut(carry.MetaKind, carry.KindAggregate)

	require.NoError(t, o.WriteBatch(t.Context(), append(batch, foreign, broken, alone)))
	require.Equal(t, "elsewhere low, warm critical", query(t, dsn, "SELECT string_agg(sensor_id || ' ' || severity, ', ' ORDER BY sensor_id) FROM sensor_anomalies"))
	require.Equal(t, "aggregate_without_readings, bad_anomaly", query(t, dsn, "SELECT string_agg(reason, ', ' ORDER BY reason) FROM dead_letters"))
}

// Ticks are for processors. A tick that tells no time is a bad message like others.
func TestTicksAreNotStored(t *testing.T) {
	dsn := testpg.New(t)
	vague := carry.NewTick(time.Now())
	vague.SetBytes([]byte("soon"))
	for _, config := range []string{"dsn: %s", "dsn: %s\ntable: mine\ncolumns: root.a = this.temperature"} {
		o := connected(t, config, dsn)
		require.NoError(t, o.WriteBatch(t.Context(), service.MessageBatch{carry.NewTick(time.Now())}))
		require.Equal(t, "0", query(t, dsn, "SELECT count(*)::text FROM dead_letters"))
	}
	o := connected(t, "dsn: %s", dsn)
	require.NoError(t, o.WriteBatch(t.Context(), service.MessageBatch{carry.NewTick(time.Now()), message(1, wire("good", "")), vague}))
	require.Equal(t, "good", query(t, dsn, "SELECT string_agg(sensor_id, ' ') FROM sensor_readings"))
	require.Equal(t, "bad_tick", query(t, dsn, "SELECT string_agg(reason, ' ') FROM dead_letters"))
}

func TestTableOfTheUsersOwn(t *testing.T) {
	dsn := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "CREATE TABLE measurements (device text PRIMARY KEY, at timestamptz, celsius real)")
	require.NoError(t, err)

	o := connected(t, `
dsn: %s
table: measurements
columns: |
  root.device = this.sensor_id
  root.at = this.timestamp
  root.celsius = this.temperature | deleted()
  root = if this.sensor_id == "skipped" { deleted() }
`, dsn)
	batch := service.MessageBatch{
		message(0, wire("a", `,"temperature":21.5`)), message(1, wire("b", "")), message(2, "{"),
		message(3, wire("skipped", "")), message(4, wire("c", `,"temperature":"warm"`)),
	}
	for range 2 {
		require.NoError(t, o.WriteBatch(t.Context(), batch.Copy()))
	}
	require.Equal(t, "a 21.5, b -", query(t, dsn, "SELECT string_agg(device || ' ' || coalesce(celsius::text, '-'), ', ' ORDER BY device) FROM measurements"))
	require.Equal(t, "sensors/2/2 mapping_failed, sensors/2/4 refused_by_database", query(t, dsn, "SELECT string_agg(source || ' ' || reason, ', ' ORDER BY source) FROM dead_letters"))
}

// door is a proxy in front of the database that can be shut. It keeps its port
// meanwhile, which somebody else could take.
type door struct {
	mu   sync.Mutex
	shut bool
	open []net.Conn
}

func newDoor(t *testing.T, dsn string) (d *door, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d = &door{shut: true}
	t.Cleanup(func() { _ = l.Close(); d.lock() })
	to := u.Host
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			d.pass(in, to)
		}
	}()
	u.Host = l.Addr().String()
	return d, u.String()
}

// pass connects a client with the database, or cuts it off.
func (d *door) pass(in net.Conn, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		_ = in.Close()
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		_ = in.Close()
		return
	}
	d.open = append(d.open, in, out)
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
}

func (d *door) unlock() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = false
}

// lock refuses new connections and cuts those that are open.
func (d *door) lock() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for _, c := range d.open {
		_ = c.Close()
	}
	d.open = nil
}

// The stream starts while the database is away, loses it and gets it back:
// nothing is acknowledged that is not stored, and nothing is sent through the
// processors twice.
func TestStreamOutlivesTheDatabase(t *testing.T) {
	dsn := testpg.New(t)
	d, through := newDoor(t, dsn)

	builder := service.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML("level: none"))
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	require.NoError(t, builder.AddProcessorYAML(`
mapping: |
  root = this
  root.processed = counter()`))
	require.NoError(t, builder.AddOutputYAML("postgres: { dsn: '"+through+"' }"))
	stream, err := builder.Build()
	require.NoError(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- stream.Run(context.Background()) }()

	const batches = 20
	acked := make(chan error)
	go func() {
		for i := range batches {
			acked <- produce(context.Background(), service.MessageBatch{message(i, wire(fmt.Sprintf("s%02d", i), ""))})
		}
	}()
	select {
	case <-acked:
		t.Fatal("acknowledged while the database was away")
	case <-time.After(300 * time.Millisecond):
	}
	d.unlock()
	for i := range batches {
		require.NoError(t, <-acked)
		require.Equal(t, "true", query(t, dsn, fmt.Sprintf("SELECT (count(*) > %d)::text FROM sensor_readings", i)))
		if i%5 == 2 {
			d.lock()
			d.unlock()
		}
	}
	require.Equal(t, fmt.Sprint(batches), query(t, dsn, "SELECT max((extra->>'processed')::int)::text FROM sensor_readings"))
	require.NoError(t, stream.StopWithin(time.Minute))
	<-stopped
}

func TestConnectSaysWhatIsWrongAndWaits(t *testing.T) {
	o := newOutput(t, "dsn: postgres://me:hunter2@127.0.0.1:1/there")
	err := o.Connect(t.Context())
	var wait *service.ErrBackOff
	require.ErrorAs(t, err, &wait)
	require.ErrorContains(t, err, `connecting to postgres at 127.0.0.1:1, database "there", as "me"`)
	require.NotContains(t, err.Error(), "hunter2")
	require.NoError(t, o.Close(t.Context()))
}

// A database that answers but refuses to write must not be asked again at once.
func TestRefusedWriteIsReportedOnceWithAWait(t *testing.T) {
	dsn := testpg.New(t)
	o := connected(t, "dsn: %s", dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "ALTER TABLE sensor_readings RENAME TO away")
	require.NoError(t, err)

	batch := service.MessageBatch{message(0, wire("a", ""))}
	require.ErrorIs(t, o.WriteBatch(t.Context(), batch), service.ErrNotConnected)
	var wait *service.ErrBackOff
	err = o.Connect(t.Context())
	require.ErrorAs(t, err, &wait)
	require.ErrorContains(t, err, "storing a batch of 1 readings")
	require.ErrorContains(t, err, "sensor_readings")

	_, err = conn.Exec(t.Context(), "ALTER TABLE away RENAME TO sensor_readings")
	require.NoError(t, err)
	require.NoError(t, o.Connect(t.Context()))
	require.NoError(t, o.WriteBatch(t.Context(), batch))
}
