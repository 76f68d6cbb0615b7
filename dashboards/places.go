package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// placesTable has a row for each part of the scope: comfort, air, energy, occupancy
// and the health of the data, and the way down.
func placesTable(s scope) *table.PanelBuilder {
	_, name := s.part()
	columns := map[string]string{
		"building": `{building} AS "Building"`,
		"floor":    `{building} AS "Building", {floor} AS "Floor"`,
		"room":     `{building} AS "Building", {floor} AS "Floor", room AS "Room"`,
	}[name]
	if name != "room" {
		columns += `, rooms AS "Rooms"`
	}
	key := map[string]string{"building": "{building}", "floor": "{building}, {floor}", "room": "{building}, {floor}, room"}[name]
	title := map[string]string{"building": "Buildings", "floor": "Floors", "room": "Rooms"}[name]
	return linkedPlaces(s, rows(panelPlaces, title,
		"One line for each "+name+": is the data sound, are people comfortable, is the air good, what is used and when. Orange and red say where to go; click on the name.",
		`WITH `+s.roomHistory(stepOfRange)+`, `+closedHours+`, `+s.completeness()+`, judged AS (
	SELECT `+key+`, avg(temperature) AS temperature, avg((`+comfortable+`)::int) FILTER (WHERE `+occupied+` AND temperature IS NOT NULL) AS comfort,
		max(co2_max) AS co2, avg((co2 > 1000)::int) FILTER (WHERE `+occupied+` AND co2 IS NOT NULL) AS stale,
		sum(load * hours) AS energy, sum(load * hours) FILTER (WHERE `+closed+`) / nullif(sum(load * hours), 0) AS after,
		sum(people * hours) AS people
	FROM h GROUP BY `+key+`
), sound AS (
	SELECT `+key+`, `+received+` AS received, count(*) AS rooms FROM c GROUP BY `+key+`
), wrong AS (
	SELECT `+key+`, count(*) AS events, count(*) FILTER (WHERE open) AS open
	FROM (SELECT e.{building}, e.{floor}, e.{room} AS room, e.open FROM {events} e WHERE `+s.found("e")+`) e GROUP BY `+key+`
)
SELECT `+columns+`, received AS "Received", coalesce(open, 0) AS "Open", coalesce(events, 0) AS "Events",
	temperature AS "Temperature", comfort AS "Comfort", co2 AS "CO₂ peak", stale AS "Stale air", people AS "Person-h", energy AS "Energy", after AS "After hours"
FROM sound LEFT JOIN judged USING (`+key+`) LEFT JOIN wrong USING (`+key+`) ORDER BY `+key), name).
		OverrideByName("Received", append(unitIs(unitShare, 1), textColored("red", from(0.9, "orange"), from(0.95, "green"))...)).
		OverrideByName("Open", textColored("green", from(1, "orange"))).
		OverrideByName("Temperature", append(unitIs(unitCelsius, 1), wide(115)...)).
		OverrideByName("Comfort", append(unitIs(unitShare, 0), textColored("text", from(0, "red"), from(0.8, "orange"), from(0.9, "green"))...)).
		OverrideByName("CO₂ peak", append(unitIs(unitPPM, 0), textColored("green", co2Colors...)...)).
		OverrideByName("Stale air", append(unitIs(unitShare, 1), textColored("green", from(0.05, "orange"), from(0.2, "red"))...)).
		OverrideByName("Person-h", unitIs(unitCount, 1)).
		OverrideByName("Energy", unitIs(unitKWh, 1)).
		OverrideByName("After hours", append(unitIs(unitShare, 0), textColored("green", from(0.5, "orange"), from(0.7, "red"))...))
}

// linkedPlaces makes the columns of places down to name lead there.
func linkedPlaces(s scope, p *table.PanelBuilder, name string) *table.PanelBuilder {
	p = p.OverrideByName("Building", s.toBuilding())
	if name != "building" {
		p = p.OverrideByName("Floor", s.toFloor())
	}
	if name == "room" {
		p = p.OverrideByName("Room", s.toRoom())
	}
	return p
}

