package dashboards

import (
	"fmt"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"buildmon/dashboards/pgquery"
	"buildmon/internal/anomaly"
	"buildmon/internal/schema"
)

var severityGlyphs = glyphs(
	glyph{string(anomaly.Critical), "■ critical", "red"},
	glyph{string(anomaly.High), "▲ high", "orange"},
	glyph{string(anomaly.Medium), "◆ medium", "yellow"},
	glyph{string(anomaly.Low), "● low", "blue"},
)

var statusGlyphs = glyphs(
	glyph{"Normal", "● Normal", "green"},
	glyph{"Warning", "▲ Warning", "orange"},
	glyph{"Critical", "■ Critical", "red"},
	glyph{"Maintenance", "◆ Maintenance", "blue"},
)

func eventTiles(s scope) *stat.PanelBuilder {
	return tiles(panelEventTiles, "Anomalies in this range",
		"An event is what was found on one metric of a sensor, whichever detectors found it, from its first reading to its last. Many events of few rooms are faults there; a few of many rooms have a common cause.",
		`SELECT count(*) AS "Events", count(*) FILTER (WHERE e.open) AS "Open now", count(*) FILTER (WHERE e.severity IN ('high', 'critical')) AS "High or critical",
	count(DISTINCT e.{room}) AS "Rooms affected", coalesce(sum(e.readings), 0) AS "Readings"
FROM {events} e WHERE `+s.found("e")).
		OverrideByName("Open now", some("orange")).
		OverrideByName("High or critical", some("red"))
}

// eventColumns are what tables of events show, and after it what their links need.
const eventColumns = `e.severity AS "Severity", replace(e.anomaly_type, '_', ' ') AS "What", e.{building} AS "Building", e.{floor} AS "Floor", e.{room} AS "Room",
	e.started_at AS "Started", extract(epoch FROM e.duration) AS "Lasted", e.anomaly_score AS "Score", e.explanation AS "Why",
	e.sensors[1] AS "Sensor", e.metric AS "Metric",
	round(extract(epoch FROM e.started_at - interval '1 hour') * 1000)::text AS "from",
	round(extract(epoch FROM least(now(), e.last_at + interval '1 hour')) * 1000)::text AS "to"`

func eventTable(s scope, id uint32, title, description, sql string) *table.PanelBuilder {
	width := func(w int) dynamic { return property("custom.width", w) }
	hidden := []dynamic{property("custom.hidden", true)}
	return rows(id, title, description, sql).
		OverrideByName("Severity", []dynamic{severityGlyphs, width(100), property("custom.cellOptions", map[string]any{"type": "color-text"})}).
		OverrideByName("Started", append(s.toEvent(), property("unit", "dateTimeAsIso"), width(175))).
		OverrideByName("Lasted", append(unitIs("dtdurations", 0), width(130))).
		OverrideByName("Building", append(s.toBuilding(), width(110))).
		OverrideByName("Floor", append(s.toFloor(), width(80))).
		OverrideByName("Room", append(s.toRoom(), width(285))).
		OverrideByName("What", append(s.toEvent(), width(190))).
		OverrideByName("Score", append(unitIs(unitNone, 2), width(70))).
		OverrideByName("Why", []dynamic{property("custom.minWidth", 360), property("custom.inspect", true)}).
		OverrideByName("Sensor", hidden).OverrideByName("Metric", hidden).OverrideByName("from", hidden).OverrideByName("to", hidden)
}

func openEvents(s scope) *table.PanelBuilder {
	return eventTable(s, PanelOpenEvents, "Open events",
		"What is wrong now: events whose sensor has not been normal again for an hour. Empty is good. Click on what happened to see it, or on a place to go there.",
		`SELECT `+eventColumns+`
FROM {events} e WHERE `+s.found("e")+` AND e.open
ORDER BY `+worstFirst+`, e.started_at DESC LIMIT ${limit:raw}`).NoValue("● nothing is wrong")
}

func recentEvents(s scope) *table.PanelBuilder {
	return eventTable(s, panelEventRecent, "Recent anomalies",
		"The newest events, open or over, with the reason in words. Click on what happened to see it.",
		`SELECT `+eventColumns+`
FROM {events} e WHERE `+s.found("e")+`
ORDER BY e.started_at DESC LIMIT ${limit:raw}`).NoValue("● nothing was found")
}

