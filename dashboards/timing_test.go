package dashboards_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"buildmon/dashboards/pgquery"
)

// BenchmarkQueries prints how long each query takes over 30 days of a database that
// somebody filled, the median of three, the slowest first.
func BenchmarkQueries(b *testing.B) {
	dsn := os.Getenv("BUILDMON_DASHBOARDS_DSN")
	if dsn == "" {
		b.Skip("set BUILDMON_DASHBOARDS_DSN to a database with 30 days of readings")
	}
	pool, err := pgxpool.New(b.Context(), dsn)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	type timed struct {
		took time.Duration
		name string
	}
	var times []timed
	for _, d := range all(b) {
		env := choose(b, pool, d, rangeOf(30*24*time.Hour))
		for _, q := range queriesOf(d) {
			sql, err := pgquery.Expand(q.sql, env)
			require.NoError(b, err)
			var runs []time.Duration
			for range 3 {
				begin := time.Now()
				limited, cancel := context.WithTimeout(b.Context(), 20*time.Second)
				_, err := pool.Exec(limited, sql)
				cancel()
				require.NoError(b, err, "%s: %s", q.name, sql)
				runs = append(runs, time.Since(begin))
			}
			slices.Sort(runs)
			times = append(times, timed{runs[1], *d.Uid + ": " + q.name})
		}
	}
	slices.SortFunc(times, func(x, y timed) int { return int(y.took - x.took) })
	for _, q := range times {
		fmt.Printf("%8.1f ms  %s\n", float64(q.took)/float64(time.Millisecond), q.name)
	}
}
