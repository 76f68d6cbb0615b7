package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/dashboards"
	"buildmon/dashboards/pgquery"
	"buildmon/internal/alert"
)

// heard is a message that a webhook got.
type heard struct {
	alert.Message
	key  string // that makes repeated messages one
	when time.Time
}

// webhook is a receiver of messages.
type webhook struct {
	*httptest.Server
	heard chan heard
}

// newWebhook answers as a handler does, once the message was noted.
func newWebhook(t *testing.T, answer http.HandlerFunc) *webhook {
	t.Helper()
	w := &webhook{heard: make(chan heard, 1000)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h := heard{key: r.Header.Get("Idempotency-Key"), when: time.Now()}
		if err == nil {
			err = json.Unmarshal(body, &h.Message)
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.heard <- h
		answer(rw, r)
	}))
	t.Cleanup(w.CloseClientConnections)
	return w
}

// next waits for a message that says something of a metric of a sensor.
func (w *webhook) next(t *testing.T, sensor, metric string) (heard, alert.Alert) {
	t.Helper()
	timeout := time.After(soon)
	for {
		select {
		case h := <-w.heard:
			for _, a := range h.Alerts {
				if a.SensorID == sensor && a.Metric == metric {
					return h, a
				}
			}
		case <-timeout:
			t.Fatalf("no message about %s", sensor)
		}
	}
}

func fine(http.ResponseWriter, *http.Request) {}

// quick are settings of alerts.yaml for tests.
func quick(more ...string) []string {
	return append([]string{
		"BUILDMON_ALERT_INTERVAL=200ms", "BUILDMON_ALERT_GROUP_WAIT=0s", "BUILDMON_ALERT_GROUP_INTERVAL=0s",
		"BUILDMON_ALERT_MAX_AGE=24h",
	}, more...)
}

// A fault in a simulated room becomes an event, a mark on the room's panels, a message,
// and a message that it is over, in this order. The simulation runs 600 times as fast
// as the clock and two hours behind it, as an event is over an hour after its
// last finding.
func TestWayOfAFault(t *testing.T) {
	const sensor, room = "bldg-a-f1-office-101", "BuildingA-Floor1-Office-101"
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)
	faultFrom, faultTo := begin.Add(20*time.Minute), begin.Add(35*time.Minute)

	// standalone.yaml with a healthy portfolio, in one room of which it gets hot.
	original, err := os.ReadFile("../../pipelines/standalone.yaml")
	require.NoError(t, err)
	text := strings.Replace(string(original), "  processors:\n", fmt.Sprintf(`  processors:
    - mutation: |
        let hot = this.sensor_id == %q && this.timestamp.ts_unix() >= %d && this.timestamp.ts_unix() < %d
        root.temperature = if $hot { 41.5 } else { this.temperature }
`, sensor, faultFrom.Unix(), faultTo.Unix()), 1)
	require.Contains(t, text, "41.5")
	pipeline := filepath.Join(t.TempDir(), "standalone.yaml")
	require.NoError(t, os.WriteFile(pipeline, []byte(text), 0o600))

	s := newSite(t)
	hook := newWebhook(t, fine)
	alerts := s.start("alerts.yaml", quick("BUILDMON_ALERT_WEBHOOK_URL="+hook.URL)...)
	monitor := s.start(pipeline, "BUILDMON_SIMULATOR_START="+begin.Format(time.RFC3339), "BUILDMON_SIMULATOR_SPEED=600", "BUILDMON_SIMULATOR_FAULTS=0",
		"BUILDMON_LIMITS_FILE=../../configs/limits.yaml")

	first, begun := hook.next(t, sensor, "temperature")
	require.Equal(t, alert.New, begun.Status)
	require.Equal(t, "firing", first.Status)
	require.Equal(t, room, begun.RoomID)
	require.False(t, begun.Started.Before(faultFrom), "the fault begins at %s, the alert at %s", faultFrom, begun.Started)
	require.Less(t, begun.Started.Sub(faultFrom), time.Minute)

	// It is marked on the panels of the room, from its beginning.
	mark := s.annotation(room, faultFrom, faultTo)
	require.True(t, mark.Equal(begun.Started), "marked from %s, told from %s", mark, begun.Started)
	var stored, created time.Time
	require.NoError(t, s.pool.QueryRow(t.Context(), `SELECT min(created_at) FROM sensor_readings WHERE sensor_id = $1 AND temperature = 41.5`, sensor).Scan(&stored))
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT created_at FROM sensor_events WHERE sensor_id = $1 AND metric = 'temperature' AND started_at = $2", sensor, mark).Scan(&created))

	var last heard
	var ended alert.Alert
	for ended.Status != alert.Resolved {
		last, ended = hook.next(t, sensor, "temperature")
		require.Contains(t, []alert.Status{alert.Worse, alert.Resolved}, ended.Status)
	}
	require.False(t, ended.Last.Before(faultTo.Add(-time.Minute)), "it was hot until %s, told is %s", faultTo, ended.Last)
	require.True(t, ended.Started.Equal(begun.Started))
	require.NotEqual(t, first.key, last.key)
	require.Zero(t, s.number("SELECT count(*) FROM sensor_events WHERE open AND metric = 'temperature' AND sensor_id = '"+sensor+"'"))

	var recovered time.Time
	require.NoError(t, s.pool.QueryRow(t.Context(), `SELECT created_at FROM sensor_readings WHERE sensor_id = $1 AND "timestamp" > $2 ORDER BY "timestamp" LIMIT 1`,
		sensor, ended.Last.Add(30*time.Minute)).Scan(&recovered))
	require.False(t, created.Before(stored), "stored in one transaction")
	require.True(t, first.when.After(created))
	require.True(t, last.when.After(recovered))
	alerts.stop()
	monitor.stop()
	require.Zero(t, s.number("SELECT count(*) FROM alert_messages WHERE delivered_at IS NULL"))

	since := func(when time.Time) string { return fmt.Sprintf("%+.3f s", when.Sub(stored).Seconds()) }
	clock := func(when time.Time) string { return when.UTC().Format("15:04:05") }
	t.Logf("the way of a fault, event time (600 times the clock) and time after its first reading was stored:")
	t.Logf("  %s  %-10s first reading at fault stored", clock(faultFrom), since(stored))
	t.Logf("  %s  %-10s event, and its mark on the panels of %s", clock(mark), since(created), room)
	t.Logf("  %s  %-10s message: %s", clock(begun.Started), since(first.when), first.Title)
	t.Logf("  %s             last reading at fault", clock(ended.Last))
	t.Logf("  %s  %-10s reading that ends the event stored", clock(ended.Last.Add(30*time.Minute)), since(recovered))
	t.Logf("  %s  %-10s message: %s", clock(ended.Last), since(last.when), last.Title)
}

