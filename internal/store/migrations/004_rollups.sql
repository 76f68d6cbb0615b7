-- +goose Up

-- Roll-ups: what the readings of 15 minutes, an hour and a day come to, for each room
-- and for each floor, so that months are drawn from few rows. Buckets are half-open and
-- lie on UTC. Counts and sums add, minima and maxima merge, means are sum / count.
--
-- Dashboards read rooms_by(step) and floors_by(step), or the views rooms_15m, rooms_1h,
-- rooms_1d, floors_15m, floors_1h and floors_1d below. They equal the readings at every
-- commit: a transaction that stores readings notes the buckets it touched, and the
-- views work those out from what is below until the writer has rolled them up again.
CREATE TABLE room_rollups (
    step              interval    NOT NULL, -- 15 minutes, 1 hour or 1 day
    bucket            timestamptz NOT NULL, -- its start
    building          text,
    floor             text,
    room_id           text,
    room_type         text,
    reading_count     bigint      NOT NULL,
    temperature_count bigint      NOT NULL, -- readings with a value, °C
    temperature_sum   float8,
    temperature_min   float8,
    temperature_max   float8,
    humidity_count    bigint      NOT NULL, -- readings with a value, % relative humidity
    humidity_sum      float8,
    humidity_min      float8,
    humidity_max      float8,
    co2_count         bigint      NOT NULL, -- readings with a value, ppm
    co2_sum           float8,
    co2_min           float8,
    co2_max           float8,
    occupancy_count   bigint      NOT NULL, -- readings with a value, persons
    occupancy_sum     float8,
    occupancy_min     float8,
    occupancy_max     float8,
    energy_count      bigint      NOT NULL, -- readings with a value, kWh
    energy_sum        float8,
    energy_min        float8,
    energy_max        float8,
    statuses          jsonb       NOT NULL, -- {"status": readings}, "" for readings without
    UNIQUE NULLS NOT DISTINCT (room_id, bucket, step, building, floor, room_type)
) PARTITION BY LIST (step);

CREATE TABLE room_rollups_15m PARTITION OF room_rollups FOR VALUES IN ('15 minutes');
CREATE TABLE room_rollups_1h PARTITION OF room_rollups FOR VALUES IN ('1 hour');
CREATE TABLE room_rollups_1d PARTITION OF room_rollups FOR VALUES IN ('1 day');
CREATE INDEX room_rollups_bucket ON room_rollups (bucket);

CREATE TABLE floor_rollups (
    step              interval    NOT NULL,
    bucket            timestamptz NOT NULL,
    building          text,
    floor             text,
    reading_count     bigint      NOT NULL,
    temperature_count bigint      NOT NULL,
    temperature_sum   float8,
    temperature_min   float8,
    temperature_max   float8,
    humidity_count    bigint      NOT NULL,
    humidity_sum      float8,
    humidity_min      float8,
    humidity_max      float8,
    co2_count         bigint      NOT NULL,
    co2_sum           float8,
    co2_min           float8,
    co2_max           float8,
    occupancy_count   bigint      NOT NULL,
    occupancy_sum     float8,
    occupancy_min     float8,
    occupancy_max     float8,
    energy_count      bigint      NOT NULL,
    energy_sum        float8,
    energy_min        float8,
    energy_max        float8,
    UNIQUE NULLS NOT DISTINCT (bucket, step, building, floor)
) PARTITION BY LIST (step);

CREATE TABLE floor_rollups_15m PARTITION OF floor_rollups FOR VALUES IN ('15 minutes');
CREATE TABLE floor_rollups_1h PARTITION OF floor_rollups FOR VALUES IN ('1 hour');
CREATE TABLE floor_rollups_1d PARTITION OF floor_rollups FOR VALUES IN ('1 day');

-- Buckets of 15 minutes with readings that are not rolled up, a row for each
-- transaction that added some. It is only appended to and deleted from, so writers do
-- not wait for one another, and it stays short.
CREATE TABLE rollup_pending (
    bucket   timestamptz NOT NULL,
    hour     timestamptz NOT NULL GENERATED ALWAYS AS (date_bin('1 hour', bucket, '1970-01-01 00:00Z')) STORED,
    day      timestamptz NOT NULL GENERATED ALWAYS AS (date_bin('1 day', bucket, '1970-01-01 00:00Z')) STORED,
    noted_at timestamptz NOT NULL DEFAULT now()
);

