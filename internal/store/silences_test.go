package store_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

// silenceOf is what is found five minutes after the last of some readings.
func silenceOf(group string, last ...*reading.Reading) *anomaly.Anomaly {
	s := &anomaly.Silence{Together: group != "", Group: group}
	for _, r := range last {
		s.Sensors = append(s.Sensors, anomaly.SilentSensor{
			SensorID: r.SensorID, RoomID: r.RoomID, Building: r.Building, Floor: r.Floor, RoomType: r.RoomType,
			Last: r.Time, Usual: 10 * time.Second, Patience: 5 * time.Minute,
		})
		if s.At.Before(r.Time) {
			s.At = r.Time
		}
	}
	s.At = s.At.Add(5 * time.Minute)
	return anomaly.NewSilence("silence", s)
}

func silent(found ...*anomaly.Anomaly) *store.Batch { return &store.Batch{Anomalies: found} }

// digest is all that silences leave in the tables, to the last byte.
const digest = `SELECT coalesce(string_agg(x, E'\n' ORDER BY x), '') FROM (
	SELECT e::text AS x FROM anomaly_events e UNION ALL SELECT a::text FROM sensor_anomalies a) y`

func text(t *testing.T, s *store.Store, sql string) (v string) {
	t.Helper()
	require.NoError(t, s.Pool().QueryRow(t.Context(), sql).Scan(&v))
	return v
}

// A sensor falls silent and reports again. What was found is one event from its last
// reading to the next; it is found again in a redelivery and in a replay, which
// changes nothing.
func TestSilenceLastsUntilTheNextReading(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	first, last := room(1, monday, 20), room(1, monday.Add(10*time.Second), 21)
	write(t, s, batchOf(first))
	b := batchOf(last)
	b.Anomalies = []*anomaly.Anomaly{silenceOf("", last)} // in the batch of the last reading, as a backlog is read
	require.Equal(t, 1, write(t, s, b).Anomalies)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE open AND started_at = $1 AND ended_at IS NULL", last.Time))
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_anomalies a JOIN sensor_readings r USING (sensor_id, \"timestamp\") WHERE anomaly_type = 'sensor_silent'"))
	before := text(t, s, digest)
	require.Zero(t, write(t, s, b).Anomalies)
	require.Zero(t, write(t, s, silent(silenceOf("", last))).Anomalies)

	next := room(1, monday.Add(time.Hour), 22)
	write(t, s, batchOf(next))
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE NOT open AND started_at = $1 AND ended_at = $2 AND duration = $2 - $1", last.Time, next.Time))
	// A detector that knows less says what is not true any more.
	require.Zero(t, write(t, s, silent(silenceOf("", last), silenceOf("", first))).Anomalies)
	// Nothing contradicts this one, but it is of a replay.
	b = batchOf(first, last)
	b.Anomalies = []*anomaly.Anomaly{silenceOf("", next)}
	require.Zero(t, write(t, s, b).Anomalies)
	late := room(1, monday.Add(30*time.Minute), 22)
	write(t, s, batchOf(late))
	require.Equal(t, before, text(t, s, digest))
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE ended_at = $1", late.Time))
}

// Who finds a silence may have missed readings of the sensor.
func TestSilenceBeginsWithTheLastReadingThatIsStored(t *testing.T) {
	s := open(t, testpg.New(t), store.Retention{})
	for second := range 31 {
		write(t, s, batchOf(room(1, monday.Add(time.Duration(second)*time.Second), 20)))
	}
	found := silenceOf("", room(1, monday, 20))
	require.Zero(t, write(t, s, silent(found)).Anomalies, "it is not silent for long enough")
	found.Silence.At = monday.Add(30*time.Second + 5*time.Minute)
	require.Equal(t, 1, write(t, s, silent(found)).Anomalies)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE open AND started_at = $1", monday.Add(30*time.Second)))

	require.Zero(t, write(t, s, silent(silenceOf("", room(2, monday, 20)))).Anomalies, "nobody knows it")
	refused := room(3, monday, 20)
	refused.Building = "\xff"
	b := batchOf(refused)
	b.Anomalies = []*anomaly.Anomaly{silenceOf("", room(3, monday, 20))}
	require.Zero(t, write(t, s, b).Anomalies, "its reading is a dead letter")
	require.Len(t, write(t, s, b).Refused, 1)
}

// A gateway with eight sensors stops, as three sources see it; in any order and any
// number of times it is one event, which ends when half of the sensors are back.
func TestPartsOfAnOutageAreOneEvent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2 {
		s := open(t, testpg.New(t), store.Retention{})
		last := make([]*reading.Reading, 8)
		for i := range last {
			last[i] = room(i, monday.Add(time.Duration(i)*time.Second), 20)
		}
		write(t, s, batchOf(last...))
		parts := []*anomaly.Anomaly{silenceOf("F1", last[:4]...), silenceOf("F1", last[4:7]...), silenceOf("F1", last[7])}
		slow := silenceOf("F1", last[2])
		slow.Silence.Sensors[0].Patience = time.Hour
		other := silenceOf("F2", last[0])
		for i := range 12 {
			k := rng.IntN(3)
			if i < 3 {
				k = 2 - i // the one alone comes first
			}
			write(t, s, silent(parts[k]))
			require.Equal(t, "F1", text(t, s, "SELECT sensor_id FROM anomaly_events"), "who follows it by its name")
		}
		write(t, s, silent(slow))
		require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events"))
		require.Equal(t, 8, count(t, s.Pool(), "SELECT cardinality(sensors) FROM sensor_events WHERE anomaly_type = 'group_silent' AND open AND started_at = $1", last[7].Time))
		require.Contains(t, text(t, s, "SELECT explanation FROM sensor_events"), "8 sensors of F1 stopped reporting together: ")
		require.Equal(t, 3, count(t, s.Pool(), "SELECT count(*) FROM sensor_anomalies"), "what each source found first")
		before := text(t, s, digest)
		write(t, s, silent(parts...))
		require.Equal(t, before, text(t, s, digest))
		write(t, s, silent(other))
		require.Equal(t, 2, count(t, s.Pool(), "SELECT count(*) FROM sensor_events"), "of another group")

		back := monday.Add(time.Hour)
		for i := range 4 {
			require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE open AND cardinality(sensors) = 8"))
			write(t, s, batchOf(room(i, back.Add(time.Duration(i)*time.Second), 20)))
		}
		require.Equal(t, 1, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE NOT open AND ended_at = $1 AND cardinality(sensors) = 8", back.Add(3*time.Second)))

		// The rest is still silent, each alone, and the group may stop again.
		require.Equal(t, 1, write(t, s, silent(silenceOf("", last[7]))).Anomalies)
		again := silenceOf("F1", room(0, back, 20), room(1, back.Add(time.Second), 20))
		require.Equal(t, 1, write(t, s, silent(again)).Anomalies)
		require.Equal(t, 3, count(t, s.Pool(), "SELECT count(*) FROM sensor_events WHERE open OR cardinality(sensors) = 8"))
	}
}
