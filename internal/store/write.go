package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// Batch is what is written together. Panes tell which of its readings their windows
// count; what those that are new add is made of the values that are stored. An anomaly
// whose reading is in the batch is kept only if that reading is new, and only then
// takes part in an event; others are kept by their own identity. A silence is kept if the batch has a new reading, or none at
// all, and nothing was stored before that contradicts it.
type Batch struct {
	Readings    []*reading.Reading
	Panes       []*window.Pane
	Anomalies   []*anomaly.Anomaly
	DeadLetters []DeadLetter

	// Origin describes where a reading came from, for the dead letter it becomes
	// if the database refuses it. It may be nil.
	Origin func(*reading.Reading) (source string, raw []byte)
}

// Empty tells whether there is nothing to write.
func (b *Batch) Empty() bool {
	return len(b.Readings)+len(b.Panes)+len(b.Anomalies)+len(b.DeadLetters) == 0
}

// Result counts what became of a batch.
type Result struct {
	Stored     int // readings that were new
	Duplicates int // readings that were there already
	Anomalies  int // anomalies that were new
	Strangers  int // members of panes that are no readings of the batch any more; not counted
	Refused    []DeadLetter
}

// Reasons for which the store refuses a reading.
const (
	OlderThanRetention reading.Reason = "older_than_retention"
	RefusedByDatabase  reading.Reason = "refused_by_database"
)

// Write stores a batch in one transaction: all of it is stored when it returns
// nil, and nothing of it otherwise, except that a connection that breaks during
// the commit may leave either. Writing the batch again is always right.
//
// Readings that the data itself makes impossible to store become dead letters
// and are reported in Refused. All errors are worth a retry.
func (s *Store) Write(ctx context.Context, b *Batch) (Result, error) {
	w := &writing{Store: s, batch: b}
	if err := w.prepare(ctx); err != nil {
		return Result{}, err
	}
	err := w.transact(ctx, w.copyReadings)
	if hasCode(err, pgerrcode.UniqueViolation) || isDataError(err) {
		// COPY does not say which rows are to blame. INSERT … ON CONFLICT costs
		// about twice as much and does.
		err = w.transact(ctx, w.insertReadings)
	}
	if err != nil {
		if hasCode(err, pgerrcode.CheckViolation) || hasCode(err, pgerrcode.UndefinedTable) {
			s.partitions.forget()
		}
		return Result{}, err
	}
	s.places.remember(w.sightings)
	return w.result, nil
}

// writing is one call of Write.
type writing struct {
	*Store
	batch *Batch

	members   members            // all of the batch
	readings  []*reading.Reading // worth trying
	stale     []*reading.Reading // too old to be kept
	inserted  []*reading.Reading // by place among the members: who is new, nil where nobody is
	sightings []*sighting        // of places that were not known before
	silences  []*anomaly.Anomaly // that nothing contradicts
	result    Result
}

// prepare sets aside what is past retention and makes missing partitions.
func (w *writing) prepare(ctx context.Context) error {
	w.members = membersOf(w.batch.Readings)
	w.readings = w.batch.Readings
	if oldest := w.oldest(); !oldest.IsZero() {
		w.readings = make([]*reading.Reading, 0, len(w.batch.Readings))
		for _, r := range w.batch.Readings {
			if r.Time.Before(oldest) {
				w.stale = append(w.stale, r)
			} else {
				w.readings = append(w.readings, r)
			}
		}
	}
	err := ensureAll(ctx, w.partitions, readings, w.readings, func(r *reading.Reading) time.Time { return r.Time })
	if err == nil {
		err = ensureAll(ctx, w.partitions, aggregates, w.batch.Panes, func(p *window.Pane) time.Time { return p.Start })
	}
	if err == nil {
		w.silences, err = w.heardSince(ctx, w.batch.Anomalies)
	}
	if err == nil {
		err = ensureAll(ctx, w.partitions, anomalies, slices.Concat(w.batch.Anomalies, w.silences), func(a *anomaly.Anomaly) time.Time { return a.Reading.Time })
	}
	return err
}

