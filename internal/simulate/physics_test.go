package simulate_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// series collects the healthy readings of one floor by type of room.
func series(t *testing.T, cfg simulate.Config) map[string][]reading.Reading {
	t.Helper()
	rooms := map[string][]reading.Reading{}
	run(t, cfg, func(e *simulate.Event) {
		rooms[e.Reading.RoomType] = append(rooms[e.Reading.RoomType], e.Reading)
	})
	return rooms
}

// Comfort and limits of what a healthy building shows over a whole year: the
// ranges are chosen with the room types, except 18 to 27 °C for servers, which
// ASHRAE TC 9.9 recommends, and that outdoor air has about 420 ppm.
func TestRangesOfAHealthyYear(t *testing.T) {
	cfg := floor()
	cfg.Interval = 20 * time.Minute
	cfg.End = cfg.Start.AddDate(1, 0, 0)
	limits := map[string]struct{ celsius, humidity, co2, people, energy [2]float64 }{
		"Office":          {[2]float64{17, 26}, [2]float64{25, 65}, [2]float64{390, 960}, [2]float64{0, 15}, [2]float64{5, 60}},
		"Conference Room": {[2]float64{17, 26}, [2]float64{25, 65}, [2]float64{390, 980}, [2]float64{0, 17}, [2]float64{2, 40}},
		"Lobby":           {[2]float64{15, 26}, [2]float64{20, 70}, [2]float64{390, 960}, [2]float64{0, 24}, [2]float64{3, 50}},
		"Cafeteria":       {[2]float64{16, 26}, [2]float64{25, 70}, [2]float64{390, 960}, [2]float64{0, 72}, [2]float64{8, 110}},
		"Server Room":     {[2]float64{18, 27}, [2]float64{30, 60}, [2]float64{390, 800}, [2]float64{0, 2}, [2]float64{70, 140}},
		"Warehouse":       {[2]float64{12, 22}, [2]float64{25, 75}, [2]float64{390, 700}, [2]float64{0, 12}, [2]float64{5, 80}},
	}
	status := map[string]int{}
	rooms := series(t, cfg)
	require.Len(t, rooms, len(limits))
	for kind, readings := range rooms {
		l := limits[kind]
		for m, want := range map[reading.Metric][2]float64{
			reading.Temperature: l.celsius, reading.Humidity: l.humidity, reading.CO2: l.co2,
			reading.Occupancy: l.people, reading.Energy: l.energy,
		} {
			low, high := math.Inf(1), math.Inf(-1)
			for i := range readings {
				low, high = min(low, readings[i].Values[m]), max(high, readings[i].Values[m])
			}
			require.GreaterOrEqual(t, low, want[0], "%s of %s", m, kind)
			require.LessOrEqual(t, high, want[1], "%s of %s", m, kind)
			require.Less(t, low, high)
		}
		for i := range readings {
			status[readings[i].Status]++
		}
	}
	require.Zero(t, status[simulate.StatusWarning])
	require.Zero(t, status[simulate.StatusCritical])
	// A room is serviced 0.4 % of the time.
	share := float64(status[simulate.StatusMaintenance]) / float64(status[simulate.StatusMaintenance]+status[simulate.StatusNormal])
	require.InDelta(t, 0.004, share, 0.002)
}

func TestValuesAreRoundedLikeSensors(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.Count = 0.4, 20_000
	perUnit := [reading.NumMetrics]float64{
		reading.Temperature: 100, reading.Humidity: 10, reading.CO2: 10, reading.Occupancy: 1, reading.Energy: 100,
	}
	run(t, cfg, func(e *simulate.Event) {
		for m, v := range e.Reading.Values {
			require.Equal(t, math.Round(v*perUnit[m])/perUnit[m], v, reading.Metric(m).String())
		}
	})
}

func mean(readings []reading.Reading, m reading.Metric, keep func(time.Time) bool) float64 {
	var sum, n float64
	for i := range readings {
		if keep(readings[i].Time) {
			sum, n = sum+readings[i].Values[m], n+1
		}
	}
	return sum / n
}

func hours(weekend bool, from, to int) func(time.Time) bool {
	return func(at time.Time) bool {
		day := at.Weekday()
		return (day == time.Saturday || day == time.Sunday) == weekend && at.Hour() >= from && at.Hour() < to
	}
}

func TestPeopleKeepHours(t *testing.T) {
	cfg := floor()
	cfg.Interval = 5 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 28)
	rooms := series(t, cfg)
	people := func(kind string, keep func(time.Time) bool) float64 {
		return mean(rooms[kind], reading.Occupancy, keep)
	}
	require.Greater(t, people("Office", hours(false, 9, 12)), 5.0)
	require.Less(t, people("Office", hours(true, 9, 12)), 1.5)
	require.Zero(t, people("Office", hours(false, 0, 5)))
	require.Greater(t, people("Cafeteria", hours(false, 12, 13)), 5*people("Cafeteria", hours(false, 15, 16)), "lunch")
	require.Less(t, people("Server Room", hours(false, 9, 17)), 0.2)
	require.Greater(t, people("Warehouse", hours(false, 18, 20)), 3.0, "late shift")

	// Conference rooms are empty or hold a meeting of at least three, apart from
	// the minutes in which people come and go.
	var meetings, few, total int
	for _, r := range rooms["Conference Room"] {
		if hours(false, 9, 17)(r.Time) {
			total++
			switch n := r.Values[reading.Occupancy]; {
			case n >= 3:
				meetings++
			case n > 0:
				few++
			}
		}
	}
	require.InDelta(t, 0.4, float64(meetings)/float64(total), 0.15)
	require.Less(t, few, meetings/5)
}

