package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"buildmon/internal/anomaly"
)

// spanOf is when sensors that stopped together stopped: after the last reading of
// each, and before the first of them was overdue.
func spanOf(s *anomaly.Silence) (from, to time.Time) {
	for i, m := range s.Sensors {
		due := m.Last.Add(m.Patience)
		if i == 0 || m.Last.After(from) {
			from = m.Last
		}
		if i == 0 || due.Before(to) {
			to = due
		}
	}
	return from, to
}

const lastReadingsSQL = `
SELECT id, (SELECT r."timestamp" FROM sensor_readings r WHERE r.sensor_id = id ORDER BY r."timestamp" DESC LIMIT 1)
FROM unnest($1::text[]) AS id`

// heardSince corrects silences by what is stored, before the batch adds to it. Who
// found them may not know all readings: they went through another partition, or it
// lost what it learned in its last minute. And it may know too few, because it reads
// again what was read before. A sensor that has not been heard of since, or not for
// long enough, is silent since its last reading; others are left out.
func (s *Store) heardSince(ctx context.Context, found []*anomaly.Anomaly) ([]*anomaly.Anomaly, error) {
	found = slices.DeleteFunc(slices.Clone(found), func(a *anomaly.Anomaly) bool { return a.Silence == nil })
	var ids []string
	for _, a := range found {
		for _, m := range a.Silence.Sensors {
			ids = append(ids, m.SensorID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	rows, err := s.pool.Query(ctx, lastReadingsSQL, slices.Compact(ids))
	if err != nil {
		return nil, fmt.Errorf("looking for the last readings of %d sensors: %w", len(ids), err)
	}
	last := map[string]time.Time{}
	var id string
	var at *time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		if at != nil {
			last[id] = at.UTC()
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("looking for the last readings of %d sensors: %w", len(ids), err)
	}
	return onlySilent(found, func(m *anomaly.SilentSensor, at time.Time) bool {
		if known := last[m.SensorID]; known.After(m.Last) {
			m.Last = known
			return !known.Add(m.Patience).After(at)
		}
		return true
	}), nil
}

// onlySilent makes silences anew of the sensors that pass, which the function may
// change.
func onlySilent(found []*anomaly.Anomaly, pass func(m *anomaly.SilentSensor, at time.Time) bool) (kept []*anomaly.Anomaly) {
	for _, a := range found {
		s := *a.Silence
		s.Sensors = nil
		for _, m := range a.Silence.Sensors {
			if pass(&m, s.At) {
				s.Sensors = append(s.Sensors, m)
			}
		}
		if len(s.Sensors) > 0 {
			one := anomaly.NewSilence(a.Detector, &s)
			one.Score = a.Score
			kept = append(kept, one)
		}
	}
	return kept
}

const storedReadingsSQL = `
SELECT sensor_id, "timestamp" FROM sensor_readings
WHERE (sensor_id, "timestamp") IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))`

// storedSilences leaves out sensors whose last reading was refused.
func storedSilences(ctx context.Context, tx pgx.Tx, found []*anomaly.Anomaly) ([]*anomaly.Anomaly, error) {
	var ids []string
	var times []time.Time
	for _, a := range found {
		for _, m := range a.Silence.Sensors {
			ids, times = append(ids, m.SensorID), append(times, m.Last)
		}
	}
	rows, err := tx.Query(ctx, storedReadingsSQL, ids, times)
	if err != nil {
		return nil, fmt.Errorf("looking for the last readings of silent sensors: %w", err)
	}
	type reading struct {
		sensor string
		at     int64
	}
	known := map[reading]bool{}
	var id string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		known[reading{id, at.UnixMicro()}] = true
		return nil
	}); err != nil {
		return nil, fmt.Errorf("looking for the last readings of silent sensors: %w", err)
	}
	return onlySilent(found, func(m *anomaly.SilentSensor, _ time.Time) bool {
		return known[reading{m.SensorID, m.Last.UnixMicro()}]
	}), nil
}

const overlappingSilencesSQL = `
SELECT sensor_id, anomaly_type, metric, anomaly_score, started_at, created_at, silence FROM anomaly_events
WHERE silence IS NOT NULL AND until > $1 AND started_at < $2 AND detector = $3
	AND silence->>'together' = $4 AND coalesce(silence->>'group', '') = $5 AND ($4 = 'true' OR sensor_id = $6)
ORDER BY started_at`

const deleteSilenceSQL = `
DELETE FROM anomaly_events
WHERE sensor_id = $1 AND detector = $2 AND anomaly_type = $3 AND metric = $4 AND started_at = $5`

const insertSilenceSQL = `
INSERT INTO anomaly_events (sensor_id, detector, anomaly_type, metric, started_at, last_at, quiet, readings,
	anomaly_score, peak_at, severity, explanation, room_id, building, floor, room_type, silence, until, created_at)
VALUES ($1, $2, $3, $4, $5, $5, '0', 0, $6, $5, $7, $8, $9, $10, $11, $12, $13, $14, coalesce($15, now()))
ON CONFLICT DO NOTHING`

// addSilences merges silences with those that are stored and returns the anomalies
// of those that were not known.
func addSilences(ctx context.Context, tx pgx.Tx, found []*anomaly.Anomaly) (fresh []*anomaly.Anomaly, err error) {
	if err := lockEvents(ctx, tx); err != nil {
		return nil, err
	}
	for _, a := range found {
		merged, known, err := mergedSilence(ctx, tx, a)
		if err != nil {
			return nil, fmt.Errorf("merging silence of %q: %w", a.Silence.Subject(), err)
		}
		if known {
			continue
		}
		fresh = append(fresh, a)
		r := merged.Reading
		from, to := spanOf(merged.Silence)
		if _, err := tx.Exec(ctx, insertSilenceSQL, merged.Silence.Subject(), merged.Detector, merged.Type, merged.Metric, from,
			merged.Score, string(merged.Severity), merged.Explanation, text(r.RoomID), text(r.Building), text(r.Floor), text(r.RoomType),
			merged.Silence, to, merged.created); err != nil {
			return nil, fmt.Errorf("storing silence of %q: %w", merged.Silence.Subject(), err)
		}
	}
	return fresh, nil
}

// silence is one that takes the place of those that were merged.
type silence struct {
	*anomaly.Anomaly
	created *time.Time // nil if none was stored
}

// mergedSilence takes what is stored that a silence is part of out of the table, and
// returns both together, or says that nothing is new.
func mergedSilence(ctx context.Context, tx pgx.Tx, a *anomaly.Anomaly) (merged silence, known bool, err error) {
	from, to := spanOf(a.Silence)
	rows, err := tx.Query(ctx, overlappingSilencesSQL, from, to, a.Detector, fmt.Sprint(a.Silence.Together), a.Silence.Group, a.Silence.Subject())
	if err != nil {
		return merged, false, err
	}
	type row struct {
		SensorID, Type, Metric string
		Score                  float64
		Started, Created       time.Time
		Silence                anomaly.Silence
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return merged, false, err
	}
	both := *a.Silence
	both.Sensors = nil
	for i := range stored {
		both.Sensors = append(both.Sensors, stored[i].Silence.Sensors...)
		if merged.created == nil || stored[i].Created.Before(*merged.created) {
			merged.created = &stored[i].Created
		}
	}
	before := len(both.Sensors)
	both.Sensors = append(both.Sensors, a.Silence.Sensors...)
	slices.SortStableFunc(both.Sensors, func(a, b anomaly.SilentSensor) int { return cmp.Compare(a.SensorID, b.SensorID) })
	both.Sensors = slices.CompactFunc(both.Sensors, func(a, b anomaly.SilentSensor) bool { return a.SensorID == b.SensorID })
	if len(stored) == 1 && len(both.Sensors) == before {
		return merged, true, nil
	}
	score := a.Score
	for _, s := range stored {
		score = max(score, s.Score)
		if _, err := tx.Exec(ctx, deleteSilenceSQL, s.SensorID, a.Detector, s.Type, s.Metric, s.Started); err != nil {
			return merged, false, err
		}
	}
	merged.Anomaly = anomaly.NewSilence(a.Detector, &both)
	merged.Score = score
	return merged, false, nil
}
