package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Pipeline is the health of buildmon itself, as far as the database shows it.
func Pipeline() (dashboard.Dashboard, error) {
	b := newBoard(PipelineUID, "Pipeline", "The health of buildmon itself: how much comes in, how late, and what was refused.")
	b.up("Portfolio", PortfolioUID)
	b.up("Data quality", QualityUID)
	b.variables(shared(varInterval, varLimit)...)
	b.builder.Time("now-6h", "now")

	b.line(5, tile{24, pipelineTiles()})
	b.line(9, tile{12, throughput()}, tile{12, delay()})
	b.line(9, tile{12, found()}, tile{12, deadLetters()})
	b.line(8, tile{12, watermarks()}, tile{12, tableSizes()})
	b.line(9, tile{24, letters()})
	return b.build()
}

func pipelineTiles() *stat.PanelBuilder {
	return tiles(panelPipeline, "Is buildmon at work?",
		"Age of the newest reading: above 2 minutes nothing comes in or nothing is stored; run buildmon doctor. Windows not final: more than a few per floor are held open by a source that is behind.",
		`SELECT greatest(0, extract(epoch FROM now() - (SELECT max(last_seen) FROM {sensors}))) AS "Newest reading",
	(SELECT sum(reading_count) FROM {aggregates} WHERE window_start > now() - interval '5 minutes') / 300 AS "Readings a second",
	(SELECT count(*) FROM {aggregates} WHERE window_start > now() - interval '1 hour' AND NOT final) AS "Windows not final",
	(SELECT count(*) FROM {dead_letters} WHERE $__timeFilter(created_at)) AS "Refused",
	pg_database_size(current_database()) AS "Database"`).
		OverrideByName("Newest reading", append(unitIs(unitSeconds, 0), property("displayName", "Age of newest"), colored("green", from(120, "orange"), from(600, "red")))).
		OverrideByName("Readings a second", unitIs("none", 1)).
		OverrideByName("Refused", some("orange")).
		OverrideByName("Database", unitIs("bytes", 1))
}

func throughput() *timeseries.PanelBuilder {
	return trend(PanelThroughput, "Readings by time of measurement",
		"Readings a second that are in the windows, by the time at which they were measured. A fall to 0 is a pipeline that stopped or a broker that cannot be reached.", "none",
		`SELECT $__timeGroupAlias(f.bucket, '$interval', NULL), f.{building} AS building, sum(f.reading_count) / extract(epoch FROM '$interval'::interval) AS "value"
FROM {floors_by}('$interval') f WHERE $__timeFilter(f.bucket) AND f.bucket < now() - interval '1 minute'
GROUP BY 1, 2 ORDER BY 1`).
		DisplayName("${__field.labels.building}").Decimals(1).AxisSoftMin(0).Stacking(stacked()).FillOpacity(30)
}

func delay() *timeseries.PanelBuilder {
	return trend(panelDelay, "From measurement to database",
		"How long after the start of a window its first reading was stored, in the last day of the range and where that is under an hour; history that was filled in is left out. Above the size of the window (30 s) plus a few seconds, something queues.", unitSeconds,
		`SELECT $__timeGroupAlias(a.window_start, '$interval', NULL), percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.created_at - a.window_start)) AS "median",
	max(extract(epoch FROM a.created_at - a.window_start)) AS "longest"
FROM {aggregates} a WHERE $__timeFilter(a.window_start) AND a.window_start > timestamptz $__timeTo() - interval '1 day' AND a.created_at - a.window_start < interval '1 hour'
GROUP BY 1 ORDER BY 1`).NoValue("nothing came in live").AxisSoftMin(0)
}

func found() *timeseries.PanelBuilder {
	return trend(panelFound, "Events by detector",
		"Events by the detector that found the worst of them. One that finds nothing for weeks is switched off or still learning; one that floods has limits that do not fit.", unitCount,
		`SELECT $__timeGroupAlias(e.started_at, '$interval', 0), e.detector AS detector, count(*) AS "value"
FROM {events} e WHERE $__timeFilter(e.started_at) GROUP BY 1, 2 ORDER BY 1`).
		DisplayName("${__field.labels.detector}").DrawStyle("bars").FillOpacity(70).LineWidth(0).Stacking(stacked())
}

func deadLetters() *timeseries.PanelBuilder {
	return trend(PanelDeadLetters, "Refused messages",
		"Messages that were no readings, by reason and the time at which they came. None is normal; a steady stream is a sender that needs a mapping.", unitCount,
		`SELECT $__timeGroupAlias(created_at, '$interval', 0), replace(reason, '_', ' ') AS reason, count(*) AS "value"
FROM {dead_letters} WHERE $__timeFilter(created_at) GROUP BY 1, 2 ORDER BY 1`).
		NoValue("● none was refused").DisplayName("${__field.labels.reason}").DrawStyle("bars").FillOpacity(70).LineWidth(0).Stacking(stacked())
}

func watermarks() *table.PanelBuilder {
	return rows(panelWatermarks, "Sources",
		"How far each source (a partition of the topic) has come. One that is far behind and not idle holds its windows open.",
		`SELECT coalesce(nullif(source, ''), '–') AS "Source", CASE WHEN updated_at + idle_timeout > now() THEN '● active' ELSE '◌ idle' END AS "State",
	extract(epoch FROM now() - watermark) AS "Behind", watermark AS "Come to"
FROM {watermarks} ORDER BY 1 LIMIT ${limit:raw}`).
		OverrideByName("Come to", append(wide(165), property("unit", "dateTimeAsIso"))).
		OverrideByName("Behind", append(unitIs("dtdurations", 0), wide(110)...))
}

func tableSizes() *table.PanelBuilder {
	return rows(panelTableSizes, "Tables",
		"How much each table takes on disk, its partitions and indexes included. Growth without end means that no retention is set.",
		`SELECT parent.relname AS "Table", count(child.oid) AS "Partitions", sum(pg_total_relation_size(coalesce(child.oid, parent.oid))) AS "Size"
FROM pg_class parent JOIN pg_namespace n ON n.oid = parent.relnamespace AND n.nspname = current_schema()
LEFT JOIN pg_inherits i ON i.inhparent = parent.oid LEFT JOIN pg_class child ON child.oid = i.inhrelid
WHERE parent.relkind IN ('r', 'p') AND NOT parent.relispartition
GROUP BY 1 ORDER BY 3 DESC`).
		OverrideByName("Table", wide(175)).
		OverrideByName("Size", unitIs("bytes", 1))
}

func letters() *table.PanelBuilder {
	return rows(panelLetters, "Newest refused messages",
		"The newest messages that were no readings: why, and how they begin. Empty is good.",
		`SELECT created_at AS "Came", replace(reason, '_', ' ') AS "Reason", detail AS "Detail", coalesce(source, '–') AS "Source", left(encode(raw, 'escape'), 200) AS "Message"
FROM {dead_letters} WHERE $__timeFilter(created_at) ORDER BY created_at DESC LIMIT ${limit:raw}`).NoValue("● none was refused").
		OverrideByName("Came", []dynamic{property("unit", "dateTimeAsIso"), property("custom.width", 155)}).
		OverrideByName("Reason", wide(130)).
		OverrideByName("Detail", []dynamic{property("custom.minWidth", 300)})
}