func (w *writing) transact(ctx context.Context, store func(context.Context, pgx.Tx) error) error {
	w.result, w.inserted = Result{}, make([]*reading.Reading, len(w.batch.Readings))
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if err := store(ctx, tx); err != nil {
			return err
		}
		for _, r := range w.stale {
			w.refuse(r, OlderThanRetention, fmt.Sprintf("storing reading of sensor %q: timestamp %s is past the retention of %s",
				r.SensorID, r.Time.Format(time.RFC3339Nano), w.retention.Readings))
		}
		found := w.newAnomalies()
		rest := &pgx.Batch{}
		added := w.newReadings()
		w.sightings = w.places.news(added)
		queuePlaces(rest, w.sightings)
		queuePending(rest, added)
		queueAggregates(rest, w.newPanes())
		queueWatermarks(rest, w.batch.Panes)
		queueAnomalies(rest, slices.DeleteFunc(slices.Clone(found), func(a *anomaly.Anomaly) bool { return a.Continues }), &w.result.Anomalies)
		queueDeadLetters(rest, append(w.result.Refused, w.batch.DeadLetters...))
		if rest.Len() > 0 {
			if err := tx.SendBatch(ctx, rest).Close(); err != nil {
				return err
			}
		}
		// Last, because of their lock.
		if err := addEvents(ctx, tx, slices.DeleteFunc(found, func(a *anomaly.Anomaly) bool { return w.members.place(a.Reading) < 0 }), w.quiet); err != nil {
			return err
		}
		return w.addSilences(ctx, tx)
	})
}

// addSilences stores the silences that are not known, and their anomalies. Those of
// a batch of which all readings are known are of a replay.
func (w *writing) addSilences(ctx context.Context, tx pgx.Tx) error {
	if len(w.silences) == 0 || len(w.batch.Readings) > 0 && w.result.Stored == 0 {
		return nil
	}
	found, err := storedSilences(ctx, tx, w.silences)
	if err != nil {
		return err
	}
	if found, err = addSilences(ctx, tx, found); err != nil || len(found) == 0 {
		return err
	}
	fresh, stored := &pgx.Batch{}, 0
	queueAnomalies(fresh, found, &stored)
	if err := tx.SendBatch(ctx, fresh).Close(); err != nil {
		return fmt.Errorf("storing anomalies of silences: %w", err)
	}
	w.result.Anomalies += stored
	return nil
}

// refuse turns a reading into a dead letter.
func (w *writing) refuse(r *reading.Reading, reason reading.Reason, detail string) {
	d := DeadLetter{Reason: reason, Detail: detail}
	if w.batch.Origin != nil {
		d.Source, d.Raw = w.batch.Origin(r)
	}
	if d.Raw == nil {
		d.Raw = r.AppendJSON(nil)
	}
	w.result.Refused = append(w.result.Refused, d)
}

// newReadings are the readings that this transaction inserted.
func (w *writing) newReadings() []*reading.Reading {
	return slices.DeleteFunc(slices.Clone(w.inserted), func(r *reading.Reading) bool { return r == nil })
}

// newAnomalies are the findings on readings that are new or not in the batch, each
// once. Silences are not about a reading.
func (w *writing) newAnomalies() []*anomaly.Anomaly {
	type finding struct {
		place                   int
		detector, metric, about string
	}
	var kept []*anomaly.Anomaly
	found := map[finding]bool{}
	for _, a := range w.batch.Anomalies {
		if a.Silence != nil {
			continue
		}
		if place := w.members.place(a.Reading); place >= 0 {
			f := finding{place, a.Detector, a.Metric, a.Type}
			if w.inserted[place] == nil || found[f] {
				continue
			}
			found[f] = true
		}
		kept = append(kept, a)
	}
	return kept
}

// isDataError tells whether the values caused the error, so that writing them
// again could never succeed. Everything else passes, sooner or later.
func isDataError(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch {
	case pgerrcode.IsDataException(pgErr.Code), pgErr.Code == pgerrcode.ProgramLimitExceeded,
		pgErr.Code == pgerrcode.UntranslatableCharacter, pgErr.Code == pgerrcode.NotNullViolation:
		return true
	case pgErr.Code == pgerrcode.CheckViolation:
		return pgErr.ConstraintName != "" // without a name: no partition for the row
	}
	return false
}
