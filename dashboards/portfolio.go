package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const portfolioGuide = `**Read from the top.** Where *Can the data be trusted?* is orange or red, doubt what is below. *Open events* says what is wrong and why:
click on **what** happened to see it, on a **place** to go there. Bands across charts are anomalies.

**New here?** Find the sensor that is stuck (*Data quality*), the meeting without air (*CO₂*), the weekend that used energy for nobody (*Energy*).`

// Portfolio is the first page: all buildings, and where to go.
func Portfolio() (dashboard.Dashboard, error) {
	s := ofPortfolio
	b := newBoard(PortfolioUID, "Portfolio", "All buildings at a glance: is the data sound, what is wrong now, and where.")
	b.variables(append(s.variables(), shared(varStatus, varSeverity, varDetector, varInterval, varLimit)...)...)
	b.annotated(s, markWorst)

	b.line(5, tile{24, trust(s)})
	b.line(7, tile{12, guide(portfolioGuide)}, tile{12, now(s)})
	b.line(5, tile{14, eventTiles(s)}, tile{10, statusNow(s)})
	b.line(9, tile{24, openEvents(s)})
	b.line(6, tile{24, placesTable(s)})
	b.line(5, tile{24, inRange(s)})

	b.row(rowComfort, "Comfort and air")
	b.line(9, tile{12, temperature(s)}, tile{12, co2(s)})
	b.line(9, tile{8, comfortBars(s)}, tile{8, co2Types(s)}, tile{8, co2Bands(s)})

	b.row(rowEnergy, "Energy and people")
	b.line(9, tile{12, load(s)}, tile{12, people(s)})
	b.line(10, tile{12, energyBars(s)}, tile{12, statusBars(s)})
	b.line(9, tile{24, roomTypes(s)})

	b.row(rowAnomalies, "Anomalies")
	b.line(10, tile{12, eventTypes(s)}, tile{12, eventTrend(s)})
	b.line(9, tile{24, eventHours(s)})
	b.line(10, tile{24, recentEvents(s)})

	b.fold(rowAggregates, "Window aggregates")
	b.line(10, tile{24, aggregates(s)})
	b.fold(rowReadings, "Newest readings")
	b.line(10, tile{24, readings(s)})
	return b.build()
}
