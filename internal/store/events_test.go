package store_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

func finding(r *reading.Reading, score float64, continues bool) *anomaly.Anomaly {
	return &anomaly.Anomaly{
		Reading: r, Detector: "threshold", Type: "temperature_too_high", Metric: "temperature",
		Severity: anomaly.SeverityOf(score), Score: score, Value: r.Values[reading.Temperature], Low: math.NaN(), High: 26,
		Explanation: fmt.Sprintf("%.0f °C", r.Values[reading.Temperature]), Continues: continues,
	}
}

func TestEventIsOneRowHoweverLongItLasts(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	for minute := range 120 {
		r := room(1, monday.Add(time.Duration(minute)*time.Minute), 27+float64(minute%50))
		b := batchOf(r)
		b.Anomalies = []*anomaly.Anomaly{finding(r, 0.5+float64(minute%50)/100, minute > 0)}
		write(t, s, b)
	}
	var started, last, peak time.Time
	var readings int
	var score float64
	var severity, explanation string
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events"))
	require.NoError(t, s.Pool().QueryRow(t.Context(), "SELECT started_at, last_at, peak_at, readings, anomaly_score, severity, explanation FROM sensor_events").
		Scan(&started, &last, &peak, &readings, &score, &severity, &explanation))
	require.True(t, started.Equal(monday))
	require.True(t, last.Equal(monday.Add(119*time.Minute)))
	require.True(t, peak.Equal(monday.Add(49*time.Minute)), "the first of the largest")
	require.Equal(t, 120, readings)
	require.InDelta(t, 0.99, score, 1e-12)
	require.Equal(t, "critical", severity)
	require.Equal(t, "76 °C", explanation)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_anomalies"), "what continues is no row of its own")

	open := func(after time.Duration) int {
		write(t, s, batchOf(room(1, last.Add(after), 20)))
		return count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE open AND ended_at IS NULL")
	}
	require.Equal(t, 1, open(store.DefaultQuiet))
	require.Equal(t, 0, open(store.DefaultQuiet+time.Minute))
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE ended_at = last_at"))
}

// In whatever order and however often findings come, events are the stretches of
// them that no longer gap interrupts.
func TestEventsDoNotDependOnOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3 {
		s := open(t, testpg.New(t), store.Retention{})
		type one struct {
			r     *reading.Reading
			score float64
		}
		var all []one
		for sensor := range 3 {
			at := monday
			for range 40 {
				at = at.Add(time.Duration(1+rng.IntN(90)) * time.Minute)
				all = append(all, one{room(sensor, at, 30), float64(rng.IntN(10)) / 10})
			}
		}
		want := map[string]string{}
		for i := 0; i < len(all); { // they are in order
			j, readings, best := i, 1, all[i].score
			for j+1 < len(all) && all[j+1].r.SensorID == all[i].r.SensorID && all[j+1].r.Time.Sub(all[j].r.Time) <= store.DefaultQuiet {
				j++
				readings++
				best = max(best, all[j].score)
			}
			want[all[i].r.SensorID+all[i].r.Time.Format(time.RFC3339)] = fmt.Sprint(all[j].r.Time.Format(time.RFC3339), readings, best)
			i = j + 1
		}

		twice := append(append([]one(nil), all...), all...)
		rng.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
		for len(twice) > 0 {
			n := min(1+rng.IntN(20), len(twice))
			var rs []*reading.Reading
			var found []*anomaly.Anomaly
			seen := map[reading.Identity]bool{}
			for _, o := range twice[:n] {
				if seen[o.r.Identity()] {
					continue // a window counts it once
				}
				seen[o.r.Identity()] = true
				r := *o.r
				rs, found = append(rs, &r), append(found, finding(&r, o.score, rng.IntN(2) == 0))
			}
			b := batchOf(rs...)
			b.Anomalies = found
			write(t, s, b)
			twice = twice[n:]
		}

		got := map[string]string{}
		rows, err := s.Pool().Query(t.Context(), "SELECT sensor_id, started_at, last_at, readings, anomaly_score FROM sensor_events")
		require.NoError(t, err)
		for rows.Next() {
			var sensor string
			var started, last time.Time
			var readings int
			var score float64
			require.NoError(t, rows.Scan(&sensor, &started, &last, &readings, &score))
			got[sensor+started.UTC().Format(time.RFC3339)] = fmt.Sprint(last.UTC().Format(time.RFC3339), readings, score)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, want, got)
	}
}

func TestEventsOfAWholeReadingAreOneWhateverMetricIsNamed(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	for minute, metric := range []string{"temperature", anomaly.MultipleMetrics, "co2"} {
		r := room(1, monday.Add(time.Duration(minute)*time.Minute), 30)
		a := finding(r, 0.6, false)
		a.Type, a.Metric = anomaly.Multivariate, metric
		b := batchOf(r)
		b.Anomalies = []*anomaly.Anomaly{a}
		write(t, s, b)
	}
	require.Equal(t, 3, count(t, s.Pool(), "SELECT readings FROM sensor_events"))
}

// What is wrong with a metric is one event, named after its worst: the most severe,
// though others are rarer.
func TestEventsOfAMetricAreOneWhateverIsWrongWithIt(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	var found []*anomaly.Anomaly
	for minute, kind := range []string{"temperature_restless", "temperature_too_high", "temperature_stuck"} {
		r := room(1, monday.Add(time.Duration(minute)*time.Minute), 30)
		a := finding(r, []float64{0.5, 0.8, 0.6}[minute], false)
		a.Type, a.Score = kind, []float64{0.6, 0.5, 0.7}[minute]
		b := batchOf(r)
		b.Anomalies = []*anomaly.Anomaly{a}
		write(t, s, b)
		found = append(found, a)
	}
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE anomaly_type = 'temperature_too_high' AND readings = 3"))
	require.Equal(t, 3, count(t, s.Pool(), "SELECT count(*) FROM sensor_anomalies"))

	events := store.Events(found, store.DefaultQuiet)
	require.Len(t, events, 1)
	require.Equal(t, "temperature_too_high", events[0].Type)
	require.EqualValues(t, 3, events[0].Readings)
}

// Several detectors that find something wrong with a metric make one event, in which a
// reading counts once; but that a sensor drifts is an event beside what else happens.
func TestEventsOfAMetricAreOneWhoeverFindsThem(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	for minute, by := range [][]string{{"threshold", "spike_detector"}, {"threshold"}, {"baseline", "threshold"}, {"baseline"}} {
		r := room(1, monday.Add(time.Duration(minute)*time.Minute), 30)
		b := batchOf(r)
		for _, detector := range by {
			a := finding(r, 0.6, minute > 0)
			switch a.Detector = detector; detector {
			case "spike_detector":
				a.Type, a.Severity = "sudden_change", anomaly.Critical
			case "baseline":
				a.Type = "temperature" + anomaly.DriftSuffix
			}
			b.Anomalies = append(b.Anomalies, a)
		}
		write(t, s, b)
	}
	rows, err := s.Pool().Query(t.Context(), `SELECT detector || ' ' || anomaly_type || ' ' || readings FROM sensor_events ORDER BY 1`)
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"baseline temperature_drift 2", "spike_detector sudden_change 3"}, events)
}
