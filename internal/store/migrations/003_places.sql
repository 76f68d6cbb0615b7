-- +goose Up

-- Where each sensor has reported from, one row for each sensor and place. Dashboards
-- fill their variables from it and find a room's readings through it: the primary key
-- of sensor_readings begins with the sensor, so no index by room is needed. The place
-- of a reading is here before or in the transaction that stores the reading.
CREATE TABLE sensor_places (
    sensor_id  text        NOT NULL,
    room_id    text,
    building   text,
    floor      text,
    room_type  text,
    first_seen timestamptz NOT NULL, -- event time of the earliest reading
    last_seen  timestamptz NOT NULL, -- of the latest, or somewhat before it: view sensors knows
    UNIQUE NULLS NOT DISTINCT (sensor_id, room_id, building, floor, room_type)
);

-- One row for each sensor, with the place it reported from last. last_seen is the time
-- of its latest reading, at any moment, along the primary key of sensor_readings.
CREATE VIEW sensors AS
SELECT p.sensor_id,
       p.room_id,
       p.building,
       p.floor,
       p.room_type,
       p.first_seen,
       coalesce((
           SELECT r."timestamp" FROM sensor_readings r
           WHERE r.sensor_id = p.sensor_id AND r."timestamp" > p.last_seen
           ORDER BY r."timestamp" DESC LIMIT 1
       ), p.last_seen) AS last_seen
FROM (
    SELECT DISTINCT ON (sensor_id) sensor_id, room_id, building, floor, room_type, last_seen,
           min(first_seen) OVER (PARTITION BY sensor_id) AS first_seen
    FROM sensor_places
    ORDER BY sensor_id, last_seen DESC
) p;

-- One row for each room with a sensor in it, for lists and variables.
CREATE VIEW rooms AS
SELECT room_id, building, floor, room_type,
       count(*)        AS sensors,
       min(first_seen) AS first_seen,
       max(last_seen)  AS last_seen
FROM sensors
WHERE room_id IS NOT NULL
GROUP BY room_id, building, floor, room_type;

-- The latest reading of each sensor, with all its values. A sensor that has nothing
-- left within retention has no row.
CREATE VIEW latest_readings AS
SELECT r.sensor_id, r."timestamp", r.room_id, r.building, r.floor, r.room_type,
       r.temperature, r.humidity, r.co2, r.occupancy, r.energy_consumption, r.status, r.extra
FROM (SELECT DISTINCT sensor_id FROM sensor_places) p
CROSS JOIN LATERAL (
    SELECT * FROM sensor_readings r WHERE r.sensor_id = p.sensor_id ORDER BY r."timestamp" DESC LIMIT 1
) r;

-- Readings that were stored before there was this table.
INSERT INTO sensor_places
SELECT sensor_id, room_id, building, floor, room_type, min("timestamp"), max("timestamp")
FROM sensor_readings
GROUP BY sensor_id, room_id, building, floor, room_type;

-- +goose Down
DROP VIEW latest_readings;
DROP VIEW rooms;
DROP VIEW sensors;
DROP TABLE sensor_places;
