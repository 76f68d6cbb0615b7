package dashboards_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/dashboards"
	"buildmon/dashboards/pgquery"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	_ "buildmon/plugins/all"
)

func TestMain(m *testing.M) { testpg.Main(m) }

// filled is a database with the last week of a simulated portfolio, the last hours of it
// closely, with faults and malformed messages, brought by the real pipeline.
func filled(t *testing.T) *pgxpool.Pool {
	t.Helper()
	dsn := testpg.New(t)
	const sensors = 72
	now := time.Now().UTC()
	recent := now.Add(-4 * time.Hour)
	fill(t, dsn, now.Add(-7*24*time.Hour), time.Hour, sensors*(7*24-4))
	fill(t, dsn, recent, 30*time.Second, sensors*(4*120-3)) // a stream that has caught up would wait for the clock
	s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = s.RollUp(t.Context(), 0)
	require.NoError(t, err)
	_, err = s.Pool().Exec(t.Context(), "ANALYZE") // autovacuum would, some time
	require.NoError(t, err)
	return s.Pool()
}

func fill(t *testing.T, dsn string, start time.Time, interval time.Duration, count int) {
	t.Helper()
	b := service.NewStreamBuilder()
	require.NoError(t, b.SetYAML(fmt.Sprintf(`
logger: { level: ERROR }
input:
  sensor_simulator:
    start_time: %q
    interval: %s
    speed: 0
    count: %d
    faults: { probability: 0.1, kinds: [ overheating, ventilation_failure, equipment_malfunction, stuck ] }
    disturbances: { malformed: 0.002, late: 0 }
pipeline:
  threads: 1
  processors:
    - one_step:
        - tumbling_window: { size: 30s, group_by: [ building, floor ] }
        - isolation_forest: {}
        - threshold: {}
        - spike_detector: {}
output:
  postgres: { dsn: %q }
`, start.Format(time.RFC3339), interval, count, dsn)))
	stream, err := b.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
}

// query is one piece of SQL of a dashboard, and what depends on its columns.
type query struct {
	name     string
	sql      string
	series   bool     // points of series, else rows
	columns  []string // that overrides and links name
	mayEmpty bool     // nothing is good news
}

var field = regexp.MustCompile(`\$\{__data\.fields\.([^:}]+)`)

// queriesOf are all queries of a dashboard: of panels, annotations and variables.
func queriesOf(d dashboard.Dashboard) (all []query) {
	for _, v := range d.Templating.List {
		if v.Type == dashboard.VariableTypeQuery {
			all = append(all, query{name: "variable " + v.Name, sql: *v.Query.String})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, query{name: "annotation " + a.Name, sql: a.Target.(pgquery.Query).RawSQL, columns: []string{"time", "timeend", "text", "tags"}, mayEmpty: true})
	}
	for _, p := range panelsOf(d) {
		for _, target := range p.Targets {
			q := target.(pgquery.Query)
			found := query{
				name: *p.Title, sql: q.RawSQL, series: q.Format == pgquery.FormatTimeSeries,
				mayEmpty: p.FieldConfig.Defaults.NoValue == nil || strings.HasPrefix(*p.FieldConfig.Defaults.NoValue, "●"),
			}
			for _, o := range p.FieldConfig.Overrides {
				if o.Matcher.Id == "byName" && !found.series {
					found.columns = append(found.columns, *o.Matcher.Options.(*string))
				}
				for _, m := range field.FindAllStringSubmatch(fmt.Sprint(o.Properties), -1) {
					found.columns = append(found.columns, m[1])
				}
			}
			all = append(all, found)
		}
	}
	return all
}

// panelsOf are the panels of a dashboard, those in closed rows included.
func panelsOf(d dashboard.Dashboard) (all []dashboard.Panel) {
	for _, p := range d.Panels {
		if p.Panel != nil {
			all = append(all, *p.Panel)
		} else {
			all = append(all, p.RowPanel.Panels...)
		}
	}
	return all
}

