package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Audit is the result of holding the aggregates against the readings.
type Audit struct {
	Windows    int64 // windows that should be there or are
	Wrong      int64 // windows that are missing, too many or not what SQL makes of the readings
	FirstWrong string
}

// auditSQL aggregates the readings once more, for every size of window by
// building and floor, and compares: counts, minima and maxima exactly, sums and
// means to a relative 1e-9, as they depend on the order of addition.
const auditSQL = `
WITH sizes AS (
	SELECT DISTINCT window_size, extract(epoch FROM window_size) AS seconds FROM window_aggregates WHERE labels = '{}'
), expected AS (
	SELECT s.window_size, to_timestamp(floor(extract(epoch FROM r."timestamp") / s.seconds) * s.seconds) AS window_start,
		r.building, r.floor, count(*) AS n,
		avg(temperature) AS avg_t, avg(humidity) AS avg_h, avg(co2) AS avg_c, sum(occupancy) AS sum_o, sum(energy_consumption) AS sum_e,
		ARRAY[min(temperature), max(temperature), min(humidity), max(humidity), min(co2), max(co2),
			min(occupancy), max(occupancy), min(energy_consumption), max(energy_consumption)] AS extremes
	FROM sensor_readings r CROSS JOIN sizes s GROUP BY 1, 2, 3, 4
), actual AS (
	SELECT *, ARRAY[min_temperature, max_temperature, min_humidity, max_humidity, min_co2, max_co2,
		min_occupancy, max_occupancy, min_energy, max_energy] AS extremes
	FROM sensor_aggregates WHERE labels = '{}'
), compared AS (
	SELECT coalesce(e.window_start, a.window_start) AS window_start, coalesce(e.building, a.building) AS building, coalesce(e.floor, a.floor) AS floor,
		(e.n, e.extremes) IS NOT DISTINCT FROM (a.reading_count, a.extremes)
		AND (abs(e.avg_t - a.avg_temperature) <= 1e-9 * greatest(abs(e.avg_t), abs(a.avg_temperature)) OR (e.avg_t IS NULL AND a.avg_temperature IS NULL)) IS TRUE AND (abs(e.avg_h - a.avg_humidity) <= 1e-9 * greatest(abs(e.avg_h), abs(a.avg_humidity)) OR (e.avg_h IS NULL AND a.avg_humidity IS NULL)) IS TRUE AND (abs(e.avg_c - a.avg_co2) <= 1e-9 * greatest(abs(e.avg_c), abs(a.avg_co2)) OR (e.avg_c IS NULL AND a.avg_co2 IS NULL)) IS TRUE
		AND (abs(e.sum_o - a.total_occupancy) <= 1e-9 * greatest(abs(e.sum_o), abs(a.total_occupancy)) OR (e.sum_o IS NULL AND a.total_occupancy IS NULL)) IS TRUE AND (abs(e.sum_e - a.total_energy) <= 1e-9 * greatest(abs(e.sum_e), abs(a.total_energy)) OR (e.sum_e IS NULL AND a.total_energy IS NULL)) IS TRUE AS same
	FROM expected e FULL JOIN actual a ON a.window_size = e.window_size AND a.window_start = e.window_start
		AND coalesce(a.building, '') = coalesce(e.building, '') AND coalesce(a.floor, '') = coalesce(e.floor, '')
)
SELECT count(*), count(*) FILTER (WHERE NOT same),
	coalesce(min(concat_ws(' ', window_start, building, floor)) FILTER (WHERE NOT same), '')
FROM compared`

// CheckAggregates holds sensor_aggregates against sensor_readings. It reads all
// readings, so it is for tests and for peace of mind, not for every minute. It
// does not fit aggregates that are kept longer than readings.
func CheckAggregates(ctx context.Context, pool *pgxpool.Pool) (Audit, error) {
	var a Audit
	if err := pool.QueryRow(ctx, auditSQL).Scan(&a.Windows, &a.Wrong, &a.FirstWrong); err != nil {
		return Audit{}, fmt.Errorf("holding the aggregates against the readings: %w", err)
	}
	return a, nil
}
