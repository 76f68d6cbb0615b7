-- +goose Up

-- Findings of one kind on one sensor that follow one another closely are one
-- event, however long it lasts. Like windows, events are changed in the
-- transaction that stores the readings, by what was found on new ones, so they do
-- not depend on the order in which readings come.
CREATE TABLE anomaly_events (
    sensor_id     text, -- NULL if it is about a floor
    detector      text        NOT NULL,
    anomaly_type  text        NOT NULL,
    metric        text        NOT NULL,
    started_at    timestamptz NOT NULL, -- first reading found
    last_at       timestamptz NOT NULL, -- last reading found
    ended_at      timestamptz,          -- of silence: when it was over
    quiet         interval    NOT NULL, -- an event is over when nothing was found for so long
    readings      bigint      NOT NULL, -- how many were found
    anomaly_score float8      NOT NULL, -- the largest, as all up to the explanation are of the reading that has it
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
    UNIQUE NULLS NOT DISTINCT (sensor_id, detector, anomaly_type, metric, building, floor, started_at)
);

CREATE INDEX anomaly_events_last_at ON anomaly_events (last_at);

-- The sensors that were heard of, with where they are and how often they report.
CREATE TABLE sensors (
    sensor_id      text        PRIMARY KEY,
    source         text        NOT NULL, -- topic/partition
    room_id        text,
    building       text,
    floor          text,
    room_type      text,
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    usual_interval interval -- between two readings; NULL until that is known
);

-- How far the readings of each source go, and when it was last heard of.
CREATE TABLE reading_sources (
    source   text        PRIMARY KEY,
    newest   timestamptz NOT NULL,
    heard_at timestamptz NOT NULL
);

-- One row for each event. It is open as long as its sensor has not been quiet, or,
-- if it is silent, until it reports again.
CREATE VIEW sensor_events AS
SELECT e.started_at,
       CASE WHEN NOT open THEN coalesce(e.ended_at, e.last_at) END AS ended_at,
       open,
       CASE WHEN open THEN e.last_at ELSE coalesce(e.ended_at, e.last_at) END - e.started_at AS duration,
       e.sensor_id, e.room_id, e.building, e.floor, e.room_type,
       e.detector, e.anomaly_type, e.metric,
       e.anomaly_score, e.severity, e.peak_at, e.value, e.expected_low, e.expected_high, e.explanation,
       e.readings, e.last_at, e.created_at, e.updated_at
FROM anomaly_events e
LEFT JOIN sensors s USING (sensor_id)
CROSS JOIN LATERAL (
    SELECT CASE WHEN e.detector = 'silence' THEN e.ended_at IS NULL
                ELSE coalesce(s.last_at <= e.last_at + e.quiet, false) END AS open
) o;

-- +goose Down
DROP VIEW sensor_events;
DROP TABLE reading_sources;
DROP TABLE sensors;
DROP TABLE anomaly_events;
