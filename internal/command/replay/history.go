package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
)

// observation is an event as it was known at a time.
type observation struct {
	at time.Time
	alert.Event
}

// stored is an event as it is stored.
type stored struct {
	alert.Event
	found time.Time // when it was known first
	over  time.Time // when it was known to be over; zero if it is open
}

// An event about readings is over when its sensor has reported for a while without a
// finding; its end, the last finding, is only known then. A silence is found when it
// has lasted, and over when somebody is back.
const eventsSQL = `
SELECT e.sensor_id, e.detector, e.anomaly_type, e.metric, e.room_id, e.building, e.floor, e.room_type,
	e.started_at, greatest(e.last_at, a.until), e.severity, e.explanation, coalesce(a.until, e.started_at),
	CASE WHEN NOT e.open THEN greatest(e.ended_at, e.last_at) + CASE WHEN e.ended_at = e.last_at THEN a.quiet ELSE interval '0' END END
FROM anomaly_events a
JOIN sensor_events e USING (sensor_id, detector, anomaly_type, metric, started_at)
WHERE a.started_at < $2 AND greatest(a.last_at, a.until) >= $1
ORDER BY e.started_at, e.sensor_id, e.detector, e.metric`

// Findings say when an event became worse.
const findingsSQL = `
SELECT sensor_id, metric, "timestamp", detector, anomaly_type, severity, explanation
FROM sensor_anomalies
WHERE "timestamp" >= $1 AND "timestamp" < $2
ORDER BY "timestamp"`

// history is what would have been seen of the events between two instants, in order.
func history(ctx context.Context, pool *pgxpool.Pool, cfg *alert.Config, from, to time.Time) (seen []observation, events int, err error) {
	rows, err := pool.Query(ctx, eventsSQL, from, to)
	if err != nil {
		return nil, 0, fmt.Errorf("reading events: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s stored, err error) {
		var place [4]pgtype.Text
		var severity string
		var over pgtype.Timestamptz
		err = row.Scan(&s.SensorID, &s.Detector, &s.Type, &s.Metric, &place[0], &place[1], &place[2], &place[3],
			&s.Started, &s.Last, &severity, &s.Explanation, &s.found, &over)
		s.RoomID, s.Building, s.Floor, s.RoomType = place[0].String, place[1].String, place[2].String, place[3].String
		s.Severity, s.Drift, s.over = anomaly.Severity(severity), anomaly.Drifts(s.Type), over.Time
		return s, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("reading events: %w", err)
	}
	findings, err := findingsOf(ctx, pool, from, to)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range all {
		seen = append(seen, s.observations(findings[s.Subject], cfg)...)
	}
	seen = slices.DeleteFunc(seen, func(o observation) bool { return o.at.Before(from) || !o.at.Before(to) })
	slices.SortStableFunc(seen, func(a, b observation) int { return a.at.Compare(b.at) })
	return seen, len(all), nil
}

// finding is a row of sensor_anomalies.
type finding struct {
	subject     alert.Subject
	at          time.Time
	detector    string
	kind        string
	severity    anomaly.Severity
	explanation string
}

func findingsOf(ctx context.Context, pool *pgxpool.Pool, from, to time.Time) (map[alert.Subject][]finding, error) {
	rows, err := pool.Query(ctx, findingsSQL, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading anomalies: %w", err)
	}
	found := map[alert.Subject][]finding{}
	var f finding
	_, err = pgx.ForEachRow(rows, []any{&f.subject.SensorID, &f.subject.Metric, &f.at, &f.detector, &f.kind, &f.severity, &f.explanation}, func() error {
		a := anomaly.Anomaly{Type: f.kind, Metric: f.subject.Metric}
		f.subject.Metric, f.subject.Drift = a.Subject(), anomaly.Drifts(f.kind) // as of its event
		found[f.subject] = append(found[f.subject], f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading anomalies: %w", err)
	}
	return found, nil
}

// observations are an event when it begins, each time it gets worse, when it has lasted
// as long as a route wants, and when it is over.
func (s *stored) observations(findings []finding, cfg *alert.Config) []observation {
	var seen []observation
	e := s.Event
	e.Open, e.Severity = true, ""
	see := func(at time.Time) {
		e.Last = at
		seen = append(seen, observation{at, e})
	}
	for _, f := range findings {
		if f.at.Before(s.Started) || f.at.After(s.Last) || f.severity.Rank() <= e.Severity.Rank() {
			continue
		}
		e.Severity, e.Detector, e.Type, e.Explanation = f.severity, f.detector, f.kind, f.explanation
		see(f.at)
	}
	if e.Severity != s.Severity { // what it was found by is gone or, as of silence, was never there
		e.Severity, e.Detector, e.Type, e.Explanation = s.Severity, s.Detector, s.Type, s.Explanation
		see(s.found)
	}
	for _, r := range cfg.Routes {
		if r.For > 0 && s.Last.Sub(s.Started) >= r.For {
			at := s.Started.Add(r.For)
			i := slices.IndexFunc(seen, func(o observation) bool { return o.at.After(at) })
			known := e
			if i > 0 {
				known = seen[i-1].Event
			}
			known.Last = at
			seen = append(seen, observation{at, known})
		}
	}
	if !s.over.IsZero() {
		e.Open, e.Last = false, s.Last // of a silence: at least so long
		seen = append(seen, observation{s.over, e})
	}
	return seen
}
