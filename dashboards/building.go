package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// Building is one building and its floors.
func Building() (dashboard.Dashboard, error) {
	s := ofBuilding
	b := newBoard(BuildingUID, "Building", "One building: its floors compared, what is wrong there, and the way to a floor.")
	b.up("Portfolio", PortfolioUID)
	b.variables(append(s.variables(), shared(varStatus, varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotated(s, markWorst)

	b.line(5, tile{24, trust(s)})
	b.line(5, tile{14, now(s)}, tile{10, statusNow(s)})
	b.line(5, tile{14, inRange(s)}, tile{10, eventTiles(s)})
	b.line(8, tile{24, placesTable(s)})
	b.line(8, tile{24, openEvents(s)})

	b.row(rowComfort, "Comfort and air")
	b.line(9, tile{12, temperature(s)}, tile{12, humidity(s)})
	b.line(9, tile{16, co2(s)}, tile{8, comfortBars(s)})
	b.line(9, tile{12, co2Bands(s)}, tile{12, co2Types(s)})

	b.row(rowEnergy, "Energy and people")
	b.line(9, tile{12, load(s)}, tile{12, people(s)})
	b.line(12, tile{12, energyBars(s)}, tile{12, empty(s)})
	b.line(9, tile{24, roomTypes(s)})

	b.row(rowAnomalies, "Anomalies")
	b.line(12, tile{12, eventTypes(s)}, tile{12, eventRooms(s)})
	b.line(10, tile{24, recentEvents(s)})

	b.fold(rowAggregates, "Window aggregates")
	b.line(10, tile{24, aggregates(s)})
	b.fold(rowReadings, "Newest readings")
	b.line(10, tile{24, readings(s)})
	return b.build()
}
