package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/embedded"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

// buildmon builds the program once.
var buildmon = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "buildmon-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "buildmon")
	if out, err := exec.Command("go", "build", "-o", path, "../..").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building buildmon: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := buildmon(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// soon bounds everything that has to happen in the end, on however busy a machine.
const soon = 3 * time.Minute

// site is a topic and a database of a test's own.
type site struct {
	t       *testing.T
	brokers string
	topic   string
	dsn     string
	pool    *pgxpool.Pool
	client  *kgo.Client
	admin   *kadm.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, topic: fmt.Sprintf("e2e-%d", time.Now().UnixNano()), dsn: testpg.New(t)}
	if s.brokers = os.Getenv("BUILDMON_TEST_KAFKA"); s.brokers == "" {
		kafka, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(kafka.Stop)
		s.brokers = strings.Join(kafka.Brokers(), ",")
		t.Log("BUILDMON_TEST_KAFKA is not set: tested with the embedded broker, not with Apache Kafka")
	}
	var err error
	s.pool, err = pgxpool.New(t.Context(), s.dsn)
	require.NoError(t, err)
	t.Cleanup(s.pool.Close)
	s.client, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(s.brokers, ",")...))
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	s.admin = kadm.NewClient(s.client)
	return s
}

// produced is how many records the topic holds.
func (s *site) produced() (n int64) {
	s.t.Helper()
	ends, err := s.admin.ListEndOffsets(s.t.Context(), s.topic)
	require.NoError(s.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// committed is how many records a consumer group has done.
func (s *site) committed(group string) (n int64) {
	offsets, err := s.admin.FetchOffsets(s.t.Context(), group)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

// process is a running buildmon.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{} // closed when it has ended
	err  error         // of its end
}

// start runs buildmon with a pipeline of the repository.
func (s *site) start(pipeline string, env ...string) *process {
	s.t.Helper()
	path, err := buildmon()
	require.NoError(s.t, err)
	p := &process{t: s.t, log: &bytes.Buffer{}, done: make(chan struct{})}
	if !filepath.IsAbs(pipeline) {
		pipeline = filepath.Join("../../pipelines", pipeline)
	}
	p.cmd = exec.Command(path, "-c", pipeline, "-s", "http.enabled=false")
	p.cmd.Env = append(os.Environ(),
		"BUILDMON_KAFKA_BROKERS="+s.brokers, "BUILDMON_KAFKA_TOPIC="+s.topic, "BUILDMON_KAFKA_GROUP="+s.topic,
		"BUILDMON_POSTGRES_DSN="+s.dsn)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	require.NoError(s.t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // unless it has ended
		<-p.done
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", pipeline, p.log)
		}
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	<-p.done
}

// stop asks the process to end and wants it to do so cleanly, and within the 20 s that
// are promised, with something for a busy machine.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.wait(40 * time.Second)
}

func (p *process) wait(most time.Duration) {
	p.t.Helper()
	select {
	case <-p.done:
		require.NoError(p.t, p.err, p.log.String())
	case <-time.After(most):
		p.t.Fatalf("still running after %s:\n%s", most, p.log)
	}
}

func (s *site) number(sql string) (n int64) {
	s.t.Helper()
	require.NoError(s.t, s.pool.QueryRow(s.t.Context(), sql).Scan(&n))
	return n
}

// readings is 0 as long as the table is not there.
func (s *site) readings() (n int64) {
	_ = s.pool.QueryRow(context.Background(), "SELECT count(*) FROM sensor_readings").Scan(&n)
	return n
}

func (s *site) waitForReadings(want int64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.readings() >= want }, soon, 50*time.Millisecond,
		"%d readings wanted", want)
	require.Equal(s.t, want, s.readings())
}

func (s *site) requireAggregatesEqualReadings() {
	s.t.Helper()
	audit, err := store.CheckAggregates(s.t.Context(), s.pool)
	require.NoError(s.t, err)
	require.NotZero(s.t, audit.Windows)
	require.Zero(s.t, audit.Wrong, "the first wrong window is %s", audit.FirstWrong)
}
