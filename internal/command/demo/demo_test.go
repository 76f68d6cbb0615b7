package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"buildmon/internal/command/demo"
	"buildmon/internal/embedded"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	_ "buildmon/plugins/all"
)

const childEnv = "BUILDMON_DEMO_CHILD"

// TestMain lets the test binary stand in for a demo that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, demo.Run(context.Background(), config(dir, os.Stdout)))
		os.Exit(1)
	}
	testpg.Main(m)
}

func config(dir string, out interface{ Write([]byte) (int, error) }) demo.Config {
	return demo.Config{Dir: dir, History: 2 * time.Hour, Version: "test", Out: out, Now: time.Now}
}

// newDir is a directory that another user can reach, as Postgres runs as one when
// root starts it.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "buildmon-demo-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

// output is written to by one goroutine and read by another.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// addresses are what a running demo has noted for other commands.
func addresses(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "demo.env"))
	if err != nil {
		return nil, err
	}
	return service.ParseEnvFile(text)
}

// ask asks the database of a running demo; there is no answer as long as nobody
// answers.
func ask[T any](ctx context.Context, dir, sql string) (answer T) {
	env, err := addresses(dir)
	if err != nil {
		return answer
	}
	conn, err := pgx.Connect(ctx, env["BUILDMON_POSTGRES_DSN"])
	if err != nil {
		return answer
	}
	defer conn.Close(ctx)
	_ = conn.QueryRow(ctx, sql).Scan(&answer) // the table may not be there yet
	return answer
}

const countReadings = "SELECT count(*) FROM sensor_readings"

// isUpToDate asks whether a demo that began with so many readings has caught up
// with the clock. A watermark lies ten seconds behind the newest reading of its
// partition.
func isUpToDate(before int) string {
	return fmt.Sprintf("SELECT count(*) = 3 AND min(watermark) > now() - interval '15s' AND (%s) > %d FROM window_watermarks", countReadings, before+10)
}

// runUntil runs a demo until a query of its database is true, then ends it as
// Ctrl-C does. It calls meanwhile before the end.
func runUntil(t *testing.T, conf demo.Config, out *output, sql string, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	done := make(chan struct{})
	go func() { defer close(done); err = demo.Run(ctx, conf) }()
	t.Cleanup(func() { cancel(); <-done }) // a test that fails leaves no server behind either
	require.Eventually(t, func() bool { return ask[bool](t.Context(), conf.Dir, sql) }, 3*time.Minute, 50*time.Millisecond, out)
	meanwhile()
	cancel()
	<-done
	require.NoError(t, err)
	require.Contains(t, out.String(), "aggregates equal the readings: yes, ")
	require.Contains(t, out.String(), "the next demo with this --dir goes on from here")
}

// requireComplete starts the database of a demo that has ended and requires
// exactly the readings that the simulator makes, from the first one on, without
// a gap where the demo was stopped or killed.
func requireComplete(t *testing.T, dir string) (readings int) {
	t.Helper()
	require.NoFileExists(t, filepath.Join(dir, "postgres", "data", "postmaster.pid"), "Postgres was left running")
	p, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: filepath.Join(dir, "postgres")})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop()) }()
	pool, err := store.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	defer pool.Close()

	audit, err := store.CheckAggregates(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, audit.Wrong, audit.FirstWrong)
	require.Positive(t, audit.Windows)

	got := map[reading.Identity]float64{}
	latest := map[string]time.Time{} // of each sensor
	var newest time.Time
	var id string
	var at time.Time
	var temperature float64
	rows, err := pool.Query(t.Context(), `SELECT sensor_id, "timestamp", temperature FROM sensor_readings ORDER BY "timestamp"`)
	require.NoError(t, err)
	var first time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &at, &temperature}, func() error {
		if first.IsZero() {
			first = at
		}
		newest, latest[id] = at, at
		got[reading.Identity{SensorID: id, Micros: at.UnixMicro()}] = temperature
		return nil
	})
	require.NoError(t, err)

	sim, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 3, Floors: 4, RoomsPerFloor: 6, Location: time.UTC,
		Start: first, End: newest.Add(time.Millisecond), Interval: 10 * time.Second, FaultShare: 0.01, FaultKinds: simulate.Faults(), Stories: true,
	})
	require.NoError(t, err)
	// What was made in the last moments may wait in the broker for the next start, of
	// some partitions more than of others. What comes later of a sensor waits behind it.
	waiting := newest.Add(-time.Minute)
	var e simulate.Event
	for sim.Next(&e) {
		key := e.Reading.Identity()
		value, ok := got[key]
		require.True(t, ok || e.Reading.Time.After(waiting) && e.Reading.Time.After(latest[e.Reading.SensorID]), "missing %s at %s; newest is %s", e.Reading.SensorID, e.Reading.Time, newest)
		if ok {
			require.InDelta(t, e.Reading.Values[reading.Temperature], value, 1e-9)
			delete(got, key)
			readings++
		}
	}
	require.Empty(t, got, "readings that the simulator never made")
	var refused int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM dead_letters").Scan(&refused))
	require.Zero(t, refused)
	return readings
}

