package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	"buildmon/internal/window"
)

var monday = time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)

func open(t *testing.T, dsn string, retention store.Retention) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, retention, func() time.Time { return monday })
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// room is a reading of one of a few rooms with every metric known.
func room(n int, at time.Time, value float64) *reading.Reading {
	r := &reading.Reading{
		SensorID: fmt.Sprintf("sensor-%d", n), RoomID: fmt.Sprintf("room-%d", n),
		Building: fmt.Sprintf("Building %c", 'A'+n%2), Floor: fmt.Sprintf("Floor %d", n%3),
		RoomType: "Office", Status: "Normal", Time: at,
	}
	for m := range r.Values {
		r.Values[m] = value + float64(m)
	}
	return r
}

var perFloor = &window.Spec{Size: 30 * time.Second, GroupBy: []string{"building", "floor"}, Metrics: reading.MetricNames()}

// panes aggregates by hand what a window processor would.
func panes(spec *window.Spec, rs []*reading.Reading) []*window.Pane {
	var list []*window.Pane
	byKey := map[string]*window.Pane{}
	for _, r := range rs {
		start := r.Time.Truncate(spec.Size)
		key := start.String()
		var group []string
		for _, g := range spec.GroupBy {
			group = append(group, r.Label(g))
			key += "|" + r.Label(g)
		}
		p := byKey[key]
		if p == nil {
			p = &window.Pane{
				Start: start, End: start.Add(spec.Size), Size: spec.Size, Group: group, Spec: spec, Stats: make([]window.Stats, len(spec.Metrics)),
				Source: "sensors/0", Watermark: r.Time, Idle: time.Hour,
			}
			byKey[key] = p
			list = append(list, p)
		}
		p.Members = append(p.Members, r)
		p.Count++
		for i, m := range spec.Metrics {
			if v, ok := r.Value(m); ok {
				p.Stats[i].Add(v)
			}
		}
		if r.Time.After(p.Watermark) {
			p.Watermark = r.Time
		}
	}
	return list
}

func batchOf(rs ...*reading.Reading) *store.Batch {
	return &store.Batch{Readings: rs, Panes: panes(perFloor, rs)}
}

func write(t *testing.T, s *store.Store, b *store.Batch) store.Result {
	t.Helper()
	result, err := s.Write(t.Context(), b)
	require.NoError(t, err)
	return result
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func requireAggregatesEqualReadings(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	audit, err := store.CheckAggregates(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, audit.Wrong, "the first wrong window is %s", audit.FirstWrong)
}

func TestCheckAggregatesFindsWhatIsWrong(t *testing.T) {
	for name, wrong := range map[string]string{
		"count":   "UPDATE window_aggregates SET reading_count = reading_count + 1 WHERE floor = 'Floor 1'",
		"sum":     "UPDATE window_aggregates SET energy_sum = energy_sum * 1.00000001 WHERE floor = 'Floor 1'",
		"min":     "UPDATE window_aggregates SET co2_min = co2_min - 1 WHERE floor = 'Floor 1'",
		"null":    "UPDATE window_aggregates SET temperature_sum = NULL WHERE floor = 'Floor 1'",
		"missing": "DELETE FROM window_aggregates WHERE floor = 'Floor 1'",
		"surplus": "DELETE FROM sensor_readings WHERE floor = 'Floor 1'",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, testpg.New(t), store.Retention{})
			write(t, s, batchOf(room(1, monday, 20), room(2, monday, 21)))
			requireAggregatesEqualReadings(t, s.Pool())
			_, err := s.Pool().Exec(t.Context(), wrong)
			require.NoError(t, err)
			audit, err := store.CheckAggregates(t.Context(), s.Pool())
			require.NoError(t, err)
			require.Equal(t, int64(2), audit.Windows)
			require.Equal(t, int64(1), audit.Wrong)
			require.Contains(t, audit.FirstWrong, "Building B Floor 1")
		})
	}
}

