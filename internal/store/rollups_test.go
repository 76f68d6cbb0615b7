package store_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

func requireRollupsEqualReadings(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	audit, err := store.CheckRollups(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, audit.Wrong, "the first wrong roll-up is %s", audit.FirstWrong)
}

// What a dashboard sees equals the readings after every commit: before anything is
// rolled up, while it is, afterwards, and when readings come late.
func TestRollupsEqualReadingsAtEveryCommit(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	rng := rand.New(rand.NewPCG(5, 0))
	some := func(n int) (rs []*reading.Reading) {
		for range n {
			r := room(rng.IntN(5), monday.Add(time.Duration(rng.IntN(40*3600))*time.Second), 15+10*rng.Float64())
			r.Status = []string{"Normal", "Warning", ""}[rng.IntN(3)]
			if rng.IntN(5) == 0 {
				r.Values[rng.IntN(reading.NumMetrics)] = math.NaN()
			}
			if rng.IntN(30) == 0 {
				r.Building, r.Floor, r.RoomID = "", "", ""
			}
			rs = append(rs, r)
		}
		return rs
	}
	write(t, s, batchOf(some(300)...))
	requireRollupsEqualReadings(t, s.Pool())
	n, err := s.RollUp(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, n, count(t, s.Pool(), "SELECT count(DISTINCT bucket) FROM floor_rollups_15m"))
	require.Zero(t, count(t, s.Pool(), "SELECT count(*) FROM rollup_pending"))
	requireRollupsEqualReadings(t, s.Pool())

	write(t, s, batchOf(some(40)...)) // late, into hours that are rolled up
	requireRollupsEqualReadings(t, s.Pool())
	n, err = s.RollUp(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n, "nothing has settled")

	done := make(chan error)
	for range 3 {
		batches := [][]*reading.Reading{some(100), some(100), some(100)}
		go func() {
			for _, rs := range batches {
				if _, err := s.Write(context.Background(), batchOf(rs...)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for left := 3; left > 0; {
		_, err := s.RollUp(t.Context(), 0)
		require.NoError(t, err)
		requireRollupsEqualReadings(t, s.Pool())
		select {
		case err := <-done:
			require.NoError(t, err)
			left--
		default:
		}
	}
	_, err = s.RollUp(t.Context(), 0)
	require.NoError(t, err)
	requireRollupsEqualReadings(t, s.Pool())
	require.Zero(t, count(t, s.Pool(), "SELECT count(*) FROM rollup_pending"))
}

func TestCheckRollupsFindsWhatIsWrong(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	write(t, s, batchOf(room(1, monday, 20), room(2, monday.Add(time.Hour), 21)))
	_, err := s.RollUp(t.Context(), 0)
	require.NoError(t, err)
	requireRollupsEqualReadings(t, s.Pool())
	for name, wrong := range map[string]string{
		"count":   "UPDATE room_rollups_15m SET reading_count = reading_count + 1 WHERE floor = 'Floor 1'",
		"sum":     "UPDATE room_rollups_1h SET energy_sum = energy_sum * 1.00000001 WHERE floor = 'Floor 1'",
		"min":     "UPDATE floor_rollups_1d SET co2_min = co2_min - 1 WHERE floor = 'Floor 1'",
		"null":    "UPDATE floor_rollups_15m SET temperature_sum = NULL WHERE floor = 'Floor 1'",
		"missing": "DELETE FROM room_rollups_1d WHERE floor = 'Floor 1'",
		"status":  `UPDATE room_rollups_1d SET statuses = '{"Normal": 2}' WHERE floor = 'Floor 1'`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Pool().Exec(t.Context(), wrong)
			require.NoError(t, err)
			audit, err := store.CheckRollups(t.Context(), s.Pool())
			require.NoError(t, err)
			require.Positive(t, audit.Wrong)
			// Noted again, everything is worked out anew.
			_, err = s.Pool().Exec(t.Context(), "INSERT INTO rollup_pending (bucket) SELECT bucket FROM (SELECT date_bin('15 minutes', \"timestamp\", 'epoch') AS bucket FROM sensor_readings) b")
			require.NoError(t, err)
			_, err = s.RollUp(t.Context(), 0)
			require.NoError(t, err)
			requireRollupsEqualReadings(t, s.Pool())
		})
	}
}

// A dashboard asks for a step and gets the level that fits; every level says the same.
func TestRowsByStep(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	for i := range 3 {
		at := monday.Add(time.Duration(i) * 10 * time.Hour)
		write(t, s, batchOf(room(1, at, 20), room(1, at.Add(5*time.Minute), 22), room(2, at, 30)))
	}
	_, err := s.RollUp(t.Context(), 0)
	require.NoError(t, err)
	for _, test := range []struct {
		step                   string
		roomRows, floorRows    int
		roomBucket, floorWidth string
	}{
		{"10s", 9, 9, "00:00:00", "00:00:30"},
		{"14m", 9, 9, "00:00:00", "00:00:30"},
		{"15m", 6, 6, "00:15:00", "00:15:00"},
		{"1h", 6, 6, "01:00:00", "01:00:00"},
		{"12h", 6, 6, "01:00:00", "01:00:00"},
		{"1d", 4, 4, "1 day", "1 day"},
		{"7d", 4, 4, "1 day", "1 day"},
	} {
		require.Equal(t, test.roomRows, count(t, s.Pool(), "SELECT count(*) FROM rooms_by('"+test.step+"') WHERE step = '"+test.roomBucket+"'"), test.step)
		require.Equal(t, test.floorRows, count(t, s.Pool(), "SELECT count(*) FROM floors_by('"+test.step+"') WHERE step = '"+test.floorWidth+"'"), test.step)
		for _, from := range []string{"rooms_by", "floors_by"} {
			require.Equal(t, 216, count(t, s.Pool(), "SELECT sum(temperature_sum)::int FROM "+from+"('"+test.step+"')"), "3 × (20 + 22 + 30)")
			require.Equal(t, 9, count(t, s.Pool(), "SELECT sum(reading_count)::int FROM "+from+"('"+test.step+"')"))
		}
		require.Equal(t, 9, count(t, s.Pool(), "SELECT sum((statuses->>'Normal')::int) FROM rooms_by('"+test.step+"')"))
	}
}

func TestRetentionOfRollups(t *testing.T) {
	day := 24 * time.Hour
	s := open(t, testpg.New(t), store.Retention{Readings: day, Rollups15m: 2 * day, Rollups1h: 4 * day})
	wide := open(t, s.Pool().Config().ConnString(), store.Retention{})
	for ago := range 6 {
		write(t, wide, batchOf(room(1, monday.Add(-time.Duration(ago)*day), 20)))
	}
	_, err := s.Maintain(t.Context())
	require.NoError(t, err)
	// Today, and as many whole days before it as are kept.
	for rows, want := range map[string]int{"sensor_readings": 2, "rooms_15m": 3, "floors_15m": 3, "rooms_1h": 5, "floors_1h": 5, "rooms_1d": 6, "floors_1d": 6} {
		require.Equal(t, want, count(t, s.Pool(), "SELECT count(*) FROM "+rows), rows)
	}
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensors WHERE last_seen = $1", monday))
}
