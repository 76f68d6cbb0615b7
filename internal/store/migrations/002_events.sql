-- +goose Up

-- Findings of one kind on one sensor that follow one another closely are one
-- event, however long it lasts. Like windows, events are changed in the
-- transaction that stores the readings, by what was found on new ones, so they do
-- not depend on the order in which readings come.
CREATE TABLE anomaly_events (
    sensor_id     text        NOT NULL,
    detector      text        NOT NULL,
    anomaly_type  text        NOT NULL,
    metric        text        NOT NULL,
    started_at    timestamptz NOT NULL, -- first reading found
    last_at       timestamptz NOT NULL, -- last reading found
    quiet         interval    NOT NULL, -- an event is over when nothing was found for so long
    readings      bigint      NOT NULL, -- how many were found
    anomaly_score float8      NOT NULL, -- of the worst reading, as all up to the explanation
    peak_at       timestamptz NOT NULL,
    severity      text        NOT NULL,
    value         float8,
    expected_low  float8,
    expected_high float8,
    explanation   text        NOT NULL,
    room_id       text,
    building      text,
    floor         text,
    room_type     text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor_id, detector, anomaly_type, metric, started_at)
);

CREATE INDEX anomaly_events_last_at ON anomaly_events (last_at);

-- One row for each event. It is open until its sensor has reported again for a while
-- without anything being found.
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

-- +goose Down
DROP VIEW sensor_events;
DROP TABLE anomaly_events;
