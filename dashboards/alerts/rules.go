// Package alerts makes alert rules for Grafana, and on request contact points and a
// policy, as files that it provisions alerting from.
package alerts

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/alerting"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/expr"

	"buildmon/dashboards"
	"buildmon/dashboards/pgquery"
)

// rule is what differs from rule to rule. It fires when the last value of a series is
// above fire, and until it is below clear.
type rule struct {
	uid, title  string
	sql         string // a column time, columns of text that become labels, and a number
	seconds     int    // of the past that the query looks at
	fire, clear float64
	wait, keep  string // how long it must hold, and how long it stays after that
	severity    string
	dashboard   string
	panel       uint32
	summary     string
	description string
}

// Where is meant for a building in another time zone: change it there and generate
// again.
const (
	opens, closes = 7, 19
	timeZone      = "UTC"
)

func rules() []rule {
	return []rule{
		{
			uid: "buildmon-critical", title: "Critical anomaly",
			// 1 to 4 as the severity. One that sinks to high is still told until it is
			// over, which drops its row.
			sql: `
SELECT now() AS "time", building, floor, room_id AS room, sensor_id AS sensor,
	max(CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END)::float8 AS value
FROM sensor_events
WHERE open AND severity IN ('high', 'critical') AND last_at > now() - interval '1 day'
GROUP BY building, floor, room_id, sensor_id`,
			seconds: 600, fire: 3.5, clear: 2.5, wait: "0s", keep: "5m", severity: "critical",
			dashboard: dashboards.PortfolioUID, panel: dashboards.PanelOpenEvents,
			summary:     `Critical anomaly in {{ $labels.room }} ({{ $labels.building }}, {{ $labels.floor }})`,
			description: `Sensor {{ $labels.sensor }} has an open event of critical severity. The dashboard of the room says what and why.`,
		},
		{
			uid: "buildmon-silent", title: "Silent sensors",
			sql: `
SELECT now() AS "time", building, floor,
	(count(*) FILTER (WHERE last_seen < now() - interval '10 minutes'))::float8 AS value
FROM sensors
WHERE last_seen > now() - interval '7 days'
GROUP BY building, floor`,
			seconds: 600, fire: 0.5, clear: 0.5, wait: "5m", severity: "warning",
			dashboard: dashboards.QualityUID, panel: dashboards.PanelSilent,
			summary:     `Silent on {{ $labels.floor }} of {{ $labels.building }}: {{ printf "%.0f" .Value }} sensors`,
			description: `They said nothing for ten minutes. Several at once are a gateway or a switch; one alone is a battery or a sensor. A sensor that is silent for a week is no longer counted.`,
		},
		{
			uid: "buildmon-after-hours", title: "Energy after hours",
			// The load of the last hour against what is usual outside opening hours, which
			// is the base load.
			sql: fmt.Sprintf(`
WITH h AS (
	SELECT building, bucket, sum(energy_sum / nullif(energy_count, 0)) AS load, bucket AT TIME ZONE '%[3]s' AS local
	FROM rooms_by('1h')
	WHERE bucket >= now() - interval '8 days' AND energy_count > 0
	GROUP BY building, bucket
), o AS (
	SELECT *, extract(isodow FROM local) < 6 AND extract(hour FROM local) >= %[1]d AND extract(hour FROM local) < %[2]d AS open FROM h
)
SELECT now() AS "time", building,
	coalesce(max(load) FILTER (WHERE NOT open AND bucket = date_trunc('hour', now() - interval '1 hour'))
		/ nullif(percentile_cont(0.5) WITHIN GROUP (ORDER BY load) FILTER (WHERE NOT open), 0), 0)::float8 AS value
FROM o GROUP BY building`, opens, closes, timeZone),
			seconds: 3600, fire: 1.3, clear: 1.15, wait: "30m", keep: "30m", severity: "warning",
			dashboard: dashboards.EnergyUID, panel: dashboards.PanelAfterHours,
			summary:     `{{ $labels.building }} uses {{ humanizePercentage .Value }} of its base load after hours`,
			description: fmt.Sprintf(`The load of the last hour, which lies outside %02d:00 to %02d:00 of working days (%s), against the median of such hours in eight days. Something that should be off is on.`, opens, closes, timeZone),
		},
		{
			uid: "buildmon-co2", title: "CO₂ in occupied rooms",
			sql: `
SELECT now() AS "time", building, floor, room_id AS room, avg(co2)::float8 AS value
FROM sensor_readings
WHERE $__timeFilter("timestamp") AND occupancy > 0
GROUP BY building, floor, room_id HAVING avg(co2) IS NOT NULL`,
			// Bands of the German Environment Agency (UBA 2008) are 1,000 and 2,000 ppm.
			seconds: 900, fire: 1400, clear: 1000, wait: "10m", keep: "10m", severity: "warning",
			dashboard: dashboards.RoomUID, panel: dashboards.PanelCO2,
			summary:     `CO₂ {{ printf "%.0f" .Value }} ppm in {{ $labels.room }} ({{ $labels.building }}, {{ $labels.floor }})`,
			description: `The mean of a quarter of an hour with people in the room. Air it; if this comes back, look at the ventilation. It is over below 1,000 ppm.`,
		},
		{
			uid: "buildmon-stalled", title: "Pipeline stalled",
			sql: `
SELECT now() AS "time", coalesce(extract(epoch FROM now() - max(last_seen)), 1e6)::float8 AS value
FROM sensors`,
			seconds: 600, fire: 300, clear: 120, wait: "2m", severity: "critical",
			dashboard: dashboards.PipelineUID, panel: dashboards.PanelThroughput,
			summary:     `No reading for {{ humanizeDuration .Value }}`,
			description: `Nothing comes in, or nothing is stored. Run buildmon doctor.`,
		},
		{
			uid: "buildmon-dead-letters", title: "Dead letters",
			sql: `
SELECT now() AS "time", reason, count(*)::float8 AS value
FROM dead_letters
WHERE $__timeFilter(created_at)
GROUP BY reason`,
			seconds: 900, fire: 9.5, clear: 0.5, wait: "0s", keep: "15m", severity: "warning",
			dashboard: dashboards.PipelineUID, panel: dashboards.PanelDeadLetters,
			summary:     `{{ printf "%.0f" .Value }} messages refused: {{ $labels.reason }}`,
			description: `Within a quarter of an hour. They are in the table dead_letters with the reason and their bytes; a steady stream is a sender that needs a mapping.`,
		},
	}
}

