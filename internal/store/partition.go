package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// partitioned is a table that is split by time, in UTC.
type partitioned struct {
	table, column string
	layout        string // of the suffix of a partition's name
	start         func(time.Time) time.Time
	next          func(time.Time) time.Time
}

var (
	readings   = partitioned{"sensor_readings", "timestamp", "20060102", dayOf, nextDay}
	aggregates = partitioned{"window_aggregates", "window_start", "200601", monthOf, nextMonth}
	anomalies  = partitioned{"sensor_anomalies", "timestamp", "200601", monthOf, nextMonth}
)

func dayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func nextDay(t time.Time) time.Time { return t.AddDate(0, 0, 1) }

func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

func nextMonth(t time.Time) time.Time { return t.AddDate(0, 1, 0) }

func (p partitioned) name(start time.Time) string { return p.table + "_" + start.Format(p.layout) }

// partitions makes partitions before they are needed and remembers which exist.
// It is safe for concurrent use.
type partitions struct {
	pool *pgxpool.Pool

	mu    sync.Mutex
	known map[string]bool
}

func newPartitions(pool *pgxpool.Pool) *partitions {
	return &partitions{pool: pool, known: map[string]bool{}}
}

// forget makes the next ensure look again, after somebody else dropped one.
func (p *partitions) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
}

// ensure makes the partition of a table that holds t, unless it exists.
func (p *partitions) ensure(ctx context.Context, table partitioned, t time.Time) error {
	start := table.start(t)
	name := table.name(start)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[name] {
		return nil
	}
	if err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		return createPartition(ctx, tx, table, name, start)
	}); err != nil {
		return fmt.Errorf("creating partition %s: %w", name, err)
	}
	p.known[name] = true
	return nil
}

// ensureAll makes the partitions of a table that rows need. Rows that follow one
// another mostly share one, so it is looked up only when it changes.
func ensureAll[R any](ctx context.Context, p *partitions, table partitioned, rows []R, at func(R) time.Time) error {
	var start, end time.Time
	for _, row := range rows {
		t := at(row)
		if !t.Before(start) && t.Before(end) {
			continue
		}
		start = table.start(t)
		end = table.next(start)
		if err := p.ensure(ctx, table, start); err != nil {
			return err
		}
	}
	return nil
}

// createPartition makes a table like its parent and attaches it, which unlike
// CREATE TABLE … PARTITION OF does not wait for running queries.
func createPartition(ctx context.Context, tx pgx.Tx, table partitioned, name string, start time.Time) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "buildmon partition "+table.table); err != nil {
		return err
	}
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", quote(name)).Scan(&exists); err != nil || exists {
		return err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", quote(name), quote(table.table))); err != nil {
		return err
	}
	const bound = "2006-01-02 15:04:05Z07:00"
	_, err := tx.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')",
		quote(table.table), quote(name), start.Format(bound), table.next(start).Format(bound)))
	return err
}

// ahead makes the partitions for now and the near future, so that no batch has
// to wait for one at midnight.
func (p *partitions) ahead(ctx context.Context, now time.Time) error {
	for _, table := range []partitioned{readings, aggregates, anomalies} {
		start := table.start(now)
		for range 3 {
			if err := p.ensure(ctx, table, start); err != nil {
				return err
			}
			start = table.next(start)
		}
	}
	return nil
}

// dropBefore drops the partitions that end at or before the given time, and
// returns their names. It gives up when a partition is in use, to try again later, and
// leaves those with readings that are not rolled up.
func (p *partitions) dropBefore(ctx context.Context, table partitioned, cut time.Time) ([]string, error) {
	rows, err := p.pool.Query(ctx, `
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = $1::regclass ORDER BY c.relname`, quote(table.table))
	if err != nil {
		return nil, fmt.Errorf("listing partitions of %s: %w", table.table, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing partitions of %s: %w", table.table, err)
	}
	var dropped []string
	for _, name := range names {
		start, err := time.Parse(table.table+"_"+table.layout, name)
		if err != nil || table.next(start).After(cut) {
			continue // not ours, or still needed
		}
		err = p.drop(ctx, name, start, table.next(start))
		if errors.Is(err, errPending) {
			continue
		}
		if err != nil {
			return dropped, fmt.Errorf("dropping partition %s: %w", name, err)
		}
		dropped = append(dropped, name)
	}
	return dropped, nil
}

// errPending says that something in a partition is not rolled up.
var errPending = errors.New("readings are not rolled up yet")

func (p *partitions) drop(ctx context.Context, name string, start, end time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, name)
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+quote(name)); err != nil {
			return err
		}
		// Writers wait for this transaction now, so nothing is added after the look.
		var pending bool
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM rollup_pending WHERE bucket >= $1 AND bucket < $2)", start, end).Scan(&pending)
		if err == nil && pending {
			err = errPending
		}
		return err
	})
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }
