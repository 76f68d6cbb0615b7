package alerts

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/store"
	"buildmon/internal/testpg"
	_ "buildmon/plugins/webhook"
)

func TestMain(m *testing.M) { testpg.Main(m) }

func TestConfig(t *testing.T) {
	const base = "dsn: postgres://u:p@localhost/d?sslmode=disable\n"
	for config, want := range map[string]string{
		"routes: [ { name: a, to: x }, { name: a, to: y } ]":         `route "a" is there twice`,
		"routes: [ { name: a } ]":                                    `no route has a destination: set ` + "`to`" + ` of one of ["a"]`,
		"routes: [ { name: a, to: x, where: { room: 1 } } ]":         `unknown member "room" in where`,
		"interval: 1h\nroutes: [ { name: a, to: x } ]":               "interval must lie within 100ms and 30s, got 1h0m0s",
		"cool_down: -1s\nroutes: [ { name: a, to: x } ]":             "cool_down must be at least 0s, got -1s",
		"time_zone: Nowhere\nroutes: [ { name: a, to: x } ]":         `unknown time zone "Nowhere"`,
		"maintenance_file: /nowhere\nroutes: [ { name: a, to: x } ]": "reading maintenance windows",
		"name: ''\nroutes: [ { name: a, to: x } ]":                   "name must not be empty",
		"give_up_after: 0s\nroutes: [ { name: a, to: x } ]":          "give_up_after must be at least 1s, got 0s",
	} {
		conf, err := Spec().ParseYAML(base+config, nil)
		require.NoError(t, err, config)
		_, err = newFromConfig(conf, service.MockResources())
		require.ErrorContains(t, err, want, config)
	}
	conf, err := Spec().ParseYAML(base+"routes: [ { name: a, to: x }, { name: b } ]", nil)
	require.NoError(t, err)
	in, err := newFromConfig(conf, service.MockResources())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, in.routes, "one without a destination is off")
}

func TestMaintenanceFile(t *testing.T) {
	windows, err := LoadMaintenance("../../configs/maintenance.yaml")
	require.NoError(t, err)
	require.Empty(t, windows)

	text, err := os.ReadFile("../../configs/maintenance.yaml")
	require.NoError(t, err)
	_, examples, found := bytes.Cut(text, []byte("windows: []\n"))
	require.True(t, found)
	windows, err = parseMaintenance(append([]byte("windows:\n"), bytes.ReplaceAll(examples, []byte("\n#"), []byte("\n"))[1:]...))
	require.NoError(t, err, "the examples are right")
	require.Len(t, windows, 2)
	require.Equal(t, "Building A", windows[0].Where["building"])
	require.Equal(t, []time.Weekday{time.Saturday}, windows[1].Weekly.Days)

	for text, want := range map[string]string{
		"windows: [ { reason: r, from: 2026-01-05T08:00:00Z } ]":                                               `window 1 ("r"): from and to are both needed`,
		"windows: [ { from: 2026-01-05T08:00:00Z, to: 2026-01-05T08:00:00Z } ]":                                "must be after",
		"windows: [ { from: 2026-01-05T08:00:00Z, until: 2026-01-05T08:00:00Z } ]":                             "field until not found",
		"windows: [ { from: 2026-01-05T08:00:00Z, to: 2026-02-05T08:00:00Z, where: { room: x } } ]":            `unknown member "room"`,
		"windows: [ { from: 2026-01-05T08:00:00Z, to: 2026-02-05T08:00:00Z, weekly: { days: [ someday ] } } ]": `unknown day "someday"`,
	} {
		_, err := parseMaintenance([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

// What a receiver refuses comes again with the same id until it is taken, and neither
// log nor table show where it went.
func TestMessageIsDeliveredUntilItIsTaken(t *testing.T) {
	dsn := testpg.New(t)
	s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
	require.NoError(t, err)
	defer s.Close()

	var calls atomic.Int32
	ids := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("Id")
		if calls.Add(1) == 1 {
			http.Error(w, "come again", http.StatusServiceUnavailable)
		}
	}))
	defer hook.Close()
	maintenance := filepath.Join(t.TempDir(), "maintenance.yaml")
	require.NoError(t, os.WriteFile(maintenance, nil, 0o600))

	var log bytes.Buffer
	b := service.NewStreamBuilder()
	b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, b.SetYAML(fmt.Sprintf(`
input:
  alerts:
    dsn: %q
    interval: 100ms
    group_wait: 0s
    maintenance_file: %q
    routes: [ { name: chat, to: %q } ]
output:
  webhook:
    url: ${! @alert_to }
    headers: { Id: "${! @alert_id } ${! @alert_route } ${! @alert_status } ${! @alert_severity }" }
`, dsn, maintenance, hook.URL+"/hunter2")))
	stream, err := b.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(t.Context()) }()

	now := time.Now()
	_, err = s.Pool().Exec(t.Context(), `INSERT INTO anomaly_events (sensor_id, detector, anomaly_type, metric, started_at, last_at, quiet, readings,
		anomaly_score, peak_at, severity, explanation, building) VALUES ('101', 'threshold', 'co2_too_high', 'co2', $1, $1, '30min', 1, 0.95, $1, 'critical', 'CO₂ is too high.', 'HQ')`, now)
	require.NoError(t, err)
	first := <-ids
	require.Equal(t, "alerts-1 chat firing critical", first)
	var failed string
	require.Eventually(t, func() bool {
		return s.Pool().QueryRow(t.Context(), "SELECT error FROM alert_messages WHERE error IS NOT NULL").Scan(&failed) == nil
	}, time.Minute, 10*time.Millisecond)
	require.Contains(t, failed, "503")
	require.NotContains(t, failed, "hunter2")
	// Not to wait for the five seconds.
	_, err = s.Pool().Exec(t.Context(), "UPDATE alert_messages SET due_at = now()")
	require.NoError(t, err)
	require.Equal(t, first, <-ids)
	require.Eventually(t, func() bool {
		var n int
		return s.Pool().QueryRow(t.Context(), "SELECT count(*) FROM alert_messages WHERE delivered_at IS NOT NULL").Scan(&n) == nil && n == 1
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, stream.StopWithin(time.Minute))
	require.NoError(t, <-ended)
	require.Empty(t, ids)
	require.NotContains(t, log.String(), "hunter2")
	require.Contains(t, log.String(), "503")
}