// forget takes the last minutes from the database of a demo that has ended, as
// if it had ended that much earlier. The broker does not deliver them again.
func forget(t *testing.T, dir string, last time.Duration) {
	t.Helper()
	p, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: filepath.Join(dir, "postgres")})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop()) }()
	conn, err := pgx.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	cut := time.Now().Add(-last).Truncate(30 * time.Second) // where a window begins
	for table, column := range map[string]string{"sensor_readings": "timestamp", "sensor_anomalies": "timestamp", "window_aggregates": "window_start"} {
		tag, err := conn.Exec(t.Context(), fmt.Sprintf("DELETE FROM %s WHERE %q >= $1", table, column), cut)
		require.NoError(t, err)
		require.True(t, tag.RowsAffected() > 0 || table == "sensor_anomalies")
	}
}

// A demo is killed while it fills in history, started again, stopped, and
// started once more: it always goes on where it was.
func TestDemoGoesOnWhereItStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dir := newDir(t)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	child.Stdout, child.Stderr = os.Stderr, os.Stderr
	require.NoError(t, child.Start())
	require.Eventually(t, func() bool { return ask[int](t.Context(), dir, countReadings) > 100 }, 3*time.Minute, 20*time.Millisecond)

	err := demo.Run(t.Context(), config(dir, &output{}))
	require.EqualError(t, err, "another demo is running in "+dir+": stop it, or choose another directory with --dir")

	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // killed

	var out output
	runUntil(t, config(dir, &out), &out, isUpToDate(0), func() {})
	readings := requireComplete(t, dir)
	require.Greater(t, readings, 2*360*72*9/10) // two hours of 72 sensors, a few of them silent

	forget(t, dir, 10*time.Minute)
	var again output
	runUntil(t, config(dir, &again), &again, isUpToDate(readings), func() {
		_, at, _ := strings.Cut(again.String(), "metrics   ")
		url, _, _ := strings.Cut(at, "/metrics")
		for _, path := range []string{"/metrics", "/ready"} {
			answer, err := http.Get(url + path)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusOK, answer.StatusCode, path)
		}
	})
	require.Greater(t, requireComplete(t, dir), readings)
}

func TestServersOfTheUser(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	dsn := testpg.New(t)
	var out output
	conf := config(newDir(t), &out)
	conf.DSN, conf.Brokers = dsn, cluster.ListenAddrs()
	conf.Size = func() (int, int) { return 100, 30 }
	runUntil(t, conf, &out, "SELECT count(*) > 0 FROM sensor_readings", func() {
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "Building A  Floor 1") }, 3*time.Minute, 50*time.Millisecond, &out)
	})

	require.NoDirExists(t, filepath.Join(conf.Dir, "postgres"))
	require.NoDirExists(t, filepath.Join(conf.Dir, "kafka"))
	parsed, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	if parsed.Password != "" {
		require.NotContains(t, out.String(), parsed.Password)
	}
	require.Contains(t, out.String(), "\x1b[J")
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM sensor_readings").Scan(&n))
	require.Positive(t, n)

	// By its duration, beginning now.
	conf.Duration, conf.History, conf.Size = time.Second, 0, nil
	out = output{}
	require.NoError(t, demo.Run(t.Context(), conf))
	require.Contains(t, out.String(), "The buildings go on in real time.")
	require.Contains(t, out.String(), "aggregates equal the readings: yes, ")
}

func TestErrorsSayWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	for _, test := range []struct {
		name        string
		change      func(*demo.Config)
		errContains []string
	}{
		{"no directory", func(c *demo.Config) { c.Dir = "" }, []string{"dir must not be empty"}},
		{"duration", func(c *demo.Config) { c.Duration = -1 }, []string{"duration must not be negative, got -1ns"}},
		{"history", func(c *demo.Config) { c.History = -time.Hour }, []string{"history must not be negative, got -1h0m0s"}},
		{"directory", func(c *demo.Config) { c.Dir = filepath.Join(file, "below") }, []string{"creating the directory of the demo", "--dir"}},
		{"log", func(c *demo.Config) { require.NoError(t, os.MkdirAll(filepath.Join(c.Dir, "buildmon.log"), 0o755)) }, []string{"opening the log", "--dir"}},
		{"kafka", func(c *demo.Config) { c.Brokers = []string{"127.0.0.1:1"} }, []string{`creating topic "sensors" at 127.0.0.1:1`, "--kafka"}},
		{"postgres", func(c *demo.Config) {
			c.Brokers, c.DSN = cluster.ListenAddrs(), "postgres://u:"+"hushhush@127.0.0.1:1/db"
		}, []string{"connecting to postgres at 127.0.0.1:1", "--postgres"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf := config(newDir(t), &output{})
			test.change(&conf)
			err := demo.Run(t.Context(), conf)
			for _, part := range test.errContains {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), "hushhush")
		})
	}
}

// Whoever has enough of it during the start gets no error and no server.
func TestStopDuringStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out output
	conf := config(newDir(t), &out)
	require.NoError(t, demo.Run(ctx, conf))
	require.Contains(t, out.String(), "Stopped before it had started.")
	require.NoFileExists(t, filepath.Join(conf.Dir, "postgres", "data", "postmaster.pid"))
}
