package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/text"
)

// some is a count that is good at 0 and has a colour from 1 on.
func some(color string) []dynamic {
	return append(unitIs(unitCount, 0), colored("green", from(1, color)))
}

var co2Colors = []dashboard.Threshold{from(co2Fresh, "yellow"), from(co2Stale, "orange"), from(co2Bad, "red")}

// latest is a common table expression l: the last reading of each sensor of the
// scope that is not silent.
func (s scope) latest() string {
	return `l AS (SELECT r.* FROM {latest} r WHERE ` + s.where("r") + ` AND r.{time} > now() - ` + silentAfter + `)`
}

func now(s scope) *stat.PanelBuilder {
	return tiles(panelNow, "Values now",
		"Means over all sensors that reported in the last 10 minutes; people and load are totals. CO₂ of the worst room above 1,000 ppm calls for fresh air, above 1,400 ppm at once.",
		`WITH `+s.latest()+`
SELECT avg({temperature}) AS "Temperature", avg({humidity}) AS "Humidity", avg({co2}) AS "CO₂", max({co2}) AS "CO₂ worst",
	sum({occupancy}) AS "People", sum({energy}) AS "Load"
FROM l`).
		OverrideByName("Temperature", append(unitIs(unitCelsius, 1), colored("blue", from(18, "green"), from(26, "orange")))).
		OverrideByName("Humidity", append(unitIs(unitHumidity, 0), colored("orange", from(20, "green"), from(70, "orange")))).
		OverrideByName("CO₂", append(unitIs(unitPPM, 0), colored("green", co2Colors...))).
		OverrideByName("CO₂ worst", append(unitIs(unitPPM, 0), colored("green", co2Colors...))).
		OverrideByName("People", unitIs(unitCount, 0)).
		OverrideByName("Load", unitIs(unitKW, 1))
}

func statusNow(s scope) *stat.PanelBuilder {
	return tiles(panelStatus, "Status now",
		"How many sensors report each status, of those that are not silent and chosen above. Critical should be 0; Warning may come and go.",
		`WITH `+s.latest()+`
SELECT count(*) FILTER (WHERE {status} = 'Normal') AS "● Normal", count(*) FILTER (WHERE {status} = 'Warning') AS "▲ Warning",
	count(*) FILTER (WHERE {status} = 'Critical') AS "■ Critical", count(*) FILTER (WHERE {status} = 'Maintenance') AS "◆ Maintenance"
FROM l WHERE {status} = `+anyOf(varStatus)).
		OverrideByName("▲ Warning", some("orange")).
		OverrideByName("■ Critical", some("red"))
}

func statusBars(s scope) *barchart.PanelBuilder {
	return bars(panelStatusBars, "Rooms by status",
		"The status that sensors report now, by type of room. Bars of Critical should be empty.", unitCount,
		`WITH `+s.latest()+`
SELECT {room_type} AS "Room type", nullif(count(*) FILTER (WHERE {status} = 'Normal'), 0) AS "● Normal", nullif(count(*) FILTER (WHERE {status} = 'Warning'), 0) AS "▲ Warning",
	nullif(count(*) FILTER (WHERE {status} = 'Critical'), 0) AS "■ Critical", nullif(count(*) FILTER (WHERE {status} = 'Maintenance'), 0) AS "◆ Maintenance"
FROM l WHERE {status} = `+anyOf(varStatus)+` GROUP BY 1 ORDER BY 1`).
		Stacking("normal").
		OverrideByName("● Normal", color("green")).
		OverrideByName("▲ Warning", color("orange")).
		OverrideByName("■ Critical", color("red")).
		OverrideByName("◆ Maintenance", color("blue"))
}

