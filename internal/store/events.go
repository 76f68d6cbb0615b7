package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/anomaly"
)

// DefaultQuiet is how long nothing may be found before an event is over. Detectors that
// know what is usual at an hour notice what creeps at the beginning of each: with less
// it would be an event for each hour.
const DefaultQuiet = time.Hour

// eventsLock is the key of the advisory lock under which events are merged, so
// that two processes do not both begin an event that is one.
const eventsLock = 0x6275696c646d6f6e // "buildmon"

// subject is what an event is about. Neither the kind of finding nor the detector is: a
// metric that jumps, is too high and then restless has one thing wrong with it. But what
// else happens while a sensor drifts, for days, is something else.
type subject struct {
	sensor, metric string
	drift          bool
}

func (s subject) compare(t subject) int {
	order := cmp.Or(cmp.Compare(s.sensor, t.sensor), cmp.Compare(s.metric, t.metric))
	if order == 0 && s.drift != t.drift {
		order = 1
		if t.drift {
			order = -1
		}
	}
	return order
}

// event is a row of anomaly_events, or a part of one.
type event struct {
	subject
	started, last time.Time
	readings      int64
	created       time.Time // zero if it is not stored yet

	// Of the worst reading.
	detector, kind   string
	severity         anomaly.Severity
	score            float64
	peak             time.Time
	value, low, high pgtype.Float8
	explanation      string
	place            [4]pgtype.Text // room, building, floor, room type
}

// absorb makes e span f as well.
func (e *event) absorb(f *event) {
	if f.started.Before(e.started) {
		e.started = f.started
	}
	if f.last.After(e.last) {
		e.last = f.last
	}
	if e.created.IsZero() || !f.created.IsZero() && f.created.Before(e.created) {
		e.created = f.created
	}
	e.readings += f.readings
	if f.worse(e) {
		e.detector, e.kind, e.severity, e.score, e.peak = f.detector, f.kind, f.severity, f.score, f.peak
		e.value, e.low, e.high, e.explanation, e.place = f.value, f.low, f.high, f.explanation, f.place
	}
}

// worse tells whether the worst reading of e is worse than that of f: more severe, or
// rarer, or the same earlier. Of what is the same to two detectors either will do, as
// long as it is always the same one.
func (e *event) worse(f *event) bool {
	return cmp.Or(cmp.Compare(f.severity.Rank(), e.severity.Rank()), cmp.Compare(f.score, e.score), e.peak.Compare(f.peak),
		cmp.Compare(e.detector, f.detector), cmp.Compare(e.kind, f.kind)) < 0
}

// Event is what findings that follow one another closely make together.
type Event struct {
	SensorID, Metric string

	Started, Last time.Time // of the first and the last reading found
	Readings      int64     // how many were found

	// Of the worst reading.
	Detector, Type, Explanation string
	Score                       float64
}

// Events are the events that findings make, by the rules of the table, for those
// who want no database.
func Events(found []*anomaly.Anomaly, quiet time.Duration) []Event {
	var all []Event
	for _, e := range eventsOf(found, quiet) {
		all = append(all, Event{
			SensorID: e.sensor, Detector: e.detector, Type: e.kind, Metric: e.metric,
			Started: e.started, Last: e.last, Readings: e.readings, Score: e.score, Explanation: e.explanation,
		})
	}
	return all
}

// eventsOf turns findings into events.
func eventsOf(found []*anomaly.Anomaly, quiet time.Duration) []*event {
	events := make([]*event, len(found))
	for i, a := range found {
		r := a.Reading
		events[i] = &event{
			subject: subject{r.SensorID, a.Subject(), anomaly.Drifts(a.Type)},
			started: r.Time, last: r.Time, readings: 1,
			detector: a.Detector, kind: a.Type, severity: a.Severity, score: a.Score, peak: r.Time,
			value: number(a.Value), low: number(a.Low), high: number(a.High), explanation: a.Explanation,
			place: [4]pgtype.Text{text(r.RoomID), text(r.Building), text(r.Floor), text(r.RoomType)},
		}
	}
	return joined(readingsOf(events), quiet)
}

// readingsOf makes what several detectors found on one reading one.
func readingsOf(events []*event) []*event {
	events = merged(events, func(a, b *event) bool { return a.started.Equal(b.started) })
	for _, e := range events {
		e.readings = 1
	}
	return events
}

// joined merges events that follow one another closely.
func joined(events []*event, quiet time.Duration) []*event {
	return merged(events, func(a, b *event) bool { return b.started.Sub(a.last) <= quiet })
}

// merged merges events of one subject of which the next is the same. It changes them, and
// their order.
func merged(events []*event, same func(a, b *event) bool) []*event {
	slices.SortStableFunc(events, func(a, b *event) int {
		return cmp.Or(a.compare(b.subject), a.started.Compare(b.started))
	})
	kept := events[:0]
	for _, e := range events {
		if n := len(kept); n > 0 && kept[n-1].subject == e.subject && same(kept[n-1], e) {
			kept[n-1].absorb(e)
		} else {
			kept = append(kept, e)
		}
	}
	return kept
}