// Rules are the alert rules.
func Rules() (File, error) {
	group := Group{OrgID: 1, Name: "buildmon", Folder: "buildmon", Interval: "1m"}
	for _, r := range rules() {
		data, err := r.data()
		if err != nil {
			return File{}, fmt.Errorf("making rule %q: %w", r.uid, err)
		}
		group.Rules = append(group.Rules, Rule{
			UID: r.uid, Title: r.title, Condition: "C", Data: data, DashboardUID: r.dashboard, PanelID: r.panel,
			// No rows are good news; a query that fails is no alarm of the building.
			NoDataState: "OK", ExecErrState: "Error", For: r.wait, KeepFiringFor: r.keep,
			Labels:      map[string]string{"severity": r.severity, "service": "buildmon"},
			Annotations: map[string]string{"summary": r.summarized(), "description": r.description},
		})
	}
	return File{APIVersion: 1, Groups: []Group{group}}, nil
}

// summarized is the summary, or that there is nothing to say: Grafana expands it for a
// rule whose query gave no rows as well.
func (r *rule) summarized() string {
	return fmt.Sprintf("{{ with $values.B }}%s{{ else }}%s: nothing to report{{ end }}", r.summary, r.title)
}

// data is the query, its last value, and the threshold with hysteresis.
func (r *rule) data() ([]Query, error) {
	threshold := expr.NewExprTypeThresholdConditionsBuilder().
		Evaluator(expr.NewExprTypeThresholdConditionsEvaluatorBuilder().
			Type(expr.ExprTypeThresholdConditionsEvaluatorTypeGt).Params([]float64{r.fire}))
	if r.clear < r.fire {
		threshold.UnloadEvaluator(expr.NewExprTypeThresholdConditionsUnloadEvaluatorBuilder().Type("lt").Params([]float64{r.clear}))
	}
	var queries []Query
	for _, b := range []cog.Builder[alerting.Query]{
		alerting.NewQueryBuilder("A").DatasourceUid(pgquery.DatasourceUID).
			RelativeTimeRange(alerting.Duration(r.seconds), 0).Model(pgquery.TimeSeries(r.sql)),
		alerting.NewQueryBuilder("B").DatasourceUid("__expr__").
			Model(expr.NewTypeReduceBuilder().Expression("A").RefId("B").Reducer("last")),
		alerting.NewQueryBuilder("C").DatasourceUid("__expr__").
			Model(expr.NewTypeThresholdBuilder().Expression("B").RefId("C").Conditions([]cog.Builder[expr.ExprTypeThresholdConditions]{threshold})),
	} {
		built, err := b.Build()
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(built)
		if err != nil {
			return nil, err
		}
		var q Query
		if err := json.Unmarshal(text, &q); err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}