func TestWriteStoresWhatAReadingSays(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	r := room(1, monday, 20)
	r.Values[reading.Energy] = math.NaN()
	r.Extra = []reading.Field{{Name: "light", Raw: []byte("250.5"), Number: 250.5}}
	bare := &reading.Reading{SensorID: "bare", Time: monday.Add(time.Microsecond), Values: reading.Absent()}

	result := write(t, s, batchOf(r, bare))
	require.Equal(t, store.Result{Stored: 2}, result)

	var temperature, light float64
	var energy, buildingOfBare *string
	require.NoError(t, s.Pool().QueryRow(t.Context(), `
		SELECT temperature, (extra->>'light')::float8, energy_consumption::text FROM sensor_readings WHERE sensor_id = 'sensor-1'`).
		Scan(&temperature, &light, &energy))
	require.Equal(t, 20.0, temperature)
	require.Equal(t, 250.5, light)
	require.Nil(t, energy)
	require.NoError(t, s.Pool().QueryRow(t.Context(), `SELECT building FROM sensor_readings WHERE sensor_id = 'bare'`).Scan(&buildingOfBare))
	require.Nil(t, buildingOfBare)
	requireAggregatesEqualReadings(t, s.Pool())
}

func TestWriteAgainChangesNothing(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	r := room(1, monday, 20)
	b := batchOf(r, room(2, monday, 22))
	b.Anomalies = []*anomaly.Anomaly{{Reading: r, Detector: "threshold", Type: "temperature_too_high", Metric: "temperature", Severity: anomaly.High, Score: 0.8, Explanation: "Warm.", Value: 20, Low: math.NaN(), High: 19}}
	b.DeadLetters = []store.DeadLetter{{Reason: reading.MalformedJSON, Detail: "x\x00\xff", Source: "sensors/0/7", Raw: []byte("{\x00")}}

	require.Equal(t, store.Result{Stored: 2, Anomalies: 1}, write(t, s, b))
	before := dump(t, s.Pool())
	require.Equal(t, store.Result{Duplicates: 2}, write(t, s, b))
	require.Equal(t, before, dump(t, s.Pool()))

	// What is derived from a reading that is there already is not stored either,
	// even if it is found only now.
	b.Anomalies = append(b.Anomalies, &anomaly.Anomaly{Reading: r, Detector: "spike_detector", Type: "sudden_change", Metric: "co2", Severity: anomaly.Critical, Score: 1, Explanation: "Sudden."})
	write(t, s, b)
	require.Equal(t, before, dump(t, s.Pool()))
	requireAggregatesEqualReadings(t, s.Pool())
}

// dump is the content of all tables, without the times of storing.
func dump(t *testing.T, pool *pgxpool.Pool) (lines []string) {
	t.Helper()
	for _, table := range []string{"sensor_readings", "sensor_aggregates", "sensor_anomalies", "dead_letters"} {
		rows, err := pool.Query(t.Context(), fmt.Sprintf(`
			SELECT (to_jsonb(x) - 'created_at' - 'updated_at' - 'detected_at' - 'id')::text FROM %s x ORDER BY 1`, table))
		require.NoError(t, err)
		part, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		lines = append(append(lines, table), part...)
	}
	return lines
}

// Any way of cutting a stream with repetitions into batches, in any order,
// written by several writers at once, stores each reading once and gives the
// aggregates of what is stored.
func TestAggregatesEqualReadingsHoweverTheyCome(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	var stream []*reading.Reading
	distinct := map[reading.Identity]bool{}
	for range 3000 {
		r := room(rng.IntN(6), monday.Add(time.Duration(rng.IntN(400))*time.Second), 15+10*rng.Float64())
		if rng.IntN(5) == 0 {
			r.Values[rng.IntN(reading.NumMetrics)] = math.NaN()
		}
		if rng.IntN(50) == 0 {
			r.Building, r.Floor = "", ""
		}
		distinct[r.Identity()] = true
		stream = append(stream, r)
	}
	require.Less(t, len(distinct), len(stream), "the stream must hold repetitions")

	work := make(chan *store.Batch)
	done := make(chan error)
	for range 3 {
		go func() {
			for b := range work {
				for { // a deadlock or the like is worth a retry
					if _, err := s.Write(context.Background(), b); err == nil {
						break
					} else if context.Cause(t.Context()) != nil {
						done <- err
						return
					}
				}
			}
			done <- nil
		}()
	}
	for len(stream) > 0 {
		n := min(1+rng.IntN(200), len(stream))
		b := batchOf(stream[:n]...)
		stream = stream[n:]
		work <- b
		if rng.IntN(4) == 0 {
			work <- b
		}
	}
	close(work)
	for range 3 {
		require.NoError(t, <-done)
	}
	require.Equal(t, len(distinct), count(t, s.Pool(), "SELECT count(*) FROM sensor_readings"))
	requireAggregatesEqualReadings(t, s.Pool())
	requirePlaces(t, s.Pool())
}

