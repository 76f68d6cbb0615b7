package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/command/show"
	"buildmon/internal/store"
)

// exactUpTo is how many rows are counted; of larger tables the planner's
// estimate is told.
const exactUpTo = 100_000

func (d *doctor) postgres(ctx context.Context, s section) {
	pool, err := within(ctx, d, func(ctx context.Context) (*pgxpool.Pool, error) { return store.Connect(ctx, d.DSN) })
	if err != nil {
		// The store ends its message with what to check.
		finding, _, _ := strings.Cut(err.Error(), "; check that")
		s.fail("database", "start Postgres, or name a database with --postgres (BUILDMON_POSTGRES_DSN)", "%s", finding)
		return
	}
	defer pool.Close()
	if !d.database(ctx, s, pool) || !d.schema(ctx, s, pool) {
		return
	}
	d.table(ctx, s, pool, "readings", "sensor_readings", newestReading)
	d.table(ctx, s, pool, "windows", "window_aggregates", func(ctx context.Context, pool *pgxpool.Pool) (found, error) {
		return newestBy(ctx, pool, `SELECT window_start + window_size FROM window_aggregates ORDER BY window_start DESC LIMIT 1`)
	})
	d.table(ctx, s, pool, "anomalies", "sensor_anomalies", func(ctx context.Context, pool *pgxpool.Pool) (found, error) {
		return newestBy(ctx, pool, `SELECT "timestamp" FROM sensor_anomalies ORDER BY "timestamp" DESC LIMIT 1`)
	})
	d.deadLetters(ctx, s, pool)
}

func (d *doctor) database(ctx context.Context, s section, pool *pgxpool.Pool) bool {
	type server struct {
		version string
		number  int
	}
	v, err := within(ctx, d, func(ctx context.Context) (v server, err error) {
		err = pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&v.version, &v.number)
		return v, err
	})
	c := pool.Config().ConnConfig
	where := fmt.Sprintf("%s:%d, database %q, as %q", c.Host, c.Port, c.Database, c.User)
	switch {
	case err != nil:
		s.fail("database", "look at the log of the server", "%s: %v", where, err)
		return false
	case v.number < store.MinServer:
		s.fail("database", fmt.Sprintf("upgrade Postgres to %d or later", store.MinServer/10000), "Postgres %s at %s is too old", v.version, where)
		return false
	}
	s.ok("database", "Postgres %s at %s", v.version, where)
	return true
}

// schema tells whether there are tables to look at.
func (d *doctor) schema(ctx context.Context, s section, pool *pgxpool.Pool) bool {
	version, err := within(ctx, d, func(ctx context.Context) (int64, error) { return store.SchemaVersion(ctx, pool) })
	known := store.KnownSchema()
	switch {
	case err != nil:
		s.fail("schema", "grant this user the right to read the tables", "%v", err)
	case version == 0:
		s.fail("schema", "run a pipeline that ends in the postgres output, which creates it, such as buildmon -c pipelines/monitor.yaml",
			"there is none: buildmon has not written to this database")
	case version > known:
		s.fail("schema", "use a newer buildmon", "version %d, this program knows up to %d", version, known)
	case version < known:
		s.warn("schema", "the next pipeline that starts with this program brings it up to date", "version %d, this program knows up to %d", version, known)
		return true
	default:
		s.ok("schema", "version %d", version)
		return true
	}
	return false
}

// found is the newest row of a table and, where it is known, from how many
// sensors rows come.
type found struct {
	newest  time.Time // zero if there is none
	sensors int64
}

func (d *doctor) table(ctx context.Context, s section, pool *pgxpool.Pool, name, table string, newest func(context.Context, *pgxpool.Pool) (found, error)) {
	rows, err := within(ctx, d, func(ctx context.Context) (string, error) { return countRows(ctx, pool, table) })
	var at found
	if err == nil {
		at, err = within(ctx, d, func(ctx context.Context) (found, error) { return newest(ctx, pool) })
	}
	if err != nil {
		remedy := "grant this user the right to read the table"
		if errors.Is(err, context.DeadlineExceeded) {
			remedy = "the server is busy or the table large; try again, perhaps with a longer --timeout"
		}
		s.warn(name, remedy, "unknown: %v", err)
		return
	}
	// No anomaly is good news; the other tables fill in any case.
	watched := table != "sensor_anomalies"
	switch now := d.Now(); {
	case at.newest.IsZero() && watched:
		s.warn(name, "start what writes to the topic, and a pipeline that reads it", "none yet")
	case at.newest.IsZero():
		s.ok(name, "none yet")
	default:
		finding := rows
		if at.sensors > 0 {
			finding += " of " + show.Some(at.sensors, "sensor")
		}
		finding += fmt.Sprintf(", the newest %s (%s)", show.Ago(now, at.newest), at.newest.UTC().Format(time.DateTime+"Z"))
		if watched && now.Sub(at.newest) > oldData {
			s.warn(name, "look whether sensors send, and at the lag of the group", "%s", finding)
			return
		}
		s.ok(name, "%s", finding)
	}
}

