package alerting

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
)

// The last time that an event is known to have gone on: its last finding, and of a
// silence when it was found, or when a sensor was back.
const eventColumns = `e.sensor_id, e.detector, e.anomaly_type, e.metric, e.room_id, e.building, e.floor, e.room_type,
	e.started_at, greatest(e.last_at, c.until, e.ended_at), e.open, e.severity, e.explanation`

const joinSQL = `
JOIN sensor_events e ON e.sensor_id = c.sensor_id AND e.detector = c.detector AND e.anomaly_type = c.anomaly_type
	AND e.metric = c.metric AND e.started_at = c.started_at`

const changedSQL = `
SELECT ` + eventColumns + `
FROM anomaly_events c` + joinSQL + `
WHERE c.revision > $1 AND greatest(c.last_at, c.until) >= $2`

// Of each open event how it is now, or the one that followed it; readings decide
// about its end, so its row may be the same.
const openSQL = `
SELECT ` + eventColumns + `
FROM unnest($1::text[], $2::text[], $3::bool[]) AS o (sensor_id, metric, drift)
CROSS JOIN LATERAL (
	SELECT * FROM anomaly_events s
	WHERE s.sensor_id = o.sensor_id AND s.metric = o.metric AND (right(s.anomaly_type, length($4)) = $4) = o.drift
	ORDER BY s.started_at DESC LIMIT 1
) c` + joinSQL

// changed are the events that changed after a revision and did not end before an
// instant, and how those are now that were open. An open event whose row is gone,
// past retention, is over.
func changed(ctx context.Context, tx pgx.Tx, revision int64, oldest time.Time, open []alert.Event) ([]alert.Event, error) {
	events, err := query(ctx, tx, changedSQL, revision, oldest)
	if err != nil || len(open) == 0 {
		return events, err
	}
	var sensors, metrics []string
	var drifts []bool
	gone := map[alert.Subject]alert.Event{}
	for _, e := range open {
		sensors, metrics, drifts = append(sensors, e.SensorID), append(metrics, e.Metric), append(drifts, e.Drift)
		e.Open = false
		gone[e.Subject] = e
	}
	now, err := query(ctx, tx, openSQL, sensors, metrics, drifts, anomaly.DriftSuffix)
	if err != nil {
		return nil, err
	}
	for _, e := range now {
		delete(gone, e.Subject)
	}
	events = append(events, now...)
	for _, e := range gone {
		events = append(events, e)
	}
	return events, nil
}

func query(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]alert.Event, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return events, nil
}

func scanEvent(row pgx.CollectableRow) (alert.Event, error) {
	var e alert.Event
	var place [4]pgtype.Text
	var severity string
	err := row.Scan(&e.SensorID, &e.Detector, &e.Type, &e.Metric, &place[0], &place[1], &place[2], &place[3],
		&e.Started, &e.Last, &e.Open, &severity, &e.Explanation)
	e.RoomID, e.Building, e.Floor, e.RoomType = place[0].String, place[1].String, place[2].String, place[3].String
	e.Severity, e.Drift = anomaly.Severity(severity), anomaly.Drifts(e.Type)
	return e, err
}