func TestWriteRefusesOnlyTheRowsToBlame(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	good, bad := room(1, monday, 20), room(2, monday, 21)
	// jsonb keeps numbers as numeric, which ends at 131072 digits.
	bad.Extra = []reading.Field{{Name: "huge", Raw: []byte("1e200000"), Number: math.NaN()}}
	b := batchOf(room(0, monday, 19), good, bad, room(3, monday, 22))
	b.Origin = func(r *reading.Reading) (string, []byte) { return "sensors/1/42", []byte("raw of " + r.SensorID) }

	result := write(t, s, b)
	require.Equal(t, 3, result.Stored)
	require.Len(t, result.Refused, 1)
	require.Equal(t, store.RefusedByDatabase, result.Refused[0].Reason)
	require.Equal(t, 1, count(t, s.Pool(), `SELECT count(*) FROM dead_letters
		WHERE reason = 'refused_by_database' AND source = 'sensors/1/42' AND raw = 'raw of sensor-2'`))
	requireAggregatesEqualReadings(t, s.Pool())
}

func TestWriteLeavesStrangersOut(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	kept, changed := room(1, monday, 20), room(2, monday, 21)
	b := &store.Batch{Readings: []*reading.Reading{kept}, Panes: panes(perFloor, []*reading.Reading{kept, changed})}
	require.Equal(t, 1, write(t, s, b).Strangers)
	requireAggregatesEqualReadings(t, s.Pool())
}

func TestFurtherMetricsAndGroupsMerge(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	spec := &window.Spec{Size: time.Hour, GroupBy: []string{"building", "room_type"}, Metrics: []string{"light", "temperature"}}
	lit := func(second int, light float64) *reading.Reading {
		r := room(0, monday.Add(time.Duration(second)*time.Second), 20)
		r.Extra = []reading.Field{{Name: "light", Raw: fmt.Append(nil, light), Number: light}}
		return r
	}
	for i, light := range []float64{300, 100, 200} {
		rs := []*reading.Reading{lit(i, light)}
		write(t, s, &store.Batch{Readings: rs, Panes: panes(spec, rs)})
	}
	var labels, extra string
	var n int
	require.NoError(t, s.Pool().QueryRow(t.Context(), "SELECT labels::text, extra::text, reading_count FROM sensor_aggregates").Scan(&labels, &extra, &n))
	require.JSONEq(t, `{"room_type": "Office"}`, labels)
	require.JSONEq(t, `{"light": {"count": 3, "sum": 600, "min": 100, "max": 300}}`, extra)
	require.Equal(t, 3, n)
}

func TestWindowIsFinalWhenEveryActiveSourceHasPassedIt(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	r := room(0, monday, 20)
	progress := func(source string, watermark time.Time, idle time.Duration) *window.Pane {
		return &window.Pane{Spec: perFloor, Size: perFloor.Size, Start: monday, Source: source, Watermark: watermark, Idle: idle}
	}
	final := func() (final bool) {
		require.NoError(t, s.Pool().QueryRow(t.Context(), "SELECT final FROM sensor_aggregates").Scan(&final))
		return final
	}
	b := batchOf(r) // source sensors/0 is at 09:30:00, its window ends at 09:30:30
	write(t, s, b)
	require.False(t, final())
	write(t, s, &store.Batch{Panes: []*window.Pane{progress("sensors/0", monday.Add(30*time.Second), time.Hour)}})
	require.True(t, final())
	write(t, s, &store.Batch{Panes: []*window.Pane{progress("sensors/1", monday, time.Hour)}})
	require.False(t, final(), "another source may still bring readings")
	write(t, s, &store.Batch{Panes: []*window.Pane{progress("sensors/1", monday.Add(-time.Hour), 0)}})
	require.True(t, final(), "an idle source holds nothing back")
}

