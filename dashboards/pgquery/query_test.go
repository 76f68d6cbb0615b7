package pgquery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/require"

	"buildmon/dashboards/pgquery"
)

// The editor of Grafana opens what has these members as SQL.
func TestTargetAsGrafanaSavesIt(t *testing.T) {
	text, err := json.Marshal(pgquery.TimeSeries("\nSELECT 1\n").Named("B"))
	require.NoError(t, err)
	require.JSONEq(t, `{"refId":"B","datasource":{"type":"grafana-postgresql-datasource","uid":"buildmon"},
		"editorMode":"code","format":"time_series","rawQuery":true,"rawSql":"SELECT 1"}`, string(text))
}

func TestQueryWithoutSQLIsRefused(t *testing.T) {
	_, err := timeseries.NewPanelBuilder().WithTarget(pgquery.Table(" ")).Build()
	require.ErrorContains(t, err, "there is no SQL")
}

func TestExpand(t *testing.T) {
	env := pgquery.Env{
		From: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 5, 10, 0, 0, 5e8, time.UTC),
		Interval: 30 * time.Second,
		Variables: map[string]pgquery.Variable{
			"building": pgquery.Many("Building A", "O'Hara"), "room": pgquery.One("it's"), "interval": pgquery.One("1d"),
		},
	}
	f := func(sql, want string) {
		t.Helper()
		got, err := pgquery.Expand(sql, env)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	// From Grafana's macros_test.go and the documentation of its data source.
	f(`$__timeFilter(t)`, `t BETWEEN '2026-01-05T09:00:00Z' AND '2026-01-05T10:00:00.5Z'`)
	f(`$__timeGroup(t, '5m')`, `floor(extract(epoch from t)/300)*300`)
	f(`$__timeGroupAlias(t,$__interval)`, `floor(extract(epoch from t)/30)*30 AS "time"`)
	f(`$__timeGroup(t, '$interval')`, `floor(extract(epoch from t)/86400)*86400`)
	f(`$__timeFrom() < $__timeTo()`, `'2026-01-05T09:00:00Z' < '2026-01-05T10:00:00.5Z'`)
	f(`$__time(t)`, `t AS "time"`)
	f(`b IN ($building) AND r = '$room'`, `b IN ('Building A','O''Hara') AND r = 'it''s'`)
	f(`r = ${room:sqlstring} LIMIT ${interval:raw}`, `r = 'it''s' LIMIT 1d`)
	f(`$__to - $__from > $__interval_ms`, `1767607200500 - 1767603600000 > 30000`)

	for _, sql := range []string{`$floor`, `${building:queryparam}`, `$__unixEpochFilter(t)`, `$__timeFilter()`, `$__timeGroup(t)`, `$__timeGroup(t, 'x')`} {
		_, err := pgquery.Expand(sql, env)
		require.Error(t, err, sql)
	}
}
