package doctor_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/anomaly"
	"buildmon/internal/command/doctor"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

func TestMain(m *testing.M) { testpg.Main(m) }

var now = time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)

// visit is a config with no patience.
func visit(brokers []string, dsn string) doctor.Config {
	return doctor.Config{
		Brokers: brokers, Topic: "sensors", Group: "buildmon", DSN: dsn,
		Timeout: 5 * time.Second, Now: func() time.Time { return now },
	}
}

func line(t *testing.T, r *doctor.Report, name string) doctor.Line {
	t.Helper()
	for _, l := range r.Lines {
		if l.Name == name {
			return l
		}
	}
	require.Failf(t, "no such line", "%q in\n%s", name, r)
	return doctor.Line{}
}

func newBroker(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "sensors"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// produce writes n messages to each of the three partitions.
func produce(t *testing.T, cluster *kfake.Cluster, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	var records []*kgo.Record
	for i := range 3 * n {
		records = append(records, &kgo.Record{Topic: "sensors", Partition: int32(i % 3), Value: []byte("{}")})
	}
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// member joins the group and reads everything, or as much as limit says.
func member(t *testing.T, cluster *kfake.Cluster, limit int) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.ConsumerGroup("buildmon"), kgo.ConsumeTopics("sensors"), kgo.DisableAutoCommit(), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for read := 0; read < limit; {
		fetches := client.PollRecords(ctx, limit-read)
		require.NoError(t, fetches.Err0())
		read += fetches.NumRecords()
		require.NoError(t, client.CommitRecords(ctx, fetches.Records()...))
	}
	return client
}

// fill stores readings of the last hours from a few sensors, with one anomaly
// and what is refused.
func fill(t *testing.T, dsn string, sensors, each int) {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.Retention{}, func() time.Time { return now })
	require.NoError(t, err)
	defer s.Close()
	var b store.Batch
	for i := range sensors * each {
		r := &reading.Reading{SensorID: fmt.Sprintf("sensor-%d", i%sensors), Time: now.Add(-time.Duration(i/sensors+1) * 10 * time.Second)}
		for m := range r.Values {
			r.Values[m] = math.NaN()
		}
		r.Values[reading.Temperature] = 21
		b.Readings = append(b.Readings, r)
	}
	b.Anomalies = []*anomaly.Anomaly{{Reading: b.Readings[0], Detector: "threshold", Type: "t", Metric: "temperature", Severity: anomaly.Critical, Score: 0.9, Explanation: "Warm."}}
	_, err = s.Write(t.Context(), &b)
	require.NoError(t, err)
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

const insertWindow = `INSERT INTO window_aggregates (window_start, window_size, building, floor, reading_count,
	temperature_count, humidity_count, co2_count, occupancy_count, energy_count)
	VALUES ('2026-01-05 09:29:30Z', '30s', 'Building A', 'Floor 1', 1, 0, 0, 0, 0, 0)`

func TestAllGood(t *testing.T) {
	t.Parallel()
	cluster, dsn := newBroker(t), testpg.New(t)
	produce(t, cluster, 4)
	member(t, cluster, 12)
	fill(t, dsn, 3, 5)
	execute(t, dsn, insertWindow)

	r := doctor.Run(t.Context(), visit(cluster.ListenAddrs(), dsn))
	require.NoError(t, r.Err())
	for _, l := range r.Lines {
		require.Equal(t, doctor.OK, l.Status, "%s\n%s", l.Name, r)
		require.Empty(t, l.Remedy)
	}
	require.Contains(t, line(t, r, "broker").Finding, cluster.ListenAddrs()[0]+" answers for 1 broker")
	require.Equal(t, `"sensors" with 3 partitions`, line(t, r, "topic").Finding)
	require.Equal(t, `"buildmon" is read by 1 member`, line(t, r, "group").Finding)
	require.Equal(t, "0 messages", line(t, r, "lag").Finding)
	require.Equal(t, fmt.Sprintf("version %d", store.KnownSchema()), line(t, r, "schema").Finding)
	require.Equal(t, "15 of 3 sensors, the newest 10 s ago (2026-01-05 09:29:50Z)", line(t, r, "readings").Finding)
	require.Equal(t, "1, the newest 0 s ago (2026-01-05 09:30:00Z)", line(t, r, "windows").Finding)
	require.Equal(t, "1, the newest 10 s ago (2026-01-05 09:29:50Z)", line(t, r, "anomalies").Finding)
	require.Contains(t, r.String(), "10 ok, 0 warnings, 0 failed")
}

// Nothing works: each part says so by itself, also if nobody ever answers.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	defer silent.Close()

	for _, address := range []string{closed.Addr().String(), silent.Addr().String()} {
		conf := visit([]string{address}, "postgres://user:"+"hushhush@"+address+"/db?sslmode=disable")
		conf.Timeout = time.Second
		r := doctor.Run(t.Context(), conf)
		require.ErrorContains(t, r.Err(), "2 checks failed")
		require.Len(t, r.Lines, 2)
		require.Equal(t, doctor.Fail, line(t, r, "broker").Status)
		require.Contains(t, line(t, r, "broker").Remedy, "BUILDMON_KAFKA_BROKERS")
		require.Equal(t, doctor.Fail, line(t, r, "database").Status)
		require.NotContains(t, r.String(), "hushhush")
	}
}

func TestDSNIsWrong(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://user:hushhush@localhost:port/db", "host=localhost password=hushhush port=x", "hushhush"} {
		r := doctor.Run(t.Context(), doctor.Config{DSN: dsn, Timeout: time.Second, Now: time.Now})
		require.Equal(t, doctor.Fail, line(t, r, "database").Status)
		require.Equal(t, "no broker is named", line(t, r, "broker").Finding)
		require.NotContains(t, strings.ReplaceAll(r.String(), `user "hushhush"`, ""), "password=hushhush")
		require.NotContains(t, r.String(), ":hushhush")
	}
}

