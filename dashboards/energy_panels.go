package dashboards

import (
	"fmt"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Readings say how much is used at the moment, in kWh per hour. Over time the mean
// of a room is its load in kW, and load by hours is energy in kWh.

func load(s scope) *timeseries.PanelBuilder {
	column, name := s.part()
	if name == "room" {
		column = "room"
	}
	return quarterly(trend(panelLoad, "Energy by "+name,
		"Load: energy used per hour. At night and on weekends it should fall to the base load; a step that does not go back is something left on.",
		unitKW, fmt.Sprintf(`WITH %s, b AS (SELECT bucket, %s AS place, sum(load) AS load FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), place, avg(load) AS "value"
FROM b WHERE load IS NOT NULL GROUP BY 1, 2 ORDER BY 1`, s.roomHistory(s.stepOfTrend()), column)).
		DisplayName("${__field.labels.place}").Decimals(1).AxisSoftMin(0))
}

func energyBars(s scope) *bargauge.PanelBuilder {
	what, place, key, most := "building and floor", `concat_ws(' ', replace({building}, 'Building ', ''), {floor})`, `{building}, {floor}`, 12
	if _, name := s.part(); name != "building" {
		what, place, key, most = "room", "room", "room", longNames
	}
	return ranking(panelEnergyBars, "Energy by "+what,
		"Energy used in this range. Compare like with like: a floor that uses much more than the others has a machine running, or a meter that is wrong.", unitKWh,
		`WITH `+s.roomHistory(stepOfRange)+`
SELECT `+place+` AS "Where", sum(load * hours) AS "Energy"
FROM h GROUP BY `+key+` HAVING sum(load) IS NOT NULL ORDER BY 2 DESC LIMIT `+strconv.Itoa(most)).
		Decimals(1)
}

func energyTiles(s scope) *stat.PanelBuilder {
	return tiles(panelEnergyTiles, "Energy in this range",
		"Base load: what is used in the quietest twentieth of the time; above half of the mean, much runs for nobody. After hours: share outside opening hours and on weekends. Per occupied hour: energy for each hour in which a room had people. Week before: the same hours, 7 days earlier.",
		`WITH `+s.roomHistory(stepOfRange)+`, t AS (
	SELECT bucket, sum(load) AS load, sum(load * hours) AS energy, sum(hours) FILTER (WHERE `+occupied+`) AS occupied, sum(people * hours) AS people FROM h GROUP BY 1
)
SELECT sum(energy) AS "Energy", max(load) AS "Peak load", percentile_cont(0.05) WITHIN GROUP (ORDER BY load) AS "Base load",
	sum(energy) FILTER (WHERE `+afterHours+`) / nullif(sum(energy), 0) AS "After hours",
	sum(energy) / nullif(sum(occupied), 0) AS "Per occupied hour", sum(energy) / nullif(sum(people), 0) AS "Per person-hour"
FROM t`).
		OverrideByName("Energy", unitIs(unitKWh, 1)).
		OverrideByName("Peak load", unitIs(unitKW, 1)).
		OverrideByName("Base load", unitIs(unitKW, 1)).
		OverrideByName("After hours", append(unitIs(unitShare, 1), colored("green", from(0.5, "orange"), from(0.7, "red")))).
		OverrideByName("Per occupied hour", unitIs(unitKWh, 1)).
		OverrideByName("Per person-hour", unitIs(unitKWh, 1))
}

// loadProfile is the mean day: working days against weekends.
func loadProfile(s scope) *barchart.PanelBuilder {
	return bars(panelLoadProfile, "Mean day",
		"Mean load by hour of the day, in the time zone of the buildings. Weekends should lie near the night; if they follow the working days, a schedule is wrong.", unitKW,
		`WITH `+s.roomHistory(stepOfRange)+`, t AS (SELECT bucket AT TIME ZONE '${timezone:raw}' AS local, sum(load) AS load FROM h GROUP BY bucket)
SELECT to_char(local, 'HH24"h"') AS "Hour", avg(load) FILTER (WHERE extract(isodow FROM local) < 6) AS "working day", avg(load) FILTER (WHERE extract(isodow FROM local) > 5) AS "weekend"
FROM t GROUP BY 1 ORDER BY 1`).
		Orientation("vertical").ShowValue("never").XTickLabelRotation(-90).Decimals(1).
		OverrideByName("working day", color("blue")).OverrideByName("weekend", color("orange"))
}

// loadWeek is the mean load by hour and day of the week.
func loadWeek(s scope) *table.PanelBuilder {
	columns := ""
	for hour := range 24 {
		columns += fmt.Sprintf(`, avg(load) FILTER (WHERE extract(hour FROM local) = %d) AS "%02d"`, hour, hour)
	}
	return rows(panelLoadWeek, "Load by hour and day of the week",
		"Mean load in kW at each hour (across) of each day of the week (down). Dark cells outside the opening hours are what runs for nobody.",
		`WITH `+s.roomHistory(stepOfRange)+`, t AS (SELECT bucket AT TIME ZONE '${timezone:raw}' AS local, sum(load) AS load FROM h GROUP BY bucket)
SELECT day AS "Day"`+columns+`
FROM (VALUES (1, 'Mon'), (2, 'Tue'), (3, 'Wed'), (4, 'Thu'), (5, 'Fri'), (6, 'Sat'), (7, 'Sun')) AS week (number, day)
LEFT JOIN t ON extract(isodow FROM t.local) = number
GROUP BY number, day ORDER BY number`).
		Unit(unitNone).Decimals(0).
		OverrideByName("Day", []dynamic{property("custom.width", 60)}).
		OverrideByRegexp(`^\d\d$`, heated("continuous-blues"))
}

func afterHoursShare(s scope) *timeseries.PanelBuilder {
	column, name := s.part()
	if name == "room" {
		column = "room"
	}
	return limitsDrawn(trend(PanelAfterHours, "After hours by "+name,
		"Share of each day's energy that was used outside opening hours and on weekends. Above the dashed line at 70 % on a working day, something runs all night. Weekend days are 100 %.",
		unitShare, fmt.Sprintf(`WITH %s, b AS (SELECT bucket, %s AS place, sum(load * hours) AS energy FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '1d', NULL), place, sum(energy) FILTER (WHERE %s) / nullif(sum(energy), 0) AS "value"
FROM b GROUP BY 1, 2 ORDER BY 1`, s.roomHistory(stepOfRange), column, afterHours)),
		steps("transparent", from(0.7, "orange"))).
		DisplayName("${__field.labels.place}").Min(0).Max(1).
		ShowPoints("always").PointSize(7)
}

func dailyEnergy(s scope) *timeseries.PanelBuilder {
	column, name := s.part()
	if name == "room" {
		column = "room"
	}
	return trend(panelDaily, "Energy by day",
		"Energy of each day, stacked. The first and last day of the range are incomplete.", unitKWh,
		fmt.Sprintf(`WITH %s, b AS (SELECT bucket, %s AS place, sum(load * hours) AS energy FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '1d', NULL), place, sum(energy) AS "value"
FROM b GROUP BY 1, 2 ORDER BY 1`, s.roomHistory(stepOfRange), column)).
		DisplayName("${__field.labels.place}").Decimals(1).AxisSoftMin(0).
		DrawStyle("bars").FillOpacity(70).LineWidth(0).Stacking(stacked())
}

func perOccupiedHour(s scope) *bargauge.PanelBuilder {
	return ranking(panelPerOccupied, "Energy per occupied hour",
		"Energy for each hour in which a room had people, by type of room. Types that use much while hardly occupied are where setback pays. Types with people in less than a twentieth of the time are left out.", unitKWh,
		`WITH `+s.roomHistory(stepOfRange)+`
SELECT coalesce({room_type}, '–') AS "Room type", sum(load * hours) / nullif(sum(hours) FILTER (WHERE `+occupied+`), 0) AS "Energy"
FROM h GROUP BY 1 HAVING sum(hours) FILTER (WHERE `+occupied+`) >= sum(hours) / 20 ORDER BY 2 DESC`).
		Decimals(1)
}

// topRooms are where the energy goes.
func topRooms(s scope) *table.PanelBuilder {
	return rows(panelTopRooms, "Where the energy goes",
		"The rooms that used the most in this range. A large share after hours in a room that people leave at night is the first thing to switch off.",
		`WITH `+s.roomHistory(stepOfRange)+`, `+closedHours+`
SELECT {building} AS "Building", {floor} AS "Floor", room AS "Room", {room_type} AS "Type", sum(load * hours) AS "Energy",
	sum(load * hours) FILTER (WHERE `+closed+`) / nullif(sum(load * hours), 0) AS "After hours",
	sum(load * hours) / nullif(sum(hours) FILTER (WHERE `+occupied+`), 0) AS "Per occ. hour"
FROM h GROUP BY 1, 2, 3, 4 HAVING sum(load) IS NOT NULL ORDER BY 5 DESC LIMIT ${limit:raw}`).
		OverrideByName("Building", s.toBuilding()).OverrideByName("Floor", s.toFloor()).OverrideByName("Room", s.toRoom()).
		OverrideByName("Type", wide(130)).
		OverrideByName("Energy", unitIs(unitKWh, 1)).
		OverrideByName("After hours", append(unitIs(unitShare, 0), wide(110)...)).
		OverrideByName("Per occ. hour", append(unitIs(unitKWh, 1), wide(120)...))
}
