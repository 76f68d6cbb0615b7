-- +goose Up

-- Readings as they came, one row for each sensor and instant. Absent values are
-- NULL. Whatever has no column of its own is in extra.
CREATE TABLE sensor_readings (
    sensor_id          text        NOT NULL,
    "timestamp"        timestamptz NOT NULL,
    room_id            text,
    building           text,
    floor              text,
    room_type          text,
    temperature        float8, -- °C
    humidity           float8, -- % relative humidity
    co2                float8, -- ppm
    occupancy          float8, -- persons
    energy_consumption float8, -- kWh
    status             text,
    extra              jsonb,
    created_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor_id, "timestamp")
) PARTITION BY RANGE ("timestamp");

CREATE INDEX sensor_readings_timestamp ON sensor_readings USING brin ("timestamp");

-- Counts, sums, minima and maxima of the readings in each window and group. They
-- are added to in the transaction that stores the readings, by what was new in
-- it, so they equal the readings at every commit.
CREATE TABLE window_aggregates (
    window_start       timestamptz NOT NULL,
    window_size        interval    NOT NULL,
    building           text,
    floor              text,
    labels             jsonb       NOT NULL DEFAULT '{}', -- values of further group_by members
    reading_count      bigint      NOT NULL,
    temperature_count  bigint      NOT NULL,
    temperature_sum    float8,
    temperature_min    float8,
    temperature_max    float8,
    humidity_count     bigint      NOT NULL,
    humidity_sum       float8,
    humidity_min       float8,
    humidity_max       float8,
    co2_count          bigint      NOT NULL,
    co2_sum            float8,
    co2_min            float8,
    co2_max            float8,
    occupancy_count    bigint      NOT NULL,
    occupancy_sum      float8,
    occupancy_min      float8,
    occupancy_max      float8,
    energy_count       bigint      NOT NULL,
    energy_sum         float8,
    energy_min         float8,
    energy_max         float8,
    extra              jsonb, -- {"metric": {"count", "sum", "min", "max"}} of further metrics
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (window_start, window_size, building, floor, labels)
) PARTITION BY RANGE (window_start);

-- Merges the statistics of further metrics of two parts of one window.
-- +goose StatementBegin
CREATE FUNCTION merge_window_stats(a jsonb, b jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a IS NULL THEN b WHEN b IS NULL THEN a ELSE (
        SELECT jsonb_object_agg(metric, stats) FROM (
            SELECT metric, jsonb_build_object(
                'count', sum((s->>'count')::bigint),
                'sum',   sum((s->>'sum')::float8),
                'min',   min((s->>'min')::float8),
                'max',   max((s->>'max')::float8)) AS stats
            FROM (SELECT * FROM jsonb_each(a) UNION ALL SELECT * FROM jsonb_each(b)) AS part (metric, s)
            GROUP BY metric
        ) AS merged
    ) END
$$;
-- +goose StatementEnd

-- How far each source has come. A source that was not heard of for its idle
-- timeout no longer holds windows open.
CREATE TABLE window_watermarks (
    source       text        NOT NULL,
    window_size  interval    NOT NULL,
    watermark    timestamptz NOT NULL,
    idle_timeout interval    NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (source, window_size)
);

-- One row for each window and group. A window is final when the watermark of
-- every active source has passed its end; a late reading still corrects it.
CREATE VIEW sensor_aggregates AS
SELECT a.window_start,
       a.window_start + a.window_size                        AS window_end,
       a.building,
       a.floor,
       a.temperature_sum / nullif(a.temperature_count, 0)    AS avg_temperature,
       a.humidity_sum / nullif(a.humidity_count, 0)          AS avg_humidity,
       a.co2_sum / nullif(a.co2_count, 0)                    AS avg_co2,
       a.occupancy_sum                                       AS total_occupancy,
       a.energy_sum                                          AS total_energy,
       a.reading_count,
       a.created_at,
       a.updated_at,
       a.window_size,
       a.labels,
       a.temperature_min                                     AS min_temperature,
       a.temperature_max                                     AS max_temperature,
       a.humidity_min                                        AS min_humidity,
       a.humidity_max                                        AS max_humidity,
       a.co2_min                                             AS min_co2,
       a.co2_max                                             AS max_co2,
       a.occupancy_min                                       AS min_occupancy,
       a.occupancy_max                                       AS max_occupancy,
       a.energy_min                                          AS min_energy,
       a.energy_max                                          AS max_energy,
       a.temperature_count,
       a.humidity_count,
       a.co2_count,
       a.occupancy_count,
       a.energy_count,
       a.extra,
       coalesce(a.window_start + a.window_size <= w.watermark, true) AS final
FROM window_aggregates a
LEFT JOIN (
    SELECT window_size, min(watermark) AS watermark
    FROM window_watermarks
    WHERE updated_at + idle_timeout > now()
    GROUP BY window_size
) w USING (window_size);

-- What a detector found, one row for each sensor, instant, detector and metric.
CREATE TABLE sensor_anomalies (
    sensor_id          text        NOT NULL,
    "timestamp"        timestamptz NOT NULL,
    detector           text        NOT NULL,
    metric             text        NOT NULL,
    anomaly_type       text        NOT NULL,
    anomaly_score      float8      NOT NULL, -- 0 to 1, how rare
    severity           text        NOT NULL,
    value              float8,
    expected_low       float8,
    expected_high      float8,
    explanation        text        NOT NULL,
    room_id            text,
    building           text,
    floor              text,
    room_type          text,
    temperature        float8,
    humidity           float8,
    co2                float8,
    occupancy          float8,
    energy_consumption float8,
    detected_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor_id, "timestamp", detector, metric)
) PARTITION BY RANGE ("timestamp");

CREATE INDEX sensor_anomalies_timestamp ON sensor_anomalies ("timestamp");

-- Messages that could not be stored as readings, with the reason and the bytes.
CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason      text        NOT NULL,
    detail      text        NOT NULL,
    source      text, -- topic/partition/offset, NULL when the source has no positions
    raw         bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- A message that is delivered again is kept once. The hash tells apart messages
-- of a topic that was deleted and made anew.
CREATE UNIQUE INDEX dead_letters_source ON dead_letters (source, md5(raw)) WHERE source IS NOT NULL;
CREATE INDEX dead_letters_created_at ON dead_letters (created_at);

-- What processors have learned, through the postgres cache.
CREATE TABLE learned_state (
    key        text        PRIMARY KEY,
    value      bytea       NOT NULL,
    expires_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE learned_state;
DROP TABLE dead_letters;
DROP TABLE sensor_anomalies;
DROP VIEW sensor_aggregates;
DROP TABLE window_watermarks;
DROP FUNCTION merge_window_stats(jsonb, jsonb);
DROP TABLE window_aggregates;
DROP TABLE sensor_readings;
