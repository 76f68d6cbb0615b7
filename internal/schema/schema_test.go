package schema_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/schema"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

func TestMain(m *testing.M) { testpg.Main(m) }

// Every name is one that the migrations make.
func TestNamesAreThoseOfTheDatabase(t *testing.T) {
	s, err := store.Open(t.Context(), testpg.New(t), store.Retention{}, time.Now)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	for _, sql := range []string{
		`SELECT {sensor}, {time}, {room}, {building}, {floor}, {room_type}, {status}, {temperature}, {humidity}, {co2}, {occupancy}, {energy} FROM {readings}`,
		`SELECT {sensor}, {time}, {room}, {building}, {floor}, {room_type}, {status} FROM {latest}`,
		`SELECT {sensor}, {room}, {building}, {floor} FROM {events}`, `SELECT {sensor}, {time}, {room} FROM {anomalies}`,
		`SELECT {building}, {floor} FROM {aggregates}`, `SELECT {sensor}, {room}, {building}, {floor}, {room_type} FROM {sensors}`,
		`SELECT {room}, {building}, {floor}, {room_type} FROM {rooms}`, `SELECT FROM {dead_letters}`, `SELECT FROM {watermarks}`,
		`SELECT {room}, {building}, {floor}, {room_type} FROM {rooms_by}('1 hour')`, `SELECT {building}, {floor} FROM {floors_by}('1 hour')`,
	} {
		_, err := s.Pool().Exec(t.Context(), schema.SQL(sql))
		require.NoError(t, err)
	}
}

func TestSQLLeavesGrafanasVariables(t *testing.T) {
	require.Equal(t, `sensor_id = ${sensor:sqlstring} AND x = ${limit}`, schema.SQL(`{sensor} = ${sensor:sqlstring} AND x = ${limit}`))
	require.Panics(t, func() { schema.SQL(`SELECT {colour}`) })
}