// countRows counts a small table and estimates a large one, by what the last
// ANALYZE and the statistics collector have seen of its partitions.
func countRows(ctx context.Context, pool *pgxpool.Pool, table string) (string, error) {
	var n int64
	if err := pool.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT FROM %s LIMIT %d) AS first", table, exactUpTo+1)).Scan(&n); err != nil {
		return "", fmt.Errorf("counting rows of %s: %w", table, err)
	}
	if n <= exactUpTo {
		return show.Count(n), nil
	}
	err := pool.QueryRow(ctx, `
		SELECT coalesce(sum(greatest(c.reltuples::bigint, s.n_live_tup, 0)), 0)::bigint
		FROM pg_partition_tree($1::regclass) t
		JOIN pg_class c ON c.oid = t.relid
		LEFT JOIN pg_stat_all_tables s ON s.relid = t.relid
		WHERE t.isleaf`, table).Scan(&n)
	if err != nil {
		return "", fmt.Errorf("estimating rows of %s: %w", table, err)
	}
	return "about " + show.Count(max(n, exactUpTo)), nil
}

func newestBy(ctx context.Context, pool *pgxpool.Pool, sql string) (f found, err error) {
	err = pool.QueryRow(ctx, sql).Scan(&f.newest)
	if errors.Is(err, pgx.ErrNoRows) {
		return found{}, nil
	}
	return f, err
}

// newestInSQL steps from sensor to sensor along the primary key and takes the
// last instant of each: one look into the index for each sensor, however many
// readings there are. There is no index by time that has an order.
const newestInSQL = `
WITH RECURSIVE sensor (id) AS (
	SELECT min(sensor_id) FROM %[1]s
	UNION ALL
	SELECT (SELECT min(sensor_id) FROM %[1]s WHERE sensor_id > sensor.id) FROM sensor WHERE id IS NOT NULL
)
SELECT max((SELECT max("timestamp") FROM %[1]s WHERE sensor_id = sensor.id)), count(id) FROM sensor WHERE id IS NOT NULL`

// newestReading looks at the newest partition that has any reading. Sensors are
// those of that partition, which is a day.
func newestReading(ctx context.Context, pool *pgxpool.Pool) (found, error) {
	rows, err := pool.Query(ctx, `
		SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'sensor_readings'::regclass ORDER BY c.relname DESC`)
	if err != nil {
		return found{}, fmt.Errorf("listing partitions of sensor_readings: %w", err)
	}
	partitions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return found{}, fmt.Errorf("listing partitions of sensor_readings: %w", err)
	}
	for _, p := range partitions { // the server has quoted the names
		var newest *time.Time
		var f found
		if err := pool.QueryRow(ctx, fmt.Sprintf(newestInSQL, p)).Scan(&newest, &f.sensors); err != nil {
			return found{}, fmt.Errorf("looking for the newest reading in %s: %w", p, err)
		}
		if newest != nil {
			f.newest = *newest
			return f, nil
		}
	}
	return found{}, nil
}

func (d *doctor) deadLetters(ctx context.Context, s section, pool *pgxpool.Pool) {
	type letters struct {
		reason string
		n      int64
		last   time.Time
	}
	all, err := within(ctx, d, func(ctx context.Context) ([]letters, error) {
		rows, err := pool.Query(ctx, "SELECT reason, count(*), max(created_at) FROM dead_letters GROUP BY reason ORDER BY count(*) DESC, reason")
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l letters, err error) {
			err = row.Scan(&l.reason, &l.n, &l.last)
			return l, err
		})
	})
	if err != nil {
		s.warn("dead letters", "try again, perhaps with a longer --timeout", "unknown: %v", err)
		return
	}
	if len(all) == 0 {
		s.ok("dead letters", "none")
		return
	}
	var total int64
	var last time.Time
	var reasons []string
	for _, l := range all {
		total += l.n
		if l.last.After(last) {
			last = l.last
		}
		reasons = append(reasons, l.reason+" "+show.Count(l.n))
	}
	s.warn("dead letters", "SELECT * FROM dead_letters ORDER BY created_at DESC LIMIT 10",
		"%s, the last %s: %s", show.Count(total), show.Ago(d.Now(), last), strings.Join(reasons, ", "))
}
