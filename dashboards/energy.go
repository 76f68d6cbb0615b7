package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// Energy is what is used, when, and for whom.
func Energy() (dashboard.Dashboard, error) {
	s := ofFloors
	b := newBoard(EnergyUID, "Energy", "What is used, when, and for whom: base load, after hours, and energy per occupied hour.")
	b.up("Portfolio", PortfolioUID)
	b.variables(append(s.variables(), shared(varInterval, varLimit, varOpens, varCloses, varTimezone)...)...)
	b.builder.Time("now-7d", "now")
	b.annotate("Energy anomalies", "red", true, s, "e.metric = '{energy}' AND "+markWorst)

	b.line(5, tile{24, energyTiles(s)})
	b.line(10, tile{14, load(s)}, tile{10, loadProfile(s)})
	b.line(9, tile{12, dailyEnergy(s)}, tile{12, afterHoursShare(s)})
	b.line(10, tile{12, energyBars(s)}, tile{12, perOccupiedHour(s)})
	b.line(9, tile{24, loadWeek(s)})
	b.line(9, tile{16, topRooms(s)}, tile{8, empty(s)})
	return b.build()
}
