package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// mostOverlap bounds how far before the newest reading a simulation that goes on
// begins.
const mostOverlap = time.Hour

// lastSQL takes the last instant of each sensor along the primary key.
const lastSQL = `
WITH RECURSIVE sensor (id) AS (
	SELECT min(sensor_id) FROM sensor_readings
	UNION ALL
	SELECT (SELECT min(sensor_id) FROM sensor_readings WHERE sensor_id > sensor.id) FROM sensor WHERE id IS NOT NULL
), last (at) AS (
	SELECT (SELECT max("timestamp") FROM sensor_readings WHERE sensor_id = sensor.id) FROM sensor WHERE id IS NOT NULL
)
SELECT min(at), max(at) FROM last`

// beginning is the event time at which the simulation begins: some history ago
// when there is no reading yet, or where the readings end.
//
// They end where the first sensor falls silent. A process that was killed may
// have stored readings of one partition that are newer than some that it had not
// yet sent to another. A sensor that had been silent for long by then was only
// broken. What is simulated twice is the same reading, and is stored once.
func beginning(ctx context.Context, pool *pgxpool.Pool, now time.Time, history time.Duration) (time.Time, error) {
	var first, last *time.Time
	if err := pool.QueryRow(ctx, lastSQL).Scan(&first, &last); err != nil {
		return time.Time{}, fmt.Errorf("looking for the newest reading: %w", err)
	}
	begin := now.Add(-history)
	if history > 0 && last != nil {
		begin = *first
		if earliest := last.Add(-mostOverlap); begin.Before(earliest) {
			begin = earliest
		}
	}
	if begin.After(now) {
		begin = now // the clock was set back
	}
	return begin.UTC().Truncate(interval), nil
}
