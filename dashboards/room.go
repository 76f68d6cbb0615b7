package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Room is one room: every metric, every event.
func Room() (dashboard.Dashboard, error) {
	s := ofRoom
	b := newBoard(RoomUID, "Room", "One room: what it measures, what was found, and whether its sensor can be believed.")
	b.up("Portfolio", PortfolioUID)
	b.up("Building", BuildingUID)
	b.up("Floor", FloorUID)
	b.variables(append(s.variables(), shared(varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotated(s, markHigh)

	b.line(5, tile{24, trust(s)})
	b.line(5, tile{14, now(s)}, tile{10, eventTiles(s)})
	b.line(5, tile{24, inRange(s)})
	b.line(7, tile{24, openEvents(s)})
	b.line(5, tile{24, roomStatus(s)})

	b.row(rowComfort, "Comfort and air")
	b.line(9, tile{12, roomTemperature(s)}, tile{12, roomCO2(s)})
	b.line(9, tile{12, roomHumidity(s)}, tile{12, roomPeople(s)})

	b.row(rowEnergy, "Energy")
	b.line(9, tile{12, roomLoad(s)}, tile{12, loadProfile(s)})
	b.line(5, tile{24, energyTiles(s)})

	b.row(rowAnomalies, "Anomalies")
	b.line(10, tile{24, recentEvents(s)})

	b.fold(rowReadings, "Newest readings")
	b.line(8, tile{24, readings(s)})
	return b.build()
}

// sensorTrend is a trend of what the rooms of the scope say: the mean of each
// interval and its extremes, from readings where intervals are short.
func (s scope) sensorTrend(column, rollup string) string {
	return trendOf(column, rollup, "SELECT s.{sensor} FROM {sensors} s WHERE "+s.where("s"), s.where("r"))
}

// trendOf is the trend of the sensors that a query names, and of rooms by a condition.
func trendOf(column, rollup, sensors, rooms string) string {
	return fmt.Sprintf(`WITH v AS (
	SELECT r.{time} AS bucket, 1 AS n, r.%[1]s AS total, r.%[1]s AS low, r.%[1]s AS high
	FROM {readings} r
	WHERE r.{sensor} IN (%[3]s) AND $__timeFilter(r.{time}) AND r.%[1]s IS NOT NULL AND interval '$interval' < interval '15 minutes'
	UNION ALL
	SELECT r.bucket, r.%[2]s_count, r.%[2]s_sum, r.%[2]s_min, r.%[2]s_max
	FROM {rooms_by}(greatest('$interval', interval '15 minutes')) r
	WHERE %[4]s AND $__timeFilter(r.bucket) AND r.%[2]s_count > 0 AND interval '$interval' >= interval '15 minutes'
)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), sum(total) / sum(n) AS "mean", min(low) AS "lowest", max(high) AS "highest"
FROM v GROUP BY 1 ORDER BY 1`, column, rollup, sensors, rooms)
}

// banded draws the extremes of each interval as a pale band around the mean.
func banded(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	edge := []dynamic{property("custom.lineWidth", 0), property("custom.hideFrom", map[string]any{"legend": true, "tooltip": false, "viz": false}), property("custom.showPoints", "never")}
	return p.DisplayName("${__field.name}").
		OverrideByName("lowest", edge).
		OverrideByName("highest", append(edge, property("custom.fillBelowTo", "lowest"), property("custom.fillOpacity", 15))).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor("blue"))
}

func roomTemperature(s scope) *timeseries.PanelBuilder {
	return banded(limitsDrawn(trend(panelTemperature, "Temperature",
		"Mean of each interval, with its extremes. The dashed lines at 20 and 26 °C are the comfort band of rooms where people sit; a line that is quite flat is a sensor that is stuck.",
		unitCelsius, s.sensorTrend("{temperature}", "temperature")), steps("transparent", from(20, "green"), from(26, "orange"))).Decimals(1))
}

func roomHumidity(s scope) *timeseries.PanelBuilder {
	return banded(limitsDrawn(trend(panelHumidity, "Humidity",
		"Mean of each interval, with its extremes. Below 20 % eyes and airways suffer, above 70 % mould grows.",
		unitHumidity, s.sensorTrend("{humidity}", "humidity")), steps("transparent", from(20, "green"), from(70, "orange"))))
}

func roomCO2(s scope) *timeseries.PanelBuilder {
	return banded(limitsDrawn(trend(PanelCO2, "CO₂",
		"Mean of each interval, with its extremes. From the dashed lines on: 800 ppm less than fresh, 1,000 stale, 1,400 bad. It should fall to about 420 ppm at night; a lowest value that creeps up over weeks is a sensor that drifts.",
		unitPPM, s.sensorTrend("{co2}", "co2")), steps("transparent", co2Colors...)))
}

func roomPeople(s scope) *timeseries.PanelBuilder {
	return banded(trend(panelPeople, "People",
		"How many people were in the room. People at night are worth a question, to them or to the counter.", unitCount, s.sensorTrend("{occupancy}", "occupancy")).AxisSoftMin(0))
}

func roomLoad(s scope) *timeseries.PanelBuilder {
	return banded(trend(panelLoad, "Energy",
		"Load: energy used per hour. It should fall when people leave; one that does not is something left on.", unitKW, s.sensorTrend("{energy}", "energy")).Decimals(1).AxisSoftMin(0))
}

// roomStatus is the worst status of each interval.
func roomStatus(s scope) *statetimeline.PanelBuilder {
	return states(panelCO2State, "Status over time",
		"The worst status that the room's sensor reported in each interval. White is a gap: it said nothing.", unitNone,
		`WITH v AS (
	SELECT r.{time} AS bucket, r.{room} AS room, CASE r.{status} WHEN 'Critical' THEN 3 WHEN 'Warning' THEN 2 WHEN 'Maintenance' THEN 1 WHEN 'Normal' THEN 0 END AS worst
	FROM {readings} r
	WHERE r.{sensor} IN (SELECT s.{sensor} FROM {sensors} s WHERE `+s.where("s")+`) AND $__timeFilter(r.{time}) AND interval '$interval' < interval '15 minutes'
	UNION ALL
	SELECT r.bucket, r.{room}, CASE WHEN r.statuses ? 'Critical' THEN 3 WHEN r.statuses ? 'Warning' THEN 2 WHEN r.statuses ? 'Maintenance' THEN 1 WHEN r.statuses ? 'Normal' THEN 0 END
	FROM {rooms_by}(greatest('$interval', interval '15 minutes')) r
	WHERE `+s.where("r")+` AND $__timeFilter(r.bucket) AND interval '$interval' >= interval '15 minutes'
)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), room AS room, max(worst) AS "value"
FROM v GROUP BY 1, 2 ORDER BY 1`).
		DisplayName("Status").ShowValue("auto").
		Mappings([]dashboard.ValueMapping{valueMap(
			glyph{"0", "● Normal", "green"}, glyph{"1", "◆ Maintenance", "blue"}, glyph{"2", "▲ Warning", "orange"}, glyph{"3", "■ Critical", "red"},
		)})
}
