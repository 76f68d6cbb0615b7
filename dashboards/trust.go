package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/stat"
)

// silentAfter is how long a sensor may say nothing before it counts as silent where
// numbers are shown. Events of silence know each sensor's own rhythm.
const silentAfter = "interval '10 minutes'"

// completeness is a common table expression c: for each room how many readings came
// and how many were to be expected, in the steps that lie in the range. A room is
// expected to report as often as in its best tenth of them, or as often as others if it
// never did.
func (s scope) completeness() string {
	return `own AS MATERIALIZED (
	SELECT r.{room} AS room, sum(r.reading_count) AS n, min(r.bucket) AS start,
		percentile_disc(0.9) WITHIN GROUP (ORDER BY r.reading_count) / ` + hoursOf(stepOfCounts) + ` AS per_hour
	FROM {rooms_by}(` + stepOfCounts + `) r WHERE $__timeFilter(r.bucket) AND ` + s.where("r") + ` GROUP BY 1
), whole AS MATERIALIZED (
	SELECT min(start) AS start, date_bin(` + stepOfCounts + `, $__timeTo(), 'epoch') + ` + stepOfCounts + ` AS finish,
		percentile_disc(0.5) WITHIN GROUP (ORDER BY per_hour) AS per_hour FROM own
), c AS MATERIALIZED (
	SELECT p.{building}, p.{floor}, p.{room} AS room, coalesce(own.n, 0) AS got,
		extract(epoch FROM least(now(), whole.finish) - greatest(whole.start, p.first_seen)) / 3600 * coalesce(own.per_hour, whole.per_hour) AS expected
	FROM {rooms} p LEFT JOIN own ON own.room = p.{room} CROSS JOIN whole
	WHERE ` + s.where("p") + `)`
}

// received is the share of the expected readings that came, from c.
const received = `least(1, sum(got) / nullif(sum(expected), 0))`

// trust tells whether the numbers below it can be believed.
func trust(s scope) *stat.PanelBuilder {
	return tiles(panelTrust, "Can the data be trusted?",
		"Whether the sensors say what is true. Silent, stuck or drifting sensors above 0, or less than 95 % of the expected readings, make everything below doubtful. Silent: no reading for 10 minutes. Received: readings that came, of those that each room usually sends.",
		`WITH `+s.completeness()+`, of AS (
	SELECT s.last_seen FROM {sensors} s WHERE `+s.where("s")+`
), open AS (
	SELECT e.anomaly_type FROM {events} e WHERE `+s.where("e")+` AND e.last_at > now() - interval '7 days' AND e.open
)
SELECT (SELECT count(*) FROM of) AS "Sensors",
	(SELECT count(*) FROM of WHERE last_seen < least(now(), $__timeTo()) - `+silentAfter+`) AS "Silent",
	(SELECT count(*) FROM open WHERE anomaly_type LIKE '%stuck%') AS "Stuck",
	(SELECT count(*) FROM open WHERE anomaly_type LIKE '%drift%') AS "Drifting",
	(SELECT `+received+` FROM c) AS "Received",
	(SELECT greatest(0, extract(epoch FROM now() - max(last_seen))) FROM of) AS "Newest reading"`).
		OverrideByName("Silent", some("orange")).
		OverrideByName("Stuck", some("orange")).
		OverrideByName("Drifting", some("orange")).
		OverrideByName("Received", append(unitIs(unitShare, 1), colored("red", from(0.9, "orange"), from(0.95, "green")))).
		OverrideByName("Newest reading", append(unitIs(unitSeconds, 0), property("displayName", "Age of newest"), colored("green", from(120, "orange"), from(600, "red"))))
}
