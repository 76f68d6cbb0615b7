package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

// requirePlaces wants every place of a stored reading in sensor_places and no other,
// and the latest reading of each sensor in the views.
func requirePlaces(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for what, sql := range map[string]string{
		"places": `
			(SELECT sensor_id, room_id, building, floor, room_type FROM sensor_readings EXCEPT SELECT sensor_id, room_id, building, floor, room_type FROM sensor_places)
			UNION ALL
			(SELECT sensor_id, room_id, building, floor, room_type FROM sensor_places EXCEPT SELECT sensor_id, room_id, building, floor, room_type FROM sensor_readings)`,
		"last_seen": `
			(SELECT sensor_id, max("timestamp") FROM sensor_readings GROUP BY sensor_id) EXCEPT SELECT sensor_id, last_seen FROM sensors`,
		"latest": `
			(SELECT DISTINCT ON (sensor_id) sensor_id, "timestamp", temperature, status FROM sensor_readings ORDER BY sensor_id, "timestamp" DESC)
			EXCEPT SELECT sensor_id, "timestamp", temperature, status FROM latest_readings`,
		"one row for each sensor": `SELECT sensor_id FROM sensors GROUP BY sensor_id HAVING count(*) > 1`,
	} {
		require.Zero(t, count(t, pool, "SELECT count(*) FROM ("+sql+") AS astray"), what)
	}
}

func TestSensorsAndRoomsAreKept(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	at := func(minute int) time.Time { return monday.Add(time.Duration(minute) * time.Minute) }
	write(t, s, batchOf(room(1, at(0), 20), room(2, at(1), 21)))
	write(t, s, batchOf(room(1, at(2), 22)))
	requirePlaces(t, s.Pool())

	moved := room(1, at(3), 23)
	moved.RoomID = "room-9"
	bare := &reading.Reading{SensorID: "bare", Time: at(3), Values: reading.Absent()}
	write(t, s, batchOf(moved, bare))
	write(t, s, batchOf(room(1, at(-5), 19))) // late
	requirePlaces(t, s.Pool())

	rows, err := s.Pool().Query(t.Context(), "SELECT sensor_id, room_id FROM sensors ORDER BY 1")
	require.NoError(t, err)
	type sensor struct{ ID, Room *string }
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sensor])
	require.NoError(t, err)
	text := func(s string) *string { return &s }
	require.Equal(t, []sensor{{text("bare"), nil}, {text("sensor-1"), text("room-9")}, {text("sensor-2"), text("room-2")}}, list)
	require.Equal(t, 2, count(t, s.Pool(), "SELECT count(*) FROM rooms WHERE sensors = 1"), "a reading without a room makes none")
}

// A place is known only once it is committed.
func TestPlaceOfARefusedBatchIsStoredWithTheNext(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	_, err := s.Pool().Exec(t.Context(), "ALTER TABLE sensor_places ADD CONSTRAINT closed CHECK (room_id <> 'room-1')")
	require.NoError(t, err)
	_, err = s.Write(t.Context(), batchOf(room(1, monday, 20)))
	require.ErrorContains(t, err, "closed")
	_, err = s.Pool().Exec(t.Context(), "ALTER TABLE sensor_places DROP CONSTRAINT closed")
	require.NoError(t, err)
	write(t, s, batchOf(room(1, monday, 20)))
	requirePlaces(t, s.Pool())

	// Somebody empties the table; the writer looks again when it prepares.
	_, err = s.Pool().Exec(t.Context(), "TRUNCATE sensor_places")
	require.NoError(t, err)
	require.NoError(t, s.Prepare(t.Context()))
	write(t, s, batchOf(room(1, monday.Add(time.Minute), 20)))
	requirePlaces(t, s.Pool())
}