func people(s scope) *timeseries.PanelBuilder {
	column, name := s.part()
	if name == "room" {
		column = "room"
	}
	return quarterly(trend(panelPeople, "People by "+name,
		"How many people were there. People at night or on weekends explain energy; none where many should be is a counter that fails.", unitCount,
		`WITH `+s.roomHistory(s.stepOfTrend())+`, b AS (SELECT bucket, `+column+` AS place, sum(people) AS people FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), place, avg(people) AS "value"
FROM b WHERE people IS NOT NULL GROUP BY 1, 2 ORDER BY 1`).
		DisplayName("${__field.labels.place}").AxisSoftMin(0))
}

// empty is energy for nobody: rooms kept as warm or cool as for people, without any.
func empty(s scope) *bargauge.PanelBuilder {
	return ranking(panelEmpty, "Conditioned for nobody",
		"Share of the opening hours in which a room was empty and yet within 20–26 °C, by type of room. Where it is large, heating and cooling by presence would pay.", unitShare,
		`WITH `+s.roomHistory(stepOfRange)+`, `+closedHours+`
SELECT coalesce({room_type}, '–') AS "Room type", avg((people = 0 AND temperature BETWEEN 20 AND 26)::int) AS "Empty and conditioned"
FROM h WHERE NOT `+closed+` AND people IS NOT NULL AND temperature IS NOT NULL GROUP BY 1 ORDER BY 1`).
		Max(1).Decimals(0)
}

// aggregates are the newest windows as they are kept.
func aggregates(s scope) *table.PanelBuilder {
	return rows(panelAggregates, "Window aggregates",
		"The newest windows of each building and floor as they are stored. A window is final when no more readings are expected; a late reading still corrects it.",
		`SELECT a.window_start AS "Window", a.{building} AS "Building", a.{floor} AS "Floor", a.avg_temperature AS "Temperature", a.avg_humidity AS "Humidity",
	a.avg_co2 AS "CO₂", a.total_occupancy AS "People", a.total_energy AS "Energy", a.reading_count AS "Readings",
	CASE WHEN a.final THEN '● final' ELSE '◌ open' END AS "State"
FROM {aggregates} a WHERE $__timeFilter(a.window_start) AND `+s.upToFloor().where("a")+`
ORDER BY a.window_start DESC, 2, 3 LIMIT ${limit:raw}`).
		OverrideByName("Window", append(wide(165), property("unit", "dateTimeAsIso"))).
		OverrideByName("Building", s.toBuilding()).OverrideByName("Floor", s.toFloor()).
		OverrideByName("Temperature", append(unitIs(unitCelsius, 2), wide(115)...)).
		OverrideByName("Humidity", unitIs(unitHumidity, 1)).
		OverrideByName("CO₂", unitIs(unitPPM, 0)).
		OverrideByName("Energy", append(unitIs(unitKW, 1), property("displayName", "Sum of energy")))
}

// readings are the newest readings.
func readings(s scope) *table.PanelBuilder {
	return rows(panelReadings, "Newest readings",
		"The last reading of each sensor with a chosen status, newest first. A time that stays behind the others is a sensor that fell silent.",
		`SELECT r.{time} AS "Time", r.{building} AS "Building", r.{floor} AS "Floor", r.{room} AS "Room", r.{room_type} AS "Type",
	r.{temperature} AS "Temperature", r.{humidity} AS "Humidity", r.{co2} AS "CO₂", r.{occupancy} AS "People", r.{energy} AS "Energy", r.{status} AS "Status"
FROM {latest} r WHERE `+s.where("r")+` AND r.{status} = `+anyOf(varStatus)+`
ORDER BY r.{time} DESC LIMIT ${limit:raw}`).
		OverrideByName("Time", append(wide(165), property("unit", "dateTimeAsIso"))).
		OverrideByName("Building", s.toBuilding()).OverrideByName("Floor", s.toFloor()).OverrideByName("Room", s.toRoom()).
		OverrideByName("Type", wide(130)).
		OverrideByName("Temperature", append(unitIs(unitCelsius, 2), wide(115)...)).
		OverrideByName("Humidity", unitIs(unitHumidity, 1)).
		OverrideByName("CO₂", unitIs(unitPPM, 0)).
		OverrideByName("Energy", unitIs(unitKW, 1)).
		OverrideByName("Status", []dynamic{statusGlyphs, property("custom.cellOptions", map[string]any{"type": "color-text"})})
}