func eventTypes(s scope) *bargauge.PanelBuilder {
	return ranking(panelEventTypes, "Events by type", "How many events of each type began or went on in this range. A type that dominates points at one cause, or at a limit that is too tight.", unitCount,
		`SELECT replace(e.anomaly_type, '_', ' ') AS "Type", count(*) AS "Events"
FROM {events} e WHERE `+s.found("e")+`
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 12`)
}

func eventRooms(s scope) *bargauge.PanelBuilder {
	return ranking(panelEventRooms, "Top talkers", "The sensors with the most events. One that leads by far is broken or has limits that do not fit.", unitCount,
		`SELECT e.{sensor} AS "Sensor", count(*) AS "Events"
FROM {events} e WHERE `+s.found("e")+`
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT `+strconv.Itoa(longNames))
}

func eventTrend(s scope) *timeseries.PanelBuilder {
	return trend(panelEventTrend, "Events begun", "How many events began, by severity. A step up that stays is a change in the building or of a setting.", unitCount,
		`SELECT $__timeGroupAlias(e.started_at, '$interval', 0), count(*) FILTER (WHERE e.severity = 'critical') AS "■ critical", count(*) FILTER (WHERE e.severity = 'high') AS "▲ high",
	count(*) FILTER (WHERE e.severity = 'medium') AS "◆ medium", count(*) FILTER (WHERE e.severity = 'low') AS "● low"
FROM {events} e WHERE `+s.found("e")+` AND $__timeFilter(e.started_at)
GROUP BY 1 ORDER BY 1`).
		DrawStyle("bars").FillOpacity(70).LineWidth(0).
		Stacking(stacked()).
		OverrideByName("■ critical", color("red")).OverrideByName("▲ high", color("orange")).
		OverrideByName("◆ medium", color("yellow")).OverrideByName("● low", color("blue"))
}

// weekdays by hours, one column for each hour.
func eventHours(s scope) *table.PanelBuilder {
	columns := ""
	for hour := range 24 {
		columns += fmt.Sprintf(`, count(*) FILTER (WHERE hour = %d) AS "%02d"`, hour, hour)
	}
	return rows(panelEventHours, "When events begin",
		"How many events began at each hour (across) of each day of the week (down), in the time zone of the buildings. A dark column is a daily cause, such as the start of the plant; a dark row a weekly one.",
		`SELECT day AS "Day"`+columns+`
FROM (VALUES (1, 'Mon'), (2, 'Tue'), (3, 'Wed'), (4, 'Thu'), (5, 'Fri'), (6, 'Sat'), (7, 'Sun')) AS week (number, day)
LEFT JOIN (
	SELECT extract(isodow FROM e.started_at AT TIME ZONE '${timezone:raw}') AS number, extract(hour FROM e.started_at AT TIME ZONE '${timezone:raw}') AS hour
	FROM {events} e WHERE `+s.found("e")+` AND $__timeFilter(e.started_at)
) begun USING (number)
GROUP BY number, day ORDER BY number`).
		OverrideByName("Day", []dynamic{property("custom.width", 60)}).
		OverrideByRegexp(`^\d\d$`, heated("continuous-blues"))
}

// worstFirst orders events by how much is wrong, and then by how rare that is.
const worstFirst = `array_position(ARRAY['critical', 'high', 'medium', 'low'], e.severity), e.anomaly_score DESC`

// annotated marks events on all panels with a time axis, as long as they lasted: those
// that are marked, and on request the others.
func (b *board) annotated(s scope, marked string) {
	b.annotate("Anomalies", "red", true, s, marked)
	b.annotate("Lesser anomalies", "orange", false, s, "NOT "+marked)
}

// Events that are marked: where there are many, only the worst.
const (
	markWorst = "(e.severity = 'critical')"
	markHigh  = "(e.severity IN ('critical', 'high'))"
)

func (b *board) annotate(name, color string, on bool, s scope, which string) {
	sql := schema.SQL(`SELECT e.started_at AS "time", e.last_at AS timeend, concat_ws(': ', e.{room}, e.explanation) AS text,
	concat_ws(',', e.severity, replace(e.anomaly_type, '_', ' ')) AS tags
FROM {events} e WHERE ` + s.found("e") + ` AND ` + which + `
ORDER BY ` + worstFirst + ` LIMIT 50`)
	b.builder.Annotation(dashboard.NewAnnotationQueryBuilder().Name(name).
		Datasource(pgquery.Datasource()).Enable(on).Hide(false).IconColor(color).
		Target(pgquery.Table(sql).Named("Anno")))
}
