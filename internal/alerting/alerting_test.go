package alerting_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"buildmon/internal/alert"
	"buildmon/internal/alerting"
	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

func TestMain(m *testing.M) { testpg.Main(m) }

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), testpg.New(t), store.Retention{}, time.Now)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func config(routes ...string) alert.Config {
	cfg := alert.Config{
		DedupBy: []string{"sensor_id", "metric"}, GroupBy: []string{"sensor_id"}, MaxAge: time.Hour,
		MaxListed: 20, Location: time.UTC,
	}
	for _, name := range routes {
		cfg.Routes = append(cfg.Routes, alert.Route{Name: name, MinSeverity: anomaly.High})
	}
	return cfg
}

func lead(t *testing.T, pool *pgxpool.Pool, routes ...string) *alerting.Session {
	t.Helper()
	s, err := alerting.Lead(t.Context(), pool, "alerts", config(routes...))
	require.NoError(t, err)
	return s
}

// write stores a reading, with a finding if it has a score.
func write(t testing.TB, s *store.Store, sensor string, when time.Time, score float64) {
	r := &reading.Reading{SensorID: sensor, Building: "HQ", Time: when.UTC().Truncate(time.Microsecond)}
	b := &store.Batch{Readings: []*reading.Reading{r}}
	if score > 0 {
		b.Anomalies = []*anomaly.Anomaly{{Reading: r, Detector: "threshold", Type: "co2_too_high", Metric: "co2", Severity: anomaly.SeverityOf(score), Score: score, Value: 1500, Explanation: "CO₂ is too high."}}
	}
	_, err := s.Write(t.Context(), b)
	require.NoError(t, err)
}

func step(t *testing.T, s *alerting.Session) (told []string) {
	t.Helper()
	result, err := s.Step(t.Context(), time.Hour)
	require.NoError(t, err)
	for _, m := range result.Messages {
		for _, a := range m.Alerts {
			told = append(told, fmt.Sprintf("%s %s %s", m.Route, a.Status, a.SensorID))
		}
	}
	return told
}

func TestEventIsToldOnceUntilItsEnd(t *testing.T) {
	s := open(t)
	now := time.Now()
	write(t, s, "history", now.Add(-2*time.Hour), 0.95)
	write(t, s, "mild", now, 0.6)
	write(t, s, "101", now.Add(-50*time.Minute), 0.8)

	leader := lead(t, s.Pool(), "chat")
	require.Equal(t, []string{"chat new 101"}, step(t, leader))
	require.Empty(t, step(t, leader))
	write(t, s, "101", now.Add(-49*time.Minute), 0.95)
	require.Equal(t, []string{"chat worse 101"}, step(t, leader))

	leader.Close() // as a restart does
	leader = lead(t, s.Pool(), "chat")
	defer leader.Close()
	require.Empty(t, step(t, leader))
	require.Equal(t, 1, leader.Firing("chat"))
	write(t, s, "101", now.Add(15*time.Minute), 0) // more than an hour after the last finding
	require.Equal(t, []string{"chat resolved 101"}, step(t, leader))

	var titles []string
	rows, err := s.Pool().Query(t.Context(), "SELECT title FROM alert_messages ORDER BY id")
	require.NoError(t, err)
	for rows.Next() {
		var title string
		require.NoError(t, rows.Scan(&title))
		titles = append(titles, title)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"new, high: 101 co2", "worse, critical: 101 co2", "resolved: 101 co2"}, titles)
}

func TestEventWhoseRowIsGoneIsOver(t *testing.T) {
	s := open(t)
	write(t, s, "101", time.Now(), 0.8)
	leader := lead(t, s.Pool(), "chat")
	defer leader.Close()
	require.Equal(t, []string{"chat new 101"}, step(t, leader))
	_, err := s.Pool().Exec(t.Context(), "DELETE FROM anomaly_events")
	require.NoError(t, err)
	require.Equal(t, []string{"chat resolved 101"}, step(t, leader))
	write(t, s, "102", time.Now(), 0.8)
	require.Equal(t, []string{"chat new 102"}, step(t, leader), "numbers go on where they were")
}

// A sensor may have to be silent for long before that is noticed: it is news then, and
// over when the sensor is back.
func TestSilence(t *testing.T) {
	s := open(t)
	now := time.Now()
	write(t, s, "101", now.Add(-10*time.Hour), 0)
	_, err := s.Pool().Exec(t.Context(), `INSERT INTO anomaly_events (sensor_id, detector, anomaly_type, metric, started_at, last_at, quiet, readings,
		anomaly_score, peak_at, severity, explanation, silence, until)
		SELECT '101', 'silence', 'silent', 'multiple', "timestamp", "timestamp", '0', 0, 0.8, "timestamp", 'high', 'It is silent.',
			jsonb_build_object('sensors', jsonb_build_array(jsonb_build_object('sensor_id', '101', 'last', "timestamp"))), now() - interval '5min'
		FROM sensor_readings`)
	require.NoError(t, err)
	leader := lead(t, s.Pool(), "chat")
	defer leader.Close()
	require.Equal(t, []string{"chat new 101"}, step(t, leader))
	require.Empty(t, step(t, leader))
	write(t, s, "101", now, 0)
	require.Equal(t, []string{"chat resolved 101"}, step(t, leader))
}