// choose makes the choices that Grafana makes when a dashboard is opened.
func choose(t testing.TB, pool *pgxpool.Pool, d dashboard.Dashboard, env pgquery.Env) pgquery.Env {
	t.Helper()
	env.Variables = map[string]pgquery.Variable{}
	for _, v := range d.Templating.List {
		multi := v.Multi != nil && *v.Multi
		var values []string
		switch v.Type {
		case dashboard.VariableTypeQuery:
			sql, err := pgquery.Expand(*v.Query.String, env)
			require.NoError(t, err)
			rows, err := pool.Query(t.Context(), sql)
			require.NoError(t, err, sql)
			values, err = pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
		case dashboard.VariableTypeInterval:
			values = []string{fmt.Sprintf("%ds", int(env.Interval.Seconds()))}
		default:
			values = strings.Split(*v.Query.String, ",")
		}
		if !multi && len(values) > 1 {
			values = values[:1]
		}
		env.Variables[v.Name] = pgquery.Variable{Values: values, Multi: multi}
	}
	return env
}

// rangeOf is a range of time that ends now, at the interval that Grafana would take.
func rangeOf(d time.Duration) pgquery.Env {
	now := time.Now()
	interval := time.Minute
	for _, i := range []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 24 * time.Hour} {
		if d/150 > interval {
			interval = i
		}
	}
	return pgquery.Env{From: now.Add(-d), To: now, Interval: interval}
}

// Every query answers with the columns that its panel needs, and with something.
func TestQueries(t *testing.T) {
	pool := filled(t)
	for _, d := range all(t) {
		t.Run(*d.Uid, func(t *testing.T) {
			for _, span := range []time.Duration{2 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour} {
				env := choose(t, pool, d, rangeOf(span))
				for _, q := range queriesOf(d) {
					sql, err := pgquery.Expand(q.sql, env)
					require.NoError(t, err, q.name)
					rows, err := pool.Query(t.Context(), sql)
					require.NoError(t, err, "%s: %s", q.name, sql)
					var columns []string
					numbers := 0
					for _, f := range rows.FieldDescriptions() {
						columns = append(columns, f.Name)
						if f.Name != "time" && isNumber(f.DataTypeOID) {
							numbers++
						}
					}
					n := 0
					for rows.Next() {
						n++
					}
					require.NoError(t, rows.Err(), "%s: %s", q.name, sql)
					assert.NotContains(t, columns, "?column?", q.name)
					assert.Subset(t, columns, q.columns, q.name)
					if q.series {
						assert.Contains(t, columns, "time", q.name)
						assert.NotContains(t, columns, "metric", "%s: the name metric loses the labels", q.name)
						assert.NotZero(t, numbers, q.name)
					}
					if !q.mayEmpty && span > 24*time.Hour { // at night some panels have nothing to show
						assert.NotZero(t, n, "%s shows nothing: %s", q.name, sql)
					}
				}
			}
		})
	}
}

// A database without readings is no error.
func TestQueriesOnNothing(t *testing.T) {
	dsn := testpg.New(t)
	s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	for _, d := range all(t) {
		env := choose(t, s.Pool(), d, rangeOf(time.Hour))
		for _, q := range queriesOf(d) {
			sql, err := pgquery.Expand(q.sql, env)
			require.NoError(t, err, q.name)
			_, err = s.Pool().Exec(t.Context(), sql)
			require.NoError(t, err, "%s of %s: %s", q.name, *d.Uid, sql)
		}
	}
}

func isNumber(oid uint32) bool {
	switch oid {
	case 20, 21, 23, 700, 701, 1700: // int8, int2, int4, float4, float8, numeric
		return true
	}
	return false
}

func all(t testing.TB) []dashboard.Dashboard {
	t.Helper()
	list, err := dashboards.All()
	require.NoError(t, err)
	return list
}