const nearbyEventsSQL = `
DELETE FROM anomaly_events e
USING unnest($1::text[], $2::text[], $3::bool[], $4::timestamptz[], $5::timestamptz[])
	AS n (sensor_id, metric, drift, started_at, last_at)
WHERE e.sensor_id = n.sensor_id AND e.metric = n.metric AND e.silence IS NULL
	AND (right(e.anomaly_type, length($7)) = $7) = n.drift
	AND e.last_at >= n.started_at - $6::interval AND e.started_at <= n.last_at + $6::interval
RETURNING e.sensor_id, e.detector, e.anomaly_type, e.metric, e.started_at, e.last_at, e.readings, e.created_at,
	e.anomaly_score, e.peak_at, e.severity, e.value, e.expected_low, e.expected_high, e.explanation,
	e.room_id, e.building, e.floor, e.room_type`

const insertEventsSQL = `
INSERT INTO anomaly_events (sensor_id, detector, anomaly_type, metric, started_at, last_at, readings, created_at,
	anomaly_score, peak_at, severity, value, expected_low, expected_high, explanation,
	room_id, building, floor, room_type, quiet)
SELECT sensor_id, detector, anomaly_type, metric, started_at, last_at, readings, coalesce(created_at, now()),
	anomaly_score, peak_at, severity, value, expected_low, expected_high, explanation,
	room_id, building, floor, room_type, $20
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::timestamptz[],
	$9::float8[], $10::timestamptz[], $11::text[], $12::float8[], $13::float8[], $14::float8[], $15::text[],
	$16::text[], $17::text[], $18::text[], $19::text[])
	AS new (sensor_id, detector, anomaly_type, metric, started_at, last_at, readings, created_at,
	anomaly_score, peak_at, severity, value, expected_low, expected_high, explanation,
	room_id, building, floor, room_type)`

// addEvents merges findings on new readings with the events that are stored.
func addEvents(ctx context.Context, tx pgx.Tx, found []*anomaly.Anomaly, quiet time.Duration) error {
	events := eventsOf(found, quiet)
	if len(events) == 0 {
		return nil
	}
	if err := lockEvents(ctx, tx); err != nil {
		return err
	}
	c := columnsOf(events)
	rows, err := tx.Query(ctx, nearbyEventsSQL, c.sensor, c.metric, c.drift, c.started, c.last, quiet, anomaly.DriftSuffix)
	if err != nil {
		return fmt.Errorf("looking for events nearby: %w", err)
	}
	stored, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*event, error) {
		e := &event{}
		err := row.Scan(&e.sensor, &e.detector, &e.kind, &e.metric, &e.started, &e.last, &e.readings, &e.created,
			&e.score, &e.peak, &e.severity, &e.value, &e.low, &e.high, &e.explanation,
			&e.place[0], &e.place[1], &e.place[2], &e.place[3])
		e.drift = anomaly.Drifts(e.kind)
		return e, err
	})
	if err != nil {
		return fmt.Errorf("looking for events nearby: %w", err)
	}
	c = columnsOf(joined(append(events, stored...), quiet))
	if _, err := tx.Exec(ctx, insertEventsSQL, c.sensor, c.detector, c.kind, c.metric, c.started, c.last, c.readings, c.created,
		c.score, c.peak, c.severity, c.value, c.low, c.high, c.explanation,
		c.place[0], c.place[1], c.place[2], c.place[3], quiet); err != nil {
		return fmt.Errorf("storing events: %w", err)
	}
	return nil
}

// lockEvents makes transactions that merge events follow one another.
func lockEvents(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(eventsLock)); err != nil {
		return fmt.Errorf("waiting to merge events: %w", err)
	}
	return nil
}

// eventColumns are events column by column.
type eventColumns struct {
	sensor, detector, kind, metric, severity, explanation []string
	drift                                                 []bool
	started, last, peak                                   []time.Time
	created                                               []pgtype.Timestamptz
	readings                                              []int64
	score                                                 []float64
	value, low, high                                      []pgtype.Float8
	place                                                 [4][]pgtype.Text
}

func columnsOf(events []*event) (c eventColumns) {
	for _, e := range events {
		c.sensor, c.detector = append(c.sensor, e.sensor), append(c.detector, e.detector)
		c.kind, c.metric, c.drift = append(c.kind, e.kind), append(c.metric, e.metric), append(c.drift, e.drift)
		c.severity, c.explanation = append(c.severity, string(e.severity)), append(c.explanation, e.explanation)
		c.started, c.last, c.peak = append(c.started, e.started), append(c.last, e.last), append(c.peak, e.peak)
		c.created = append(c.created, pgtype.Timestamptz{Time: e.created, Valid: !e.created.IsZero()})
		c.readings, c.score = append(c.readings, e.readings), append(c.score, e.score)
		c.value, c.low, c.high = append(c.value, e.value), append(c.low, e.low), append(c.high, e.high)
		for i := range c.place {
			c.place[i] = append(c.place[i], e.place[i])
		}
	}
	return c
}