func TestRetentionDropsWholeDaysAndRefusesWhatComesLater(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{Readings: 48 * time.Hour})
	gone, kept := room(1, monday.Add(-72*time.Hour), 20), room(1, monday.Add(-48*time.Hour), 20)

	wide := open(t, s.Pool().Config().ConnString(), store.Retention{})
	write(t, wide, batchOf(gone, kept))
	dropped, err := s.Maintain(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"sensor_readings_20260102"}, dropped)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_readings"))

	result := write(t, s, batchOf(gone, room(2, monday, 21)))
	require.Equal(t, 1, result.Stored)
	require.Equal(t, store.OlderThanRetention, result.Refused[0].Reason)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM dead_letters"))
	require.Equal(t, 1, count(t, s.Pool(), "SELECT reading_count FROM sensor_aggregates WHERE window_start = $1", gone.Time), "not counted again")
	for _, rows := range []string{"rooms_15m", "rooms_1d", "floors_1h"} {
		require.Equal(t, 3, count(t, s.Pool(), "SELECT sum(reading_count)::int FROM "+rows), "roll-ups of what is gone stay")
	}
}

func TestWriteMakesAPartitionAgainThatSomebodyDropped(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	write(t, s, batchOf(room(1, monday, 20)))
	_, err := s.Pool().Exec(t.Context(), "DROP TABLE sensor_readings_20260105")
	require.NoError(t, err)
	_, err = s.Write(t.Context(), batchOf(room(1, monday, 20)))
	require.Error(t, err, "the first attempt finds out")
	require.Equal(t, 1, write(t, s, batchOf(room(1, monday, 20))).Stored)
}

func TestWriteRowsToATableOfTheUsersOwn(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	_, err := s.Pool().Exec(t.Context(), `CREATE SCHEMA plant; CREATE TABLE plant."Values" (device text, at timestamptz, celsius numeric CHECK (celsius < 100), PRIMARY KEY (device, at))`)
	require.NoError(t, err)
	table := store.Table{Name: []string{"plant", "Values"}, Columns: []string{"at", "celsius", "device"}}
	row := func(device, celsius string) store.Row {
		return store.Row{
			Object: fmt.Appendf(nil, `{"device": %q, "at": "2026-01-05T09:30:00Z", "celsius": %s}`, device, celsius),
			Letter: store.DeadLetter{Source: "sensors/0/" + device, Raw: []byte(device)},
		}
	}
	rows := []store.Row{row("1", "20.5"), row("2", `"warm"`), row("3", "1000"), row("1", "21"), row("4", "22")}
	for range 2 {
		refused, err := s.WriteRows(t.Context(), table, rows, nil)
		require.NoError(t, err)
		require.Len(t, refused, 2)
	}
	require.Equal(t, 2, count(t, s.Pool(), `SELECT count(*) FROM plant."Values"`))
	require.Equal(t, 2, count(t, s.Pool(), "SELECT count(*) FROM dead_letters"))
}