func TestKafkaFindings(t *testing.T) {
	t.Parallel()
	dsn := "postgres://127.0.0.1:1/x?sslmode=disable"
	t.Run("topic missing", func(t *testing.T) {
		cluster := newBroker(t)
		conf := visit(cluster.ListenAddrs(), dsn)
		conf.Topic = "elsewhere"
		r := doctor.Run(t.Context(), conf)
		require.Equal(t, doctor.Fail, line(t, r, "topic").Status)
		require.Equal(t, `"elsewhere" does not exist`, line(t, r, "topic").Finding)
		// Looking has not created it.
		r = doctor.Run(t.Context(), conf)
		require.Equal(t, doctor.Fail, line(t, r, "topic").Status)
	})
	t.Run("group unknown", func(t *testing.T) {
		cluster := newBroker(t)
		produce(t, cluster, 4000)
		r := doctor.Run(t.Context(), visit(cluster.ListenAddrs(), dsn))
		require.Equal(t, doctor.Warn, line(t, r, "group").Status)
		require.Equal(t, `"buildmon" has never read "sensors"`, line(t, r, "group").Finding)
		require.Equal(t, doctor.Warn, line(t, r, "lag").Status)
		require.Equal(t, "12,000 messages: partition 0 4,000, partition 1 4,000, partition 2 4,000", line(t, r, "lag").Finding)
	})
	t.Run("group gone", func(t *testing.T) {
		cluster := newBroker(t)
		produce(t, cluster, 2)
		member(t, cluster, 6).Close()
		produce(t, cluster, 1)
		r := doctor.Run(t.Context(), visit(cluster.ListenAddrs(), dsn))
		require.Equal(t, `"buildmon" has no member now`, line(t, r, "group").Finding)
		require.Equal(t, doctor.Warn, line(t, r, "group").Status)
		require.Equal(t, "3 messages: partition 0 1, partition 1 1, partition 2 1", line(t, r, "lag").Finding)
		require.Equal(t, doctor.OK, line(t, r, "lag").Status)
	})
}

func TestPostgresFindings(t *testing.T) {
	t.Parallel()
	look := func(t *testing.T, dsn string) *doctor.Report {
		return doctor.Run(t.Context(), visit(nil, dsn))
	}
	t.Run("schema missing", func(t *testing.T) {
		t.Parallel()
		r := look(t, testpg.New(t))
		require.Equal(t, doctor.OK, line(t, r, "database").Status)
		require.Equal(t, doctor.Fail, line(t, r, "schema").Status)
		require.Contains(t, line(t, r, "schema").Remedy, "pipelines/monitor.yaml")
	})
	t.Run("schema newer", func(t *testing.T) {
		t.Parallel()
		dsn := testpg.New(t)
		fill(t, dsn, 1, 1)
		execute(t, dsn, "INSERT INTO buildmon_schema_version (version_id, is_applied) VALUES (999, true)")
		r := look(t, dsn)
		require.Equal(t, doctor.Fail, line(t, r, "schema").Status)
		require.Contains(t, line(t, r, "schema").Finding, "version 999, this program knows up to")
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		dsn := testpg.New(t)
		s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
		require.NoError(t, err)
		s.Close()
		r := look(t, dsn)
		require.Equal(t, doctor.Warn, line(t, r, "readings").Status)
		require.Equal(t, "none yet", line(t, r, "windows").Finding)
		require.Equal(t, doctor.OK, line(t, r, "anomalies").Status)
	})
	t.Run("old and refused", func(t *testing.T) {
		t.Parallel()
		dsn := testpg.New(t)
		fill(t, dsn, 2, 3)
		execute(t, dsn, `INSERT INTO dead_letters (reason, detail, raw, created_at) SELECT 'malformed_json', '', '', '2026-01-05 10:00Z' FROM generate_series(1, 1200)`)
		execute(t, dsn, `INSERT INTO dead_letters (reason, detail, raw, created_at) VALUES ('out_of_range', '', '', '2026-01-05 11:30Z')`)
		conf := visit(nil, dsn)
		conf.Now = func() time.Time { return now.Add(3 * time.Hour) }
		r := doctor.Run(t.Context(), conf)
		require.Equal(t, doctor.Warn, line(t, r, "readings").Status)
		require.Equal(t, "6 of 2 sensors, the newest 3 h ago (2026-01-05 09:29:50Z)", line(t, r, "readings").Finding)
		require.Equal(t, doctor.Warn, line(t, r, "dead letters").Status)
		require.Equal(t, "1,201, the last 60 min ago: malformed_json 1,200, out_of_range 1", line(t, r, "dead letters").Finding)
		require.ErrorContains(t, r.Err(), "1 check failed") // no broker is named
	})
	t.Run("large", func(t *testing.T) {
		t.Parallel()
		dsn := testpg.New(t)
		fill(t, dsn, 1, 1)
		execute(t, dsn, `INSERT INTO sensor_readings (sensor_id, "timestamp")
			SELECT 's' || i % 100, '2026-01-05 00:00Z'::timestamptz + i / 100 * interval '1s' FROM generate_series(1, 150000) i`)
		execute(t, dsn, `ANALYZE sensor_readings`)
		r := look(t, dsn)
		require.Equal(t, "about 150,001 of 101 sensors, the newest 10 s ago (2026-01-05 09:29:50Z)", line(t, r, "readings").Finding)
	})
}