func TestOneLeads(t *testing.T) {
	s := open(t)
	first := lead(t, s.Pool(), "chat")
	require.NotNil(t, first)
	require.Nil(t, lead(t, s.Pool(), "chat"))
	other, err := alerting.Lead(t.Context(), s.Pool(), "others", config("chat"))
	require.NoError(t, err)
	require.NotNil(t, other, "of another name")
	other.Close()
	first.Close()
	second := lead(t, s.Pool(), "chat")
	require.NotNil(t, second)
	second.Close()
}

// A leader whose connection breaks has lost nothing and does nothing any more.
func TestBrokenLeader(t *testing.T) {
	s := open(t)
	write(t, s, "101", time.Now(), 0.8)
	leader := lead(t, s.Pool(), "chat")
	// Locks of other databases are those of other tests.
	_, err := s.Pool().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	require.NoError(t, err)
	_, err = leader.Step(t.Context(), time.Hour)
	require.Error(t, err)
	leader.Close()
	require.Eventually(t, func() bool { // the server ends the session
		leader = lead(t, s.Pool(), "chat")
		return leader != nil
	}, time.Minute, 10*time.Millisecond)
	defer leader.Close()
	require.Equal(t, []string{"chat new 101"}, step(t, leader))
	require.Empty(t, step(t, leader))
}

func TestMessagesWaitUntilTheyAreDelivered(t *testing.T) {
	s, routes := open(t), []string{"chat", "mail"}
	pool := s.Pool()
	write(t, s, "101", time.Now(), 0.8)
	leader := lead(t, pool, routes...)
	step(t, leader)
	write(t, s, "102", time.Now(), 0.8)
	step(t, leader)

	due := func() (ids []string, pending []alerting.Pending) {
		t.Helper()
		pending, err := leader.Due(t.Context(), routes)
		require.NoError(t, err)
		for _, p := range pending {
			ids = append(ids, p.Route+" "+p.Alerts[0].SensorID+" "+p.Message.ID)
		}
		return ids, pending
	}
	ids, pending := due()
	require.Equal(t, []string{"chat 101 alerts-1", "mail 101 alerts-2"}, ids, "the first of each route")
	leader.Close() // before anybody acknowledged
	leader = lead(t, pool, routes...)
	defer leader.Close()
	again, _ := due()
	require.Equal(t, ids, again)

	require.NoError(t, alerting.Delivered(t.Context(), pool, pending[0].ID))
	givenUp, err := alerting.Failed(t.Context(), pool, pending[1].ID, "no such mailbox", time.Hour)
	require.NoError(t, err)
	require.False(t, givenUp)
	ids, _ = due()
	require.Equal(t, []string{"chat 102 alerts-3"}, ids, "mail waits behind what failed")
	_, err = pool.Exec(t.Context(), "UPDATE alert_messages SET due_at = now() WHERE route = 'mail'")
	require.NoError(t, err)
	ids, _ = due()
	require.Equal(t, []string{"mail 101 alerts-2", "chat 102 alerts-3"}, ids)

	_, err = pool.Exec(t.Context(), "UPDATE alert_messages SET created_at = now() - interval '2h'")
	require.NoError(t, err)
	givenUp, err = alerting.Failed(t.Context(), pool, pending[1].ID, "no such mailbox", time.Hour)
	require.NoError(t, err)
	require.True(t, givenUp)
	ids, _ = due()
	require.Equal(t, []string{"chat 102 alerts-3", "mail 102 alerts-4"}, ids)

	// A route that is gone keeps nothing waiting, and what is done is not kept.
	require.NoError(t, leader.Tidy(t.Context(), []string{"chat"}, time.Hour, 90*time.Minute))
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM alert_messages").Scan(&left))
	require.Equal(t, 1, left)
}

// Events of writers whose transactions overlap are all seen, and once.
func TestNoEventIsMissedWhileOthersWrite(t *testing.T) {
	s := open(t)
	leader := lead(t, s.Pool(), "chat")
	defer leader.Close()
	const writers, each = 6, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				write(t, s, fmt.Sprintf("%d-%d", w, i), time.Now(), 0.8)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	told := map[string]int{}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for _, what := range step(t, leader) {
			told[what]++
		}
	}
	require.Len(t, told, writers*each)
	for what, n := range told {
		require.Equal(t, 1, n, what)
	}
}