func TestPeopleKeepLocalHours(t *testing.T) {
	cfg := floor()
	cfg.Interval = 10 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 14)
	var err error
	cfg.Location, err = time.LoadLocation("America/New_York")
	require.NoError(t, err)
	office := series(t, cfg)["Office"]
	require.Zero(t, mean(office, reading.Occupancy, hours(false, 6, 10)), "night in New York")
	require.Greater(t, mean(office, reading.Occupancy, hours(false, 15, 16)), 5.0, "ten in the morning in New York")
}

func correlation(x, y []float64) float64 {
	var sx, sy, sxx, syy, sxy float64
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
		sxx, syy, sxy = sxx+x[i]*x[i], syy+y[i]*y[i], sxy+x[i]*y[i]
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
}

func column(readings []reading.Reading, m reading.Metric) []float64 {
	values := make([]float64, len(readings))
	for i := range readings {
		values[i] = readings[i].Values[m]
	}
	return values
}

// CO₂ follows the people of a conference room, and is closest to them some
// minutes later: the air changes once in 14 minutes.
func TestCO2FollowsPeople(t *testing.T) {
	cfg := floor()
	cfg.Interval = time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 5)
	readings := series(t, cfg)["Conference Room"]
	people, co2 := column(readings, reading.Occupancy), column(readings, reading.CO2)
	var best int
	var most float64
	for lag := range 90 {
		if c := correlation(people[:len(people)-lag], co2[lag:]); c > most {
			best, most = lag, c
		}
	}
	require.Greater(t, most, 0.9)
	require.GreaterOrEqual(t, best, 4)
	require.LessOrEqual(t, best, 20)
}

// After everybody has left, the excess over outdoor air decays exponentially:
// a full mass balance, not a formula of the hour. The office is left at 22:00
// at the latest; its air then changes once in 180 m³ / (0.6·144 l/s) = 34.7
// minutes (by hand).
func TestCO2DecaysInAnEmptyRoom(t *testing.T) {
	cfg := floor()
	cfg.Interval = time.Minute
	cfg.Start = monday.Add(19 * time.Hour)
	cfg.End = monday.Add(24 * time.Hour)
	office := series(t, cfg)["Office"]
	last := 0
	for i := range office {
		if office[i].Values[reading.Occupancy] > 0 {
			last = i
		}
	}
	excess := func(i int) float64 {
		var sum float64
		for _, r := range office[i : i+5] {
			sum += r.Values[reading.CO2] - 420
		}
		return sum / 5
	}
	from := last + 2
	require.Greater(t, excess(from), 10.0)
	require.InDelta(t, math.Exp(-30/34.7), excess(from+30)/excess(from), 0.2)
}

func TestHumidityFallsAsItGetsWarmer(t *testing.T) {
	cfg := floor()
	cfg.Interval = 10 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 7)
	for kind, readings := range series(t, cfg) {
		if kind == "Server Room" {
			continue // one setpoint, day and night
		}
		require.Less(t, correlation(column(readings, reading.Temperature), column(readings, reading.Humidity)), -0.5, kind)
	}
}

func TestHeatingFollowsTheClock(t *testing.T) {
	cfg := floor()
	cfg.Interval = 5 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 14)
	office := series(t, cfg)["Office"]
	day := mean(office, reading.Temperature, hours(false, 10, 17))
	night := mean(office, reading.Temperature, hours(false, 2, 5))
	require.InDelta(t, 2.5, day-night, 1.5, "set back in a January night")
	warming := mean(office, reading.Temperature, hours(false, 6, 7))
	require.Greater(t, warming, night+0.3)
	require.Less(t, warming, day-0.3, "it takes its time")

	energy := func(keep func(time.Time) bool) float64 { return mean(office, reading.Energy, keep) }
	require.Greater(t, energy(hours(false, 10, 17)), 1.5*energy(hours(false, 0, 5)))
}

// Noise is small and remembers its predecessor: lag-one correlation 0.7 of the
// differences to the minute mean cannot be seen directly, but a night of one
// office has hardly anything else.
func TestNoiseIsSmallAndCorrelated(t *testing.T) {
	cfg := floor()
	cfg.Start, cfg.End = monday.Add(26*time.Hour), monday.Add(27*time.Hour)
	cfg.Interval = time.Second
	co2 := column(series(t, cfg)["Lobby"], reading.CO2)
	require.InDelta(t, 0.7, correlation(co2[:len(co2)-1], co2[1:]), 0.06)
	var sum, squares float64
	for _, v := range co2 {
		sum, squares = sum+v, squares+v*v
	}
	n := float64(len(co2))
	require.InDelta(t, 5, math.Sqrt(squares/n-sum*sum/n/n), 0.7)
}
