package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/command/show"
)

// snapshot is what the database holds at a moment.
type snapshot struct {
	readings, windows int64
	reached           time.Time // event time up to which readings are there; zero if there are none
	anomalies         int64
	severe            int64 // anomalies that are high or critical
	refused           int64 // dead letters
	shown             []windowRow
	found             []finding // the newest anomalies, by event time, newest first
}

// windowRow is one group in the newest window that has ended. Absent values are
// nil.
type windowRow struct {
	start, end       time.Time
	building, floor  *string
	temperature, co2 *float64
	occupancy        *float64 // sum over the readings
	count            int64
	occupancyCount   int64
}

// finding is a stored anomaly.
type finding struct {
	sensor, room, detector, metric string
	at                             time.Time
	severity                       string
	score                          float64
	explanation                    string
	times                          int // among those looked at
}

// matter is what the finding is about, whenever it was made.
func (f *finding) matter() string { return f.sensor + "\x00" + f.detector + "\x00" + f.metric }

// repeated tells how often it was found, if more than once.
func (f *finding) repeated() string {
	if f.times < 2 {
		return ""
	}
	return " (" + show.Count(int64(f.times)) + " times)"
}

// summarised keeps the first finding of each matter and counts the others.
func summarised(all []finding) []finding {
	var kept []finding
	at := map[string]int{}
	for _, f := range all {
		i, ok := at[f.matter()]
		if !ok {
			i, at[f.matter()] = len(kept), len(kept)
			kept = append(kept, f)
		}
		kept[i].times++
	}
	return kept
}

// Readings are counted by their windows, which hold as many and are far fewer.
// They are there up to where the slowest of the active sources is.
const totalsSQL = `
SELECT w.readings, w.windows, coalesce(least(s.watermark, w.newest), w.newest), a.n, a.severe, d.n
FROM (SELECT coalesce(sum(reading_count), 0)::bigint AS readings, count(*) AS windows, max(window_start + window_size) AS newest FROM window_aggregates) w,
	(SELECT min(watermark) AS watermark FROM window_watermarks WHERE updated_at + idle_timeout > now()) s,
	(SELECT count(*) AS n, count(*) FILTER (WHERE severity IN ('high', 'critical')) AS severe FROM sensor_anomalies) a,
	(SELECT count(*) AS n FROM dead_letters) d`

func look(ctx context.Context, pool *pgxpool.Pool) (s snapshot, err error) {
	var reached *time.Time
	if err := pool.QueryRow(ctx, totalsSQL).Scan(&s.readings, &s.windows, &reached, &s.anomalies, &s.severe, &s.refused); err != nil {
		return s, fmt.Errorf("counting what is stored: %w", err)
	}
	if reached != nil {
		s.reached = *reached
	}
	return s, nil
}

const windowsSQL = `
SELECT window_start, window_end, building, floor, avg_temperature, avg_co2, total_occupancy, occupancy_count, reading_count
FROM sensor_aggregates
WHERE window_start = $1
ORDER BY building NULLS LAST, floor NULLS LAST`

// newestWindows are the rows of the newest window that is final, or of the
// newest one if none is.
func newestWindows(ctx context.Context, pool *pgxpool.Pool) ([]windowRow, error) {
	var start time.Time
	err := pool.QueryRow(ctx, "SELECT window_start FROM sensor_aggregates WHERE final ORDER BY window_start DESC LIMIT 1").Scan(&start)
	if errors.Is(err, pgx.ErrNoRows) {
		err = pool.QueryRow(ctx, "SELECT window_start FROM window_aggregates ORDER BY window_start DESC LIMIT 1").Scan(&start)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the newest window: %w", err)
	}
	rows, err := pool.Query(ctx, windowsSQL, start)
	if err != nil {
		return nil, fmt.Errorf("reading the newest windows: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (w windowRow, err error) {
		err = row.Scan(&w.start, &w.end, &w.building, &w.floor, &w.temperature, &w.co2, &w.occupancy, &w.occupancyCount, &w.count)
		return w, err
	})
}

const findingColumns = `sensor_id, coalesce(room_id, sensor_id), detector, metric, "timestamp", severity, anomaly_score, explanation`

// newestFindings are the newest by event time, one for each matter.
func newestFindings(ctx context.Context, pool *pgxpool.Pool) ([]finding, error) {
	all, err := findings(ctx, pool, `SELECT `+findingColumns+` FROM sensor_anomalies ORDER BY "timestamp" DESC LIMIT 300`)
	return summarised(all), err
}

// findingsSince are those that were stored since a time of the server's clock,
// the most severe first.
func findingsSince(ctx context.Context, pool *pgxpool.Pool, since time.Time) ([]finding, error) {
	return findings(ctx, pool, `SELECT `+findingColumns+` FROM sensor_anomalies WHERE detected_at >= $1 ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], severity), anomaly_score DESC, "timestamp"`, since)
}

func findings(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]finding, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading anomalies: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f finding, err error) {
		err = row.Scan(&f.sensor, &f.room, &f.detector, &f.metric, &f.at, &f.severity, &f.score, &f.explanation)
		return f, err
	})
}
