package replay

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/command/app"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	_ "buildmon/plugins/all"
)

func TestMain(m *testing.M) { testpg.Main(m) }

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func pipeline(dsn string) string {
	return fmt.Sprintf(`
input:
  broker:
    inputs:
      - alerts:
          dsn: %q
          cool_down: 2h
          routes:
            - { name: mail, min_severity: critical }
            - { name: chat, to: "http://localhost", min_severity: high }
output:
  reject: it must not be made
`, dsn)
}

// Two days by hand: a fault that gets worse, one that flaps, a storm, and what no route
// is told of.
func TestReplay(t *testing.T) {
	dsn := testpg.New(t)
	s, err := store.Open(t.Context(), dsn, store.Retention{}, func() time.Time { return monday.Add(48 * time.Hour) })
	require.NoError(t, err)
	defer s.Close()
	b := &store.Batch{}
	put := func(sensor string, at time.Duration, score float64) {
		r := &reading.Reading{SensorID: sensor, RoomID: "room-" + sensor, Building: "HQ", Time: monday.Add(at)}
		b.Readings = append(b.Readings, r)
		if score > 0 {
			b.Anomalies = append(b.Anomalies, &anomaly.Anomaly{
				Reading: r, Detector: "threshold", Type: "co2_too_high", Metric: "co2", Severity: anomaly.SeverityOf(score), Score: score,
				Value: 1500, Low: math.NaN(), High: 1000, Explanation: "CO₂ is too high.",
			})
		}
	}
	const h, m = time.Hour, time.Minute
	put("worse", 9*h, 0.75)
	put("worse", 9*h+10*m, 0.95)
	put("worse", 10*h+11*m, 0)
	// Over an hour after 13:00, so in the cool-down until 16:00; back at 14:10 and over at
	// 15:10, which nobody is told of.
	put("flaps", 13*h, 0.75)
	put("flaps", 14*h+5*m, 0)
	put("flaps", 14*h+10*m, 0.75)
	put("flaps", 15*h+11*m, 0)
	put("mild", 15*h, 0.6)
	for i := range 100 {
		put(fmt.Sprintf("storm-%d", i), 33*h, 0.95)
	}
	_, err = s.Write(t.Context(), b)
	require.NoError(t, err)

	cfg, err := configOf(t.Context(), pipeline(dsn), app.Schema("", ""))
	require.NoError(t, err)
	r, err := Run(t.Context(), cfg, monday, monday.Add(48*time.Hour))
	require.NoError(t, err)
	require.Equal(t, 104, r.Events)
	// Monday: new, worse and resolved; new and resolved. Tuesday: one message.
	report := r.Report("alerts.yaml", 3)
	want, err := os.ReadFile("testdata/report.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), report)
}

func TestPipelineWithoutAlerts(t *testing.T) {
	_, err := configOf(t.Context(), "input: { generate: { mapping: 'root = 1', count: 1 } }\noutput: { drop: {} }", app.Schema("", ""))
	require.EqualError(t, err, "it has no alerts input")
	_, err = configOf(t.Context(), "input: { alerts: { dsn: 'postgres://localhost/d?sslmode=disable', routes: [ { name: '' } ] } }", app.Schema("", ""))
	require.EqualError(t, err, "route 1 needs a name")
}

// The pipeline that comes with buildmon can be replayed as it is.
func TestAlertsPipeline(t *testing.T) {
	text, err := os.ReadFile("../../../pipelines/alerts.yaml")
	require.NoError(t, err)
	cfg, err := configOf(t.Context(), string(text), app.Schema("", ""))
	require.NoError(t, err)
	require.Len(t, cfg.Engine.Routes, 3)
	require.Empty(t, cfg.To, "all are off until somebody says where to")
}
