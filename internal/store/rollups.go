package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"buildmon/internal/reading"
)

// rollupSteps are the lengths of roll-ups, each made of the one before.
var rollupSteps = []struct {
	name, interval string // in the names of views, and in SQL
	length         time.Duration
}{
	{"15m", "15 minutes", rollupStep}, {"1h", "1 hour", time.Hour}, {"1d", "1 day", 24 * time.Hour},
}

// rollupStep is the length of the shortest roll-ups, and of what is noted as pending.
const rollupStep = 15 * time.Minute

// rollupLock is the key of the advisory lock under which readings are rolled up, so
// that processes do not do it twice.
const rollupLock = eventsLock + 1

// rollupsAtOnce bounds the buckets of one transaction: those of a day.
const rollupsAtOnce = 96

// impatience is how many times the quiet a bucket has to wait for at most.
const impatience = 6

// queuePending notes the buckets that readings add to, for RollUp.
func queuePending(b *pgx.Batch, added []*reading.Reading) {
	var buckets []time.Time
	noted := map[int64]bool{}
	var last int64
	for i, r := range added {
		n := r.Time.Unix() / int64(rollupStep/time.Second) // event times are after 1970
		if i > 0 && n == last {
			continue
		}
		if last = n; !noted[n] {
			noted[n] = true
			buckets = append(buckets, time.Unix(n*int64(rollupStep/time.Second), 0).UTC())
		}
	}
	if len(buckets) > 0 {
		b.Queue("INSERT INTO rollup_pending (bucket) SELECT unnest($1::timestamptz[])", buckets)
	}
}

// RollUp works out the roll-ups of buckets that readings were added to, and returns
// how many buckets it did. It leaves out those that something was added to within the
// last quiet, unless they have been waiting for several times as long; 0 leaves out
// none. When another process is at it already it does nothing.
//
// What is not rolled up yet is right in the views all the same, only slower.
func (s *Store) RollUp(ctx context.Context, quiet time.Duration) (buckets int, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("connecting to roll up: %w", err)
	}
	defer conn.Release()
	// A lock of the session, because the snapshot must be taken after it.
	var alone bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(rollupLock)).Scan(&alone); err != nil || !alone {
		return 0, err
	}
	defer func() {
		if _, unlockErr := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(rollupLock)); unlockErr != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx)) // which gives up the lock
		}
	}()
	for {
		var done int
		// In one snapshot: the notes that are deleted are those of the readings that
		// are seen. What commits meanwhile leaves its own note.
		err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) (err error) {
			done, err = rollUp(ctx, tx, quiet)
			return err
		})
		if err != nil {
			return buckets, fmt.Errorf("rolling up: %w", err)
		}
		if buckets += done; done < rollupsAtOnce {
			break
		}
	}
	if buckets > 0 {
		// The views are planned by how much is pending.
		if _, err := conn.Exec(ctx, "ANALYZE rollup_pending"); err != nil {
			return buckets, fmt.Errorf("analysing what is not rolled up: %w", err)
		}
	}
	return buckets, nil
}

const settledSQL = `
SELECT bucket FROM rollup_pending GROUP BY bucket
HAVING max(noted_at) <= now() - $1::interval OR min(noted_at) <= now() - $2::interval
ORDER BY bucket LIMIT $3`

// rollUp does the first buckets that have settled, from the shortest step to the
// longest, each made of the one before.
func rollUp(ctx context.Context, tx pgx.Tx, quiet time.Duration) (int, error) {
	rows, err := tx.Query(ctx, settledSQL, quiet, impatience*quiet, rollupsAtOnce)
	if err != nil {
		return 0, err
	}
	buckets, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil || len(buckets) == 0 {
		return 0, err
	}
	batch := &pgx.Batch{}
	batch.Queue("SET LOCAL jit = off") // compiling takes longer than what is compiled
	for _, step := range rollupSteps {
		starts := startsOf(buckets, step.length)
		for _, kind := range []string{"room", "floor"} {
			batch.Queue(fmt.Sprintf("DELETE FROM %s_rollups WHERE step = interval '%s' AND bucket = ANY($1)", kind, step.interval), starts)
			batch.Queue(fmt.Sprintf("INSERT INTO %[1]s_rollups SELECT f.* FROM unnest($1::timestamptz[]) AS b (start) CROSS JOIN LATERAL fresh_%[1]s_%[2]s(b.start) f", kind, step.name), starts)
		}
		if step.length == rollupStep {
			batch.Queue("DELETE FROM rollup_pending WHERE bucket = ANY($1)", starts)
		}
	}
	return len(buckets), tx.SendBatch(ctx, batch).Close()
}

// startsOf are the starts of the longer buckets that hold the given ones, which are
// in order.
func startsOf(buckets []time.Time, length time.Duration) []time.Time {
	var starts []time.Time
	for _, b := range buckets {
		if start := b.UTC().Truncate(length); len(starts) == 0 || !start.Equal(starts[len(starts)-1]) {
			starts = append(starts, start)
		}
	}
	return starts
}