-- Adds up {"name": count} objects.
CREATE FUNCTION sum_counts(parts jsonb[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT jsonb_object_agg(name, n) FROM (
        SELECT c.key AS name, sum(c.value::bigint) AS n
        FROM unnest(parts) AS part, jsonb_each_text(part) AS c GROUP BY c.key
    ) AS summed
);

-- The size of window that the roll-ups of floors are made of: the smallest that fits
-- into 15 minutes.
CREATE FUNCTION rollup_window() RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT min(window_size) FROM window_watermarks WHERE 900 % extract(epoch FROM window_size) = 0);

-- What one bucket comes to now. fresh_ functions read the level below; the writer rolls
-- up what they say, and the views show it until then.
-- +goose StatementBegin
CREATE FUNCTION fresh_room_15m(start timestamptz) RETURNS SETOF room_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '15 minutes', start, p.building, p.floor, p.room_id, p.room_type, sum(p.n)::bigint,
           sum(p.temperature_count)::bigint, sum(p.temperature_sum), min(p.temperature_min), max(p.temperature_max),
           sum(p.humidity_count)::bigint, sum(p.humidity_sum), min(p.humidity_min), max(p.humidity_max),
           sum(p.co2_count)::bigint, sum(p.co2_sum), min(p.co2_min), max(p.co2_max),
           sum(p.occupancy_count)::bigint, sum(p.occupancy_sum), min(p.occupancy_min), max(p.occupancy_max),
           sum(p.energy_count)::bigint, sum(p.energy_sum), min(p.energy_min), max(p.energy_max),
           jsonb_object_agg(p.status, p.n)
    FROM (
        SELECT r.building, r.floor, r.room_id, r.room_type, coalesce(r.status, '') AS status, count(*) AS n,
               count(r.temperature) AS temperature_count, sum(r.temperature) AS temperature_sum, min(r.temperature) AS temperature_min, max(r.temperature) AS temperature_max,
               count(r.humidity) AS humidity_count, sum(r.humidity) AS humidity_sum, min(r.humidity) AS humidity_min, max(r.humidity) AS humidity_max,
               count(r.co2) AS co2_count, sum(r.co2) AS co2_sum, min(r.co2) AS co2_min, max(r.co2) AS co2_max,
               count(r.occupancy) AS occupancy_count, sum(r.occupancy) AS occupancy_sum, min(r.occupancy) AS occupancy_min, max(r.occupancy) AS occupancy_max,
               count(r.energy_consumption) AS energy_count, sum(r.energy_consumption) AS energy_sum, min(r.energy_consumption) AS energy_min, max(r.energy_consumption) AS energy_max
        FROM sensor_readings r
        WHERE r."timestamp" >= start AND r."timestamp" < start + interval '15 minutes'
        GROUP BY r.building, r.floor, r.room_id, r.room_type, coalesce(r.status, '')
    ) p
    GROUP BY p.building, p.floor, p.room_id, p.room_type
$$;

CREATE FUNCTION fresh_floor_15m(start timestamptz) RETURNS SETOF floor_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '15 minutes', start, w.building, w.floor, sum(w.reading_count)::bigint,
           sum(w.temperature_count)::bigint, sum(w.temperature_sum), min(w.temperature_min), max(w.temperature_max),
           sum(w.humidity_count)::bigint, sum(w.humidity_sum), min(w.humidity_min), max(w.humidity_max),
           sum(w.co2_count)::bigint, sum(w.co2_sum), min(w.co2_min), max(w.co2_max),
           sum(w.occupancy_count)::bigint, sum(w.occupancy_sum), min(w.occupancy_min), max(w.occupancy_max),
           sum(w.energy_count)::bigint, sum(w.energy_sum), min(w.energy_min), max(w.energy_max)
    FROM window_aggregates w
    WHERE w.window_start >= start AND w.window_start < start + interval '15 minutes'
        AND w.window_size = (SELECT rollup_window()) AND w.labels = '{}'
    GROUP BY w.building, w.floor
$$;
-- +goose StatementEnd

CREATE VIEW rooms_15m AS
SELECT r.* FROM room_rollups r
WHERE r.step = interval '15 minutes' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.bucket = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT bucket AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_room_15m(p.start) f;

CREATE VIEW floors_15m AS
SELECT r.* FROM floor_rollups r
WHERE r.step = interval '15 minutes' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.bucket = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT bucket AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_floor_15m(p.start) f;

