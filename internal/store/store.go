package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Retention says how long data is kept, by event time; 0 keeps it for ever.
// Readings and anomalies go by days and months as a whole, when the last of them
// is old enough.
type Retention struct {
	Readings, Aggregates, Anomalies, DeadLetters time.Duration

	// Of roll-ups by their step, in whole days.
	Rollups15m, Rollups1h, Rollups1d time.Duration
}

// rollups are the times for which roll-ups are kept, in the order of rollupSteps.
func (r Retention) rollups() [3]time.Duration {
	return [...]time.Duration{r.Rollups15m, r.Rollups1h, r.Rollups1d}
}

// Validate refuses what could not stay right: a reading that comes late must
// find its own row, to be known as new or not, its window and its roll-ups.
func (r Retention) Validate() error {
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"readings", r.Readings},
		{"aggregates", r.Aggregates},
		{"anomalies", r.Anomalies},
		{"dead_letters", r.DeadLetters},
		{"rollups_15m", r.Rollups15m},
		{"rollups_1h", r.Rollups1h},
		{"rollups_1d", r.Rollups1d},
	} {
		if f.d < 0 {
			return fmt.Errorf("retention of %s must not be negative, got %s", f.name, f.d)
		}
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"aggregates", r.Aggregates}, {"rollups_15m", r.Rollups15m}, {"rollups_1h", r.Rollups1h}, {"rollups_1d", r.Rollups1d},
	} {
		if f.d > 0 && (r.Readings == 0 || r.Readings > f.d) {
			return fmt.Errorf("retention of %s %s must not be shorter than that of readings %s", f.name, f.d, r.Readings)
		}
	}
	return nil
}

// Store is a connection to the database, ready to be written to. It is safe for
// concurrent use.
type Store struct {
	pool       *pgxpool.Pool
	partitions *partitions
	places     *places
	retention  Retention
	quiet      time.Duration
	now        func() time.Time
}

// Open connects to the database, brings its schema up to date and makes the
// partitions of the next days. Close must be called when it succeeds.
func Open(ctx context.Context, dsn string, retention Retention, now func() time.Time) (*Store, error) {
	pool, err := Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s := &Store{pool: pool, partitions: newPartitions(pool), places: newPlaces(), retention: retention, quiet: DefaultQuiet, now: now}
	if err := s.Prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// Prepare brings the schema up to date and makes partitions. Open does it; it is
// worth doing again after the database was away, as it may have been restored.
func (s *Store) Prepare(ctx context.Context) error {
	if err := migrate(ctx, s.pool); err != nil {
		return err
	}
	s.partitions.forget()
	s.places.forget()
	return s.partitions.ahead(ctx, s.now())
}

// Close waits for running writes and closes the connections.
func (s *Store) Close() { s.pool.Close() }

// Pool gives access to the connections, for queries.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Maintain makes partitions ahead and drops what is past retention. It returns
// the names of the partitions that it dropped. Calling it about once an hour is
// enough.
func (s *Store) Maintain(ctx context.Context) (dropped []string, err error) {
	now := s.now()
	if err := s.partitions.ahead(ctx, now); err != nil {
		return nil, err
	}
	if _, err := s.pool.Exec(ctx, refreshPlacesSQL); err != nil {
		return nil, fmt.Errorf("noting when sensors were seen: %w", err)
	}
	// What is dropped must have been rolled up.
	if _, err := s.RollUp(ctx, 0); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		table partitioned
		keep  time.Duration
	}{
		{readings, s.retention.Readings}, {aggregates, s.retention.Aggregates}, {anomalies, s.retention.Anomalies},
	} {
		if t.keep == 0 {
			continue
		}
		names, err := s.partitions.dropBefore(ctx, t.table, t.table.start(now.Add(-t.keep)))
		dropped = append(dropped, names...)
		if err != nil {
			return dropped, err
		}
	}
	for i, keep := range s.retention.rollups() {
		if keep == 0 {
			continue
		}
		for _, table := range []string{"room_rollups", "floor_rollups"} {
			if _, err := s.pool.Exec(ctx, "DELETE FROM "+table+" WHERE step = $1::interval AND bucket < $2", rollupSteps[i].length, dayOf(now.Add(-keep))); err != nil {
				return dropped, fmt.Errorf("deleting old rows of %s: %w", table, err)
			}
		}
	}
	if s.retention.Anomalies > 0 {
		if _, err := s.pool.Exec(ctx, "DELETE FROM anomaly_events WHERE last_at < $1", now.Add(-s.retention.Anomalies)); err != nil {
			return dropped, fmt.Errorf("deleting old events: %w", err)
		}
	}
	if s.retention.DeadLetters > 0 {
		if _, err := s.pool.Exec(ctx, "DELETE FROM dead_letters WHERE created_at < $1", now.Add(-s.retention.DeadLetters)); err != nil {
			return dropped, fmt.Errorf("deleting old dead letters: %w", err)
		}
	}
	return dropped, nil
}

// oldest is the first event time that is still kept. It falls on the start of a
// partition, so that a reading is either dropped together with its identity or
// not at all.
func (s *Store) oldest() time.Time {
	if s.retention.Readings == 0 {
		return time.Time{}
	}
	return readings.start(s.now().Add(-s.retention.Readings))
}
