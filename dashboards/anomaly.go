package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Anomaly is what was found and why: all events of the chosen places, and one
// sensor in detail.
func Anomaly() (dashboard.Dashboard, error) {
	s := ofPlaces
	b := newBoard(AnomalyUID, "Anomaly", "What was found and why. A click on an event anywhere leads here, to its sensor and its time.")
	b.up("Portfolio", PortfolioUID)
	b.up("Room", RoomUID)
	// Whoever comes without a choice sees the sensor of the newest event.
	sensor := listed(varSensor, "Sensor", `SELECT s.{sensor} FROM {sensors} s LEFT JOIN (SELECT {sensor}, max(started_at) AS at FROM {events} GROUP BY 1) e USING ({sensor})
WHERE `+s.where("s")+` ORDER BY e.at DESC NULLS LAST, 1`, false).Sort(dashboard.VariableSortDisabled)
	variables := append(s.variables(), cog.Builder[dashboard.VariableModel](sensor))
	b.variables(append(variables, shared(varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotate("Events of the sensor", "red", true, s, "${sensor:sqlstring} = ANY (e.sensors)")
	b.annotate("Events of other sensors", "orange", false, s, "${sensor:sqlstring} <> ALL (e.sensors)")

	b.line(5, tile{24, eventTiles(s)})
	b.line(10, tile{24, recentEvents(s)})

	b.row(rowNow, "The sensor $sensor")
	b.line(8, tile{12, sensorSeries(panelTemperature, "Temperature", unitCelsius, "{temperature}", "temperature")}, tile{12, sensorSeries(PanelCO2, "CO₂", unitPPM, "{co2}", "co2")})
	b.line(8, tile{8, sensorSeries(panelHumidity, "Humidity", unitHumidity, "{humidity}", "humidity")}, tile{8, sensorSeries(panelPeople, "People", unitCount, "{occupancy}", "occupancy")},
		tile{8, sensorSeries(panelLoad, "Energy", unitKW, "{energy}", "energy")})
	b.line(9, tile{24, findings()})

	b.row(rowAnomalies, "Patterns")
	b.line(12, tile{12, eventTypes(s)}, tile{12, eventRooms(s)})
	b.line(9, tile{24, eventTrend(s)})
	b.line(9, tile{24, eventHours(s)})
	return b.build()
}

func sensorSeries(id uint32, title, unit, column, rollup string) *timeseries.PanelBuilder {
	return banded(trend(id, title,
		"What the chosen sensor measured: the mean of each interval and its extremes. From a quarter of an hour on it is the mean of its room. The bands are its events; a metric that jumps while the others are calm is a fault of the sensor.", unit,
		trendOf(column, rollup, "${sensor:sqlstring}", "r.{room} = (SELECT s.{room} FROM {sensors} s WHERE s.{sensor} = ${sensor:sqlstring})")))
}

// findings are the readings of the chosen sensor that were reported.
func findings() *table.PanelBuilder {
	return rows(panelFindings, "Findings",
		"The readings of this sensor that detectors reported, with what they expected. The severity says how far a value is outside of that; the score, how rare that is: 0.5 is once in a thousand readings, 0.67 once in a million.",
		`SELECT a.{time} AS "Time", a.severity AS "Severity", a.detector AS "Detector", replace(a.anomaly_type, '_', ' ') AS "What", a.metric AS "Metric", a.anomaly_score AS "Score",
	a.value AS "Value", a.expected_low AS "Expected from", a.expected_high AS "to", a.explanation AS "Why"
FROM {anomalies} a WHERE a.{sensor} = ${sensor:sqlstring} AND $__timeFilter(a.{time}) AND a.severity = `+anyOf(varSeverity)+` AND a.detector = `+anyOf(varDetector)+`
ORDER BY a.{time} DESC LIMIT ${limit:raw}`).NoValue("● nothing was found").
		OverrideByName("Time", []dynamic{property("unit", "dateTimeAsIso"), property("custom.width", 175)}).
		OverrideByName("Severity", []dynamic{severityGlyphs, property("custom.width", 100), property("custom.cellOptions", map[string]any{"type": "color-text"})}).
		OverrideByName("Score", append(unitIs(unitNone, 2), property("custom.width", 70))).
		OverrideByName("Value", absent(unitIs(unitNone, 1))).OverrideByName("Expected from", absent(unitIs(unitNone, 1))).OverrideByName("to", absent(unitIs(unitNone, 1))).
		OverrideByName("What", []dynamic{property("custom.width", 190)}).OverrideByName("Detector", []dynamic{property("custom.width", 135)}).
		OverrideByName("Why", []dynamic{property("custom.minWidth", 360), property("custom.inspect", true)})
}