-- +goose StatementBegin
CREATE FUNCTION fresh_room_1h(start timestamptz) RETURNS SETOF room_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '1 hour', start, b.building, b.floor, b.room_id, b.room_type, sum(b.reading_count)::bigint,
           sum(b.temperature_count)::bigint, sum(b.temperature_sum), min(b.temperature_min), max(b.temperature_max),
           sum(b.humidity_count)::bigint, sum(b.humidity_sum), min(b.humidity_min), max(b.humidity_max),
           sum(b.co2_count)::bigint, sum(b.co2_sum), min(b.co2_min), max(b.co2_max),
           sum(b.occupancy_count)::bigint, sum(b.occupancy_sum), min(b.occupancy_min), max(b.occupancy_max),
           sum(b.energy_count)::bigint, sum(b.energy_sum), min(b.energy_min), max(b.energy_max),
           sum_counts(array_agg(b.statuses))
    FROM rooms_15m b
    WHERE b.bucket >= start AND b.bucket < start + interval '1 hour'
    GROUP BY b.building, b.floor, b.room_id, b.room_type
$$;

CREATE FUNCTION fresh_floor_1h(start timestamptz) RETURNS SETOF floor_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '1 hour', start, b.building, b.floor, sum(b.reading_count)::bigint,
           sum(b.temperature_count)::bigint, sum(b.temperature_sum), min(b.temperature_min), max(b.temperature_max),
           sum(b.humidity_count)::bigint, sum(b.humidity_sum), min(b.humidity_min), max(b.humidity_max),
           sum(b.co2_count)::bigint, sum(b.co2_sum), min(b.co2_min), max(b.co2_max),
           sum(b.occupancy_count)::bigint, sum(b.occupancy_sum), min(b.occupancy_min), max(b.occupancy_max),
           sum(b.energy_count)::bigint, sum(b.energy_sum), min(b.energy_min), max(b.energy_max)
    FROM floors_15m b
    WHERE b.bucket >= start AND b.bucket < start + interval '1 hour'
    GROUP BY b.building, b.floor
$$;
-- +goose StatementEnd

CREATE VIEW rooms_1h AS
SELECT r.* FROM room_rollups r
WHERE r.step = interval '1 hour' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.hour = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT hour AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_room_1h(p.start) f;

CREATE VIEW floors_1h AS
SELECT r.* FROM floor_rollups r
WHERE r.step = interval '1 hour' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.hour = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT hour AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_floor_1h(p.start) f;

-- +goose StatementBegin
CREATE FUNCTION fresh_room_1d(start timestamptz) RETURNS SETOF room_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '1 day', start, b.building, b.floor, b.room_id, b.room_type, sum(b.reading_count)::bigint,
           sum(b.temperature_count)::bigint, sum(b.temperature_sum), min(b.temperature_min), max(b.temperature_max),
           sum(b.humidity_count)::bigint, sum(b.humidity_sum), min(b.humidity_min), max(b.humidity_max),
           sum(b.co2_count)::bigint, sum(b.co2_sum), min(b.co2_min), max(b.co2_max),
           sum(b.occupancy_count)::bigint, sum(b.occupancy_sum), min(b.occupancy_min), max(b.occupancy_max),
           sum(b.energy_count)::bigint, sum(b.energy_sum), min(b.energy_min), max(b.energy_max),
           sum_counts(array_agg(b.statuses))
    FROM rooms_1h b
    WHERE b.bucket >= start AND b.bucket < start + interval '1 day'
    GROUP BY b.building, b.floor, b.room_id, b.room_type
$$;

CREATE FUNCTION fresh_floor_1d(start timestamptz) RETURNS SETOF floor_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT interval '1 day', start, b.building, b.floor, sum(b.reading_count)::bigint,
           sum(b.temperature_count)::bigint, sum(b.temperature_sum), min(b.temperature_min), max(b.temperature_max),
           sum(b.humidity_count)::bigint, sum(b.humidity_sum), min(b.humidity_min), max(b.humidity_max),
           sum(b.co2_count)::bigint, sum(b.co2_sum), min(b.co2_min), max(b.co2_max),
           sum(b.occupancy_count)::bigint, sum(b.occupancy_sum), min(b.occupancy_min), max(b.occupancy_max),
           sum(b.energy_count)::bigint, sum(b.energy_sum), min(b.energy_min), max(b.energy_max)
    FROM floors_1h b
    WHERE b.bucket >= start AND b.bucket < start + interval '1 day'
    GROUP BY b.building, b.floor
$$;
-- +goose StatementEnd

CREATE VIEW rooms_1d AS
SELECT r.* FROM room_rollups r
WHERE r.step = interval '1 day' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.day = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT day AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_room_1d(p.start) f;

