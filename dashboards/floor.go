package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// Floor is one floor and its rooms.
func Floor() (dashboard.Dashboard, error) {
	s := ofFloor
	b := newBoard(FloorUID, "Floor", "One floor: its rooms compared, what is wrong there, and the way to a room.")
	b.up("Portfolio", PortfolioUID)
	b.up("Building", BuildingUID)
	b.variables(append(s.variables(), shared(varStatus, varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotated(s, markHigh)

	b.line(5, tile{24, trust(s)})
	b.line(5, tile{14, now(s)}, tile{10, statusNow(s)})
	b.line(5, tile{14, inRange(s)}, tile{10, eventTiles(s)})
	b.line(8, tile{24, placesTable(s)})
	b.line(8, tile{24, openEvents(s)})

	b.row(rowComfort, "Comfort and air")
	b.line(9, tile{24, co2States(s)})
	b.line(10, tile{12, temperature(s)}, tile{12, co2(s)})
	b.line(12, tile{12, humidity(s)}, tile{12, comfortBars(s)})

	b.row(rowEnergy, "Energy and people")
	b.line(10, tile{12, load(s)}, tile{12, people(s)})
	b.line(12, tile{12, energyBars(s)}, tile{12, perOccupiedHour(s)})

	b.row(rowAnomalies, "Anomalies")
	b.line(12, tile{12, eventTypes(s)}, tile{12, eventRooms(s)})
	b.line(10, tile{24, recentEvents(s)})

	b.fold(rowAggregates, "Window aggregates")
	b.line(10, tile{24, aggregates(s)})
	b.fold(rowReadings, "Newest readings")
	b.line(10, tile{24, readings(s)})
	return b.build()
}