// inRange sums up the range of time.
func inRange(s scope) *stat.PanelBuilder {
	return tiles(panelRange, "In this range",
		"Comfort: share of occupied time at 20–26 °C (server rooms 18–27, warehouses 12–30); below 90 % people complain. CO₂ over 1,000: share of occupied time; above 5 % the ventilation does not keep up. After hours: share of the energy used outside opening hours and on weekends; offices that use more than half of it then heat or light nobody.",
		`WITH `+s.roomHistory(stepOfRange)+`, `+closedHours+`
SELECT sum(n) AS "Readings", sum(load * hours) AS "Energy",
	avg((`+comfortable+`)::int) FILTER (WHERE `+occupied+` AND temperature IS NOT NULL) AS "Comfort",
	avg((co2 > 1000)::int) FILTER (WHERE `+occupied+` AND co2 IS NOT NULL) AS "CO₂ over 1,000",
	sum(load * hours) FILTER (WHERE `+closed+`) / nullif(sum(load * hours), 0) AS "After hours",
	sum(people * hours) AS "Person-hours"
FROM h`).
		OverrideByName("Readings", unitIs(unitCount, 1)).
		OverrideByName("Energy", unitIs(unitKWh, 1)).
		OverrideByName("Comfort", append(unitIs(unitShare, 1), colored("text", from(0, "red"), from(0.8, "orange"), from(0.9, "green")))).
		OverrideByName("CO₂ over 1,000", append(unitIs(unitShare, 1), colored("green", from(0.05, "orange"), from(0.2, "red")))).
		OverrideByName("After hours", append(unitIs(unitShare, 1), colored("green", from(0.5, "orange"), from(0.7, "red")))).
		OverrideByName("Person-hours", unitIs(unitCount, 1))
}

// roomTypes compares types of rooms.
func roomTypes(s scope) *table.PanelBuilder {
	return rows(panelRoomTypes, "Room types",
		"How each type of room did in this range. Comfort below 90 % or CO₂ above 1,000 ppm in one type points at its setpoints or its ventilation.",
		`WITH `+s.roomHistory(stepOfRange)+`, r AS (
	SELECT {room_type}, room, sum(temperature) AS temperature, count(temperature) AS temperatures, sum(humidity) AS humidity, count(humidity) AS humidities,
		sum(co2) AS co2, count(co2) AS co2s, max(co2_max) AS peak, sum(people) AS people, count(people) AS counts,
		count(*) FILTER (WHERE `+occupied+` AND `+comfortable+`) AS comfort, count(temperature) FILTER (WHERE `+occupied+`) AS judged,
		sum(load * hours) AS energy, sum(hours) FILTER (WHERE `+occupied+`) AS occupied
	FROM h GROUP BY 1, 2
)
SELECT coalesce({room_type}, '–') AS "Type", count(*) AS "Rooms", sum(temperature) / nullif(sum(temperatures), 0) AS "Temperature", sum(humidity) / nullif(sum(humidities), 0) AS "Humidity",
	sum(co2) / nullif(sum(co2s), 0) AS "CO₂", max(peak) AS "CO₂ peak", sum(comfort) / nullif(sum(judged), 0) AS "Comfort",
	sum(people) / nullif(sum(counts), 0) AS "People", sum(energy) AS "Energy", sum(energy) / nullif(sum(occupied), 0) AS "Per occupied hour"
FROM r GROUP BY {room_type} ORDER BY 1`).
		OverrideByName("Type", wide(140)).
		OverrideByName("Temperature", append(unitIs(unitCelsius, 1), wide(115)...)).
		OverrideByName("Humidity", append(unitIs(unitHumidity, 0), wide(90)...)).
		OverrideByName("CO₂", append(unitIs(unitPPM, 0), wide(90)...)).
		OverrideByName("CO₂ peak", append(unitIs(unitPPM, 0), textColored("green", co2Colors...)...)).
		OverrideByName("Comfort", append(unitIs(unitShare, 0), textColored("text", from(0, "red"), from(0.8, "orange"), from(0.9, "green"))...)).
		OverrideByName("People", unitIs(unitCount, 1)).
		OverrideByName("Energy", unitIs(unitKWh, 1)).
		OverrideByName("Per occupied hour", append(unitIs(unitKWh, 1), wide(150)...))
}

// textColored colours the text of cells by value.
func textColored(base string, steps ...dashboard.Threshold) []dynamic {
	return []dynamic{
		colored(base, steps...), property("color", map[string]any{"mode": "thresholds"}),
		property("custom.cellOptions", map[string]any{"type": "color-text"}),
	}
}

// color gives a series one color.
func color(name string) []dynamic {
	return []dynamic{property("color", map[string]any{"mode": "fixed", "fixedColor": name})}
}

func guide(markdown string) *text.PanelBuilder { return words(panelGuide, "Where to look", markdown) }