func TestHostileNamesAreOnlyNames(t *testing.T) {
	const hostile = `'; DROP TABLE sensor_readings; -- " $1 \ %s` + "\n;"
	s := open(t, testpg.New(t), store.Retention{})
	r := room(1, monday, 20)
	r.SensorID, r.RoomID, r.Building, r.Floor, r.RoomType, r.Status = hostile, hostile, hostile, hostile, hostile, hostile
	again := *r
	b := batchOf(r)
	b.Readings = append(b.Readings, &again) // makes the batch go the slow way, too
	b.Anomalies = []*anomaly.Anomaly{{Reading: r, Detector: hostile, Type: hostile, Metric: hostile, Explanation: hostile}}
	b.DeadLetters = []store.DeadLetter{{Source: hostile, Reason: reading.Reason(hostile), Detail: hostile, Raw: []byte(hostile)}}
	write(t, s, b)
	for _, query := range []string{
		"SELECT count(*) FROM sensor_readings WHERE sensor_id = $1 AND building = $1 AND status = $1",
		"SELECT count(*) FROM sensor_aggregates WHERE building = $1 AND floor = $1",
		"SELECT count(*) FROM sensor_anomalies WHERE detector = $1 AND explanation = $1",
		"SELECT count(*) FROM dead_letters WHERE source = $1 AND reason = $1",
	} {
		require.Equal(t, 1, count(t, s.Pool(), query, hostile), query)
	}

	name := pgx.Identifier{hostile}.Sanitize()
	_, err := s.Pool().Exec(t.Context(), "CREATE TABLE "+name+" ("+name+" text)")
	require.NoError(t, err)
	object, err := json.Marshal(map[string]string{hostile: hostile})
	require.NoError(t, err)
	refused, err := s.WriteRows(t.Context(), store.Table{Name: []string{hostile}, Columns: []string{hostile}}, []store.Row{{Object: object}}, nil)
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM "+name+" WHERE "+name+" = $1", hostile))
	requireAggregatesEqualReadings(t, s.Pool())
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	dsn := testpg.New(t)
	s := open(t, dsn, store.Retention{})
	_, err := s.Pool().Exec(t.Context(), "INSERT INTO buildmon_schema_version (version_id, is_applied) VALUES (99, true)")
	require.NoError(t, err)
	_, err = store.Open(t.Context(), dsn, store.Retention{}, time.Now)
	require.ErrorContains(t, err, fmt.Sprintf("the schema of the database has version 99, this program knows up to %d", store.KnownSchema()))
}

func TestOpenFromSeveralProcessesAtOnce(t *testing.T) {
	dsn := testpg.New(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			s, err := store.Open(context.Background(), dsn, store.Retention{}, time.Now)
			if err == nil {
				s.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
}

func TestConnectNamesTheServerAndNotThePassword(t *testing.T) {
	_, err := store.Connect(t.Context(), "postgres://me:hunter2@127.0.0.1:1/there")
	require.ErrorContains(t, err, `connecting to postgres at 127.0.0.1:1, database "there", as "me"`)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = store.ParseDSN("postgres://me:hunter2@[/there")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestParseDSNRefusesToFallBackToPlainText(t *testing.T) {
	for dsn, refused := range map[string]bool{
		"postgres://me:hunter2@db.example.com/b":                     true,
		"host=db.example.com user=me password=hunter2":               true,
		"postgres://me:hunter2@db.example.com/b?sslmode=prefer":      true,
		"postgres://me:hunter2@db.example.com/b?sslmode=allow":       true,
		"postgres://me:hunter2@localhost,10.1.2.3/b":                 true,
		"postgres://me:hunter2@db.example.com/b?sslmode=disable":     false,
		"postgres://me:hunter2@db.example.com/b?sslmode=require":     false,
		"postgres://me:hunter2@db.example.com/b?sslmode=verify-full": false,
		"postgres://me:hunter2@localhost/b":                          false,
		"postgres://me:hunter2@127.0.0.2,[::1]/b":                    false,
		"host=/run/postgresql user=me":                               false,
	} {
		_, err := store.ParseDSN(dsn)
		if !refused {
			require.NoError(t, err, dsn)
			continue
		}
		require.ErrorContains(t, err, "fall back to plain text: set sslmode=verify-full", dsn)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestRetentionValidate(t *testing.T) {
	for _, test := range []struct {
		retention   store.Retention
		errContains string
	}{
		{store.Retention{}, ""},
		{store.Retention{Readings: time.Hour, Aggregates: 2 * time.Hour}, ""},
		{store.Retention{Readings: -time.Hour}, "retention of readings must not be negative, got -1h0m0s"},
		{store.Retention{Aggregates: time.Hour}, "retention of aggregates 1h0m0s must not be shorter"},
		{store.Retention{Readings: time.Hour, Rollups15m: 2 * time.Hour}, ""},
		{store.Retention{Rollups1d: time.Hour}, "retention of rollups_1d 1h0m0s must not be shorter than that of readings 0s"},
		{store.Retention{Readings: 2 * time.Hour, Aggregates: time.Hour}, "must not be shorter than that of readings 2h0m0s"},
	} {
		err := test.retention.Validate()
		if test.errContains == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.errContains)
		}
	}
}
