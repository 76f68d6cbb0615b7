package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/reading"
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

// rollupAuditSQL aggregates the readings once more, for one step and by the place
// columns, and compares with the view of the roll-ups.
func rollupAuditSQL(view, step string, place ...string) string {
	var expected, actual struct{ counts, sums, extremes []string }
	for m, name := range metricColumns {
		column := reading.Metric(m).String()
		expected.counts = append(expected.counts, "count("+column+")")
		expected.sums = append(expected.sums, "sum("+column+")")
		expected.extremes = append(expected.extremes, "min("+column+")", "max("+column+")")
		actual.counts = append(actual.counts, name+"_count")
		actual.sums = append(actual.sums, name+"_sum")
		actual.extremes = append(actual.extremes, name+"_min", name+"_max")
	}
	array := func(values []string) string { return "ARRAY[" + strings.Join(values, ", ") + "]" }
	places, joined := strings.Join(place, ", "), make([]string, len(place))
	for i, p := range place {
		joined[i] = fmt.Sprintf("coalesce(a.%[1]s, '') = coalesce(e.%[1]s, '')", p)
	}
	return fmt.Sprintf(`
WITH expected AS (
	SELECT date_bin(interval '%[2]s', "timestamp", '1970-01-01 00:00Z') AS bucket, %[3]s,
		count(*) AS n, %[4]s AS counts, %[5]s AS sums, %[6]s AS extremes
	FROM sensor_readings GROUP BY 1, %[3]s
), actual AS (
	SELECT bucket, %[3]s, reading_count AS n, %[7]s AS counts, %[8]s AS sums, %[9]s AS extremes FROM %[1]s
), compared AS (
	SELECT coalesce(e.bucket, a.bucket) AS bucket, concat_ws(' ', e.%[10]s, a.%[10]s) AS place,
		(e.n, e.counts, e.extremes) IS NOT DISTINCT FROM (a.n, a.counts, a.extremes)
		AND NOT EXISTS (
			SELECT FROM unnest(e.sums, a.sums) AS s (x, y)
			WHERE (abs(x - y) <= 1e-9 * greatest(abs(x), abs(y)) OR x IS NOT DISTINCT FROM y) IS NOT TRUE
		) AS same
	FROM expected e FULL JOIN actual a ON a.bucket = e.bucket AND %[11]s
)
SELECT count(*), count(*) FILTER (WHERE NOT same),
	coalesce(min(concat_ws(' ', '%[1]s', bucket, place)) FILTER (WHERE NOT same), '')
FROM compared`,
		view, step, places, array(expected.counts), array(expected.sums), array(expected.extremes),
		array(actual.counts), array(actual.sums), array(actual.extremes), place[len(place)-1], strings.Join(joined, " AND "))
}

// statusAuditSQL compares how many readings of each status there were in a room.
const statusAuditSQL = `
WITH expected AS (
	SELECT date_bin('1 day', "timestamp", '1970-01-01 00:00Z') AS bucket, coalesce(room_id, '') AS room_id, coalesce(status, '') AS status, count(*) AS n
	FROM sensor_readings GROUP BY 1, 2, 3
), actual AS (
	SELECT bucket, coalesce(room_id, '') AS room_id, s.key AS status, sum(s.value::bigint) AS n
	FROM rooms_1d, jsonb_each_text(statuses) s GROUP BY 1, 2, 3
)
SELECT count(*), count(*) FILTER (WHERE e.n IS DISTINCT FROM a.n),
	coalesce(min(concat_ws(' ', 'statuses', bucket, room_id, status)) FILTER (WHERE e.n IS DISTINCT FROM a.n), '')
FROM expected e FULL JOIN actual a USING (bucket, room_id, status)`

// CheckRollups holds the roll-ups of all steps against sensor_readings, as
// [CheckAggregates] does with windows. Those of floors are looked at when windows are
// stored that they can be made of.
func CheckRollups(ctx context.Context, pool *pgxpool.Pool) (Audit, error) {
	queries := []string{statusAuditSQL}
	var windows bool
	if err := pool.QueryRow(ctx, "SELECT rollup_window() IS NOT NULL").Scan(&windows); err != nil {
		return Audit{}, fmt.Errorf("looking for windows: %w", err)
	}
	for _, step := range rollupSteps {
		queries = append(queries, rollupAuditSQL("rooms_"+step.name, step.interval, "building", "floor", "room_type", "room_id"))
		if windows {
			queries = append(queries, rollupAuditSQL("floors_"+step.name, step.interval, "building", "floor"))
		}
	}
	var sum Audit
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL jit = off"); err != nil { // compiling takes longer than what is compiled
			return err
		}
		for _, query := range queries {
			var a Audit
			if err := tx.QueryRow(ctx, query).Scan(&a.Windows, &a.Wrong, &a.FirstWrong); err != nil {
				return err
			}
			sum.Windows, sum.Wrong = sum.Windows+a.Windows, sum.Wrong+a.Wrong
			if sum.FirstWrong == "" {
				sum.FirstWrong = a.FirstWrong
			}
		}
		return nil
	})
	if err != nil {
		return Audit{}, fmt.Errorf("holding the roll-ups against the readings: %w", err)
	}
	return sum, nil
}
