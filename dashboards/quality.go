package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Quality is whether the sensors say what is true.
func Quality() (dashboard.Dashboard, error) {
	s := ofFloors
	b := newBoard(QualityUID, "Data quality", "Whether the sensors say what is true: silent, stuck, drifting, and what was refused.")
	b.up("Portfolio", PortfolioUID)
	b.up("Pipeline", PipelineUID)
	b.variables(append(s.variables(), shared(varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotate("Silent, stuck, drifting", "orange", true, s, sensorFault)

	b.line(5, tile{24, trust(s)})
	b.line(10, tile{12, silent(s)}, tile{12, receivedRooms(s)})
	b.line(10, tile{24, faults(s)})
	b.line(9, tile{24, receivedTrend(s)})
	b.line(5, tile{24, refusedTiles()})
	b.line(12, tile{12, refusedReasons()}, tile{12, eventRooms(s)})
	return b.build()
}

// sensorFault is whether an event is about a sensor rather than a room.
const sensorFault = `(e.anomaly_type LIKE '%stuck%' OR e.anomaly_type LIKE '%silent%' OR e.anomaly_type LIKE '%drift%' OR e.anomaly_type LIKE '%calm%' OR e.anomaly_type LIKE '%restless%')`

func silent(s scope) *table.PanelBuilder {
	return rows(PanelSilent, "Silent sensors",
		"Sensors that said nothing for 10 minutes, the longest silence first. Empty is good. Several of one floor at once are a gateway or a switch; one alone is a battery or a sensor.",
		`SELECT s.{building} AS "Building", s.{floor} AS "Floor", s.{room} AS "Room", s.{sensor} AS "Sensor", extract(epoch FROM now() - s.last_seen) AS "Silent for"
FROM {sensors} s WHERE `+s.where("s")+` AND s.last_seen < now() - `+silentAfter+`
ORDER BY s.last_seen LIMIT ${limit:raw}`).NoValue("● none is silent").
		OverrideByName("Building", s.toBuilding()).OverrideByName("Floor", s.toFloor()).OverrideByName("Room", s.toRoom()).
		OverrideByName("Sensor", wide(200)).
		OverrideByName("Silent for", unitIs("dtdurations", 0))
}

// faults are events about sensors.
func faults(s scope) *table.PanelBuilder {
	return eventTable(s, panelStuck, "Stuck, silent and drifting sensors",
		"Events of this range that are about a sensor rather than its room. A stuck or drifting sensor says wrong things until it is calibrated or replaced: doubt what its room shows.",
		`SELECT `+eventColumns+`
FROM {events} e WHERE `+s.found("e")+` AND `+sensorFault+`
ORDER BY e.started_at DESC LIMIT ${limit:raw}`).NoValue("● none was found")
}

func receivedRooms(s scope) *table.PanelBuilder {
	return rows(panelReceived, "Received, by room",
		"Readings that came in this range, of those that the room usually sends, the worst first. Below 95 % it lost radio contact or power for a while.",
		`WITH `+s.completeness()+`
SELECT {building} AS "Building", {floor} AS "Floor", room AS "Room", `+received+` AS "Received", greatest(0, sum(expected) - sum(got)) AS "Missing"
FROM c GROUP BY 1, 2, 3 ORDER BY 4 NULLS FIRST, 3 LIMIT ${limit:raw}`).
		OverrideByName("Building", s.toBuilding()).OverrideByName("Floor", s.toFloor()).OverrideByName("Room", s.toRoom()).
		OverrideByName("Received", append(unitIs(unitShare, 1), textColored("red", from(0.9, "orange"), from(0.95, "green"))...)).
		OverrideByName("Missing", unitIs(unitCount, 0))
}

func receivedTrend(s scope) *timeseries.PanelBuilder {
	return quarterly(trend(panelReceivedTime, "Sensors reporting",
		"How many rooms sent readings in each interval. A step down is a gateway or a building that fell silent.", unitCount,
		`WITH `+s.roomHistory(s.stepOfTrend())+`, b AS (SELECT bucket, {building}, count(DISTINCT room) AS rooms FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), {building} AS building, avg(rooms) AS "value"
FROM b GROUP BY 1, 2 ORDER BY 1`).
		DisplayName("${__field.labels.building}").AxisSoftMin(0).LineInterpolation("stepAfter"))
}

func refusedTiles() *stat.PanelBuilder {
	return tiles(panelRefused, "Refused and unplaced",
		"Refused: messages that were no readings, kept in dead_letters with the reason. Unplaced: sensors that say no building; they are in no chart above. Both should be 0.",
		`SELECT (SELECT count(*) FROM {dead_letters} WHERE $__timeFilter(created_at)) AS "Refused messages",
	(SELECT count(*) FROM {sensors} WHERE {building} IS NULL OR {floor} IS NULL OR {room} IS NULL) AS "Unplaced sensors"`).
		OverrideByName("Refused messages", some("orange")).
		OverrideByName("Unplaced sensors", some("orange"))
}

func refusedReasons() *table.PanelBuilder {
	return rows(panelRefusedWhy, "Why messages were refused",
		"Refused messages of this range by reason. One reason that leads is a sender that changed its format, or whose clock is wrong.",
		`SELECT replace(reason, '_', ' ') AS "Reason", count(*) AS "Messages" FROM {dead_letters} WHERE $__timeFilter(created_at) GROUP BY 1 ORDER BY 2 DESC LIMIT ${limit:raw}`).
		NoValue("● none was refused")
}