CREATE VIEW floors_1d AS
SELECT r.* FROM floor_rollups r
WHERE r.step = interval '1 day' AND NOT EXISTS (SELECT FROM rollup_pending p WHERE p.day = r.bucket)
UNION ALL
SELECT f.* FROM (SELECT DISTINCT day AS start FROM rollup_pending) p CROSS JOIN LATERAL fresh_floor_1d(p.start) f;

-- Rows of the longest step that is not longer than the one asked for: a reading each
-- below 15 minutes for rooms, windows for floors. A query names the range, the places
-- and groups by what it draws:
--
--     SELECT $__timeGroupAlias(bucket, '$__interval'), building, sum(energy_sum) AS "kWh"
--     FROM floors_by('$__interval') WHERE $__timeFilter(bucket) GROUP BY 1, 2 ORDER BY 1
--
-- The step must be a constant, so that the planner keeps one of the levels.
-- +goose StatementBegin
CREATE FUNCTION rooms_by(step interval) RETURNS SETOF room_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM rooms_1d WHERE rooms_by.step >= interval '1 day'
    UNION ALL
    SELECT * FROM rooms_1h WHERE rooms_by.step >= interval '1 hour' AND rooms_by.step < interval '1 day'
    UNION ALL
    SELECT * FROM rooms_15m WHERE rooms_by.step >= interval '15 minutes' AND rooms_by.step < interval '1 hour'
    UNION ALL
    SELECT interval '0', r."timestamp", r.building, r.floor, r.room_id, r.room_type, 1::bigint,
           (r.temperature IS NOT NULL)::int::bigint, r.temperature, r.temperature, r.temperature,
           (r.humidity IS NOT NULL)::int::bigint, r.humidity, r.humidity, r.humidity,
           (r.co2 IS NOT NULL)::int::bigint, r.co2, r.co2, r.co2,
           (r.occupancy IS NOT NULL)::int::bigint, r.occupancy, r.occupancy, r.occupancy,
           (r.energy_consumption IS NOT NULL)::int::bigint, r.energy_consumption, r.energy_consumption, r.energy_consumption,
           jsonb_build_object(coalesce(r.status, ''), 1)
    FROM sensor_readings r WHERE rooms_by.step < interval '15 minutes'
$$;

CREATE FUNCTION floors_by(step interval) RETURNS SETOF floor_rollups
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM floors_1d WHERE floors_by.step >= interval '1 day'
    UNION ALL
    SELECT * FROM floors_1h WHERE floors_by.step >= interval '1 hour' AND floors_by.step < interval '1 day'
    UNION ALL
    SELECT * FROM floors_15m WHERE floors_by.step >= interval '15 minutes' AND floors_by.step < interval '1 hour'
    UNION ALL
    SELECT w.window_size, w.window_start, w.building, w.floor, w.reading_count,
           w.temperature_count, w.temperature_sum, w.temperature_min, w.temperature_max,
           w.humidity_count, w.humidity_sum, w.humidity_min, w.humidity_max,
           w.co2_count, w.co2_sum, w.co2_min, w.co2_max,
           w.occupancy_count, w.occupancy_sum, w.occupancy_min, w.occupancy_max,
           w.energy_count, w.energy_sum, w.energy_min, w.energy_max
    FROM window_aggregates w
    WHERE floors_by.step < interval '15 minutes' AND w.window_size = (SELECT rollup_window()) AND w.labels = '{}'
$$;
-- +goose StatementEnd

-- Readings that were stored before there were roll-ups.
INSERT INTO rollup_pending (bucket)
SELECT DISTINCT date_bin('15 minutes', "timestamp", '1970-01-01 00:00Z') FROM sensor_readings;

-- +goose Down
DROP FUNCTION rooms_by(interval);
DROP FUNCTION floors_by(interval);
DROP VIEW rooms_1d, floors_1d;
DROP FUNCTION fresh_room_1d(timestamptz);
DROP FUNCTION fresh_floor_1d(timestamptz);
DROP VIEW rooms_1h, floors_1h;
DROP FUNCTION fresh_room_1h(timestamptz);
DROP FUNCTION fresh_floor_1h(timestamptz);
DROP VIEW rooms_15m, floors_15m;
DROP FUNCTION fresh_room_15m(timestamptz);
DROP FUNCTION fresh_floor_15m(timestamptz);
DROP FUNCTION rollup_window();
DROP FUNCTION sum_counts(jsonb[]);
DROP TABLE rollup_pending;
DROP TABLE floor_rollups;
DROP TABLE room_rollups;
