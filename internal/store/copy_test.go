package store_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

// contents are the columns of all readings as the server prints them.
func contents(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Pool().Query(t.Context(), `SELECT row(sensor_id, "timestamp", room_id, building, floor, room_type,
		temperature, humidity, co2, occupancy, energy_consumption, status, extra)::text FROM sensor_readings ORDER BY sensor_id, "timestamp"`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

// The two ways to store readings store the same: a batch of new readings is copied,
// one with a reading that is there already is inserted.
func TestCopyAndInsertStoreTheSame(t *testing.T) {
	known := room(1, monday, 20)
	rs := []*reading.Reading{
		known,
		{SensorID: "bare", Time: time.Date(2000, 1, 2, 0, 0, 0, 1000, time.UTC), Values: reading.Absent()},
		{
			SensorID: "Zürich \"1\"\t", Time: monday.Add(123456 * time.Microsecond), Values: [reading.NumMetrics]float64{-0.1, 1e-300, math.MaxFloat64, 0, -5},
			Extra: []reading.Field{{Name: "a\"b", Raw: []byte(`{"c":[1,null]}`), Number: math.NaN()}, {Name: "light", Raw: []byte(`2.50`), Number: 2.5}},
		},
	}
	for i := range 1000 { // several chunks
		rs = append(rs, room(1, monday.Add(time.Duration(i+1)*time.Second), float64(i)))
	}
	copied := open(t, testpg.New(t), store.Retention{})
	require.Equal(t, len(rs), write(t, copied, &store.Batch{Readings: rs}).Stored)
	inserted := open(t, testpg.New(t), store.Retention{})
	write(t, inserted, &store.Batch{Readings: rs[:1]})
	result := write(t, inserted, &store.Batch{Readings: rs})
	require.Equal(t, 1, result.Duplicates)
	require.Equal(t, len(rs)-1, result.Stored)
	require.Equal(t, contents(t, inserted), contents(t, copied))
}

// A batch that holds a reading several times is copied all the same: it stores the
// first, counts it once, and adds it to the windows once.
func TestRepetitionsWithinABatch(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	var rs []*reading.Reading
	for i := range 100 {
		rs = append(rs, room(i%7, monday.Add(time.Duration(i%25)*time.Second), float64(i)))
	}
	distinct := map[reading.Identity]*reading.Reading{}
	for _, r := range rs {
		if distinct[r.Identity()] == nil {
			distinct[r.Identity()] = r
		}
	}
	for _, r := range rs[:30] {
		again := *r
		again.Values[reading.Temperature]++ // the first is the one that stays
		rs = append(rs, &again)
	}
	result := write(t, s, batchOf(rs...))
	require.Equal(t, len(distinct), result.Stored)
	require.Equal(t, len(rs)-len(distinct), result.Duplicates)
	for id, r := range distinct {
		require.Equal(t, r.Values[reading.Temperature], float64(count(t, s.Pool(),
			`SELECT temperature::int FROM sensor_readings WHERE sensor_id = $1 AND "timestamp" = $2`, id.SensorID, r.Time)), fmt.Sprint(id))
	}
	requireAggregatesEqualReadings(t, s.Pool())
}