// annotation is from when on the dashboard of a room marks something as unusual, by the
// query that Grafana sends.
func (s *site) annotation(room string, from, to time.Time) (begins time.Time) {
	s.t.Helper()
	board, err := dashboards.Room()
	require.NoError(s.t, err)
	query, ok := board.Annotations.List[0].Target.(pgquery.Query)
	require.True(s.t, ok)
	sql, err := pgquery.Expand(query.RawSQL, pgquery.Env{From: from, To: to, Variables: map[string]pgquery.Variable{
		"building": pgquery.Many("Building A"), "floor": pgquery.Many("Floor 1"), "room": pgquery.Many(room),
		"severity": pgquery.Many("critical", "high"), "detector": pgquery.Many("threshold", "spike_detector", "isolation_forest"),
	}})
	require.NoError(s.t, err)
	require.NoError(s.t, s.pool.QueryRow(s.t.Context(), `SELECT min("time") FROM (`+sql+`) marks`).Scan(&begins))
	return begins
}

// A process dies between the request of a message and the answer to it. The message
// comes again, with the same id, and it is the only one that does.
func TestAlertsOutliveAProcess(t *testing.T) {
	s := newSite(t)
	hang := make(chan struct{})
	silent := newWebhook(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hang) })
	dying := s.start("alerts.yaml", quick("BUILDMON_ALERT_WEBHOOK_URL="+silent.URL)...)
	s.waitForTable("alert_messages")
	now := time.Now().UTC()
	event := func(sensor string, started time.Time) {
		_, err := s.pool.Exec(t.Context(), `INSERT INTO anomaly_events (sensor_id, detector, anomaly_type, metric, started_at, last_at, quiet, readings,
			anomaly_score, peak_at, severity, explanation, building) VALUES ($1, 'threshold', 'co2_too_high', 'co2', $2, $2, '30min', 1, 0.95, $2, 'critical', 'CO₂ is too high.', 'HQ')`, sensor, started)
		require.NoError(t, err)
	}
	event("101", now.Add(-time.Minute))
	before, _ := silent.next(t, "101", "co2")
	event("102", now)
	require.Eventually(t, func() bool { return s.number("SELECT count(*) FROM alert_messages") == 2 }, soon, 50*time.Millisecond)
	dying.kill()

	hook := newWebhook(t, fine)
	env := quick("BUILDMON_ALERT_WEBHOOK_URL=" + hook.URL)
	one, other := s.start("alerts.yaml", env...), s.start("alerts.yaml", env...)
	first := s.leader(0)
	again, a := hook.next(t, "101", "co2")
	require.Equal(t, before.key, again.key)
	require.Equal(t, before.Message.ID, again.Message.ID)
	require.Equal(t, alert.New, a.Status)
	second, _ := hook.next(t, "102", "co2")
	require.NotEqual(t, again.key, second.key)
	require.Eventually(t, func() bool {
		return s.number("SELECT count(*) FROM alert_messages WHERE delivered_at IS NOT NULL") == 2
	}, soon, 50*time.Millisecond)

	// One ends, and the other goes on.
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT pg_terminate_backend($1)", first).Scan(nil))
	event("103", now)
	third, _ := hook.next(t, "103", "co2")
	require.NotEqual(t, second.key, third.key)
	s.leader(first)
	one.stop()
	other.stop()
	require.Empty(t, hook.heard, "two processes send nothing twice")
}

// leader waits for a process to lead, by another session than before, and returns the
// process id of its session.
func (s *site) leader(before int64) (pid int64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		pid = s.number(`SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1634497140 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		return pid != 0 && pid != before
	}, soon, 20*time.Millisecond)
	return pid
}

// waitForTable waits until a process has made the tables.
func (s *site) waitForTable(name string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		var there bool
		err := s.pool.QueryRow(s.t.Context(), "SELECT to_regclass($1) IS NOT NULL", name).Scan(&there)
		return err == nil && there
	}, soon, 50*time.Millisecond)
}
