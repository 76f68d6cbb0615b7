-- +goose Up

-- Sensors that stopped reporting are events too. No reading says so; such an event is
-- known by its sensors and the last readings they sent. When it ended is what they have
-- said since, so nobody has to write it down. sensor_id is that of the sensor, or a
-- name of the sensors that stopped together.
ALTER TABLE anomaly_events
    ADD COLUMN silence jsonb,       -- the sensors: sensor_id, last, usual_seconds, patience_seconds, where they are
    ADD COLUMN until   timestamptz; -- when the first of them had been silent for too long: they stopped before
CREATE INDEX anomaly_events_until ON anomaly_events (until) WHERE silence IS NOT NULL;

-- One row for each event. One about readings is open until its sensor has reported
-- again for a while without anything being found, one about silence until half of its
-- sensors have reported again.
DROP VIEW sensor_events;
CREATE VIEW sensor_events AS
SELECT e.started_at,
       CASE WHEN NOT o.open THEN e.last_at END AS ended_at,
       o.open,
       e.last_at - e.started_at AS duration,
       e.sensor_id, e.room_id, e.building, e.floor, e.room_type,
       e.detector, e.anomaly_type, e.metric,
       e.anomaly_score, e.severity, e.peak_at, e.value, e.expected_low, e.expected_high, e.explanation,
       e.readings, e.last_at, e.created_at, e.updated_at,
       ARRAY[e.sensor_id] AS sensors
FROM anomaly_events e
CROSS JOIN LATERAL (
    SELECT NOT EXISTS (
        SELECT FROM sensor_readings r WHERE r.sensor_id = e.sensor_id AND r."timestamp" > e.last_at + e.quiet
    ) AS open
) o
WHERE e.silence IS NULL
UNION ALL
SELECT e.started_at,
       b.ended_at,
       b.ended_at IS NULL AS open,
       coalesce(b.ended_at, now()) - e.started_at AS duration,
       e.sensor_id, e.room_id, e.building, e.floor, e.room_type,
       e.detector, e.anomaly_type, e.metric,
       e.anomaly_score, e.severity, e.peak_at, e.value, e.expected_low, e.expected_high, e.explanation,
       e.readings, e.last_at, e.created_at, e.updated_at,
       b.sensors
FROM anomaly_events e
CROSS JOIN LATERAL (
    SELECT (array_agg(back ORDER BY back) FILTER (WHERE back IS NOT NULL))[(count(*) + 1) / 2] AS ended_at,
           array_agg(m.sensor_id ORDER BY m.sensor_id) AS sensors
    FROM jsonb_to_recordset(e.silence->'sensors') AS m (sensor_id text, last timestamptz)
    CROSS JOIN LATERAL (
        SELECT (
            SELECT r."timestamp" FROM sensor_readings r
            WHERE r.sensor_id = m.sensor_id AND r."timestamp" > m.last
            ORDER BY r."timestamp" LIMIT 1
        ) AS back
    ) x
) b
WHERE e.silence IS NOT NULL;

-- +goose Down
DROP VIEW sensor_events;
DELETE FROM anomaly_events WHERE silence IS NOT NULL;
ALTER TABLE anomaly_events DROP COLUMN silence, DROP COLUMN until;
CREATE VIEW sensor_events AS
SELECT e.started_at,
       CASE WHEN NOT o.open THEN e.last_at END AS ended_at,
       o.open,
       e.last_at - e.started_at AS duration,
       e.sensor_id, e.room_id, e.building, e.floor, e.room_type,
       e.detector, e.anomaly_type, e.metric,
       e.anomaly_score, e.severity, e.peak_at, e.value, e.expected_low, e.expected_high, e.explanation,
       e.readings, e.last_at, e.created_at, e.updated_at
FROM anomaly_events e
CROSS JOIN LATERAL (
    SELECT NOT EXISTS (
        SELECT FROM sensor_readings r WHERE r.sensor_id = e.sensor_id AND r."timestamp" > e.last_at + e.quiet
    ) AS open
) o;
