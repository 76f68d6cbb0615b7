package simulate_test

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

var update = flag.Bool("update", false, "rewrite golden files")

// monday is the start of a working week.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// portfolio is the default of the sensor_simulator input from monday on.
func portfolio() simulate.Config {
	return simulate.Config{
		Seed: 1, Buildings: 3, Floors: 4, RoomsPerFloor: 6, Location: time.UTC,
		Start: monday, Interval: 10 * time.Second, FaultShare: 0.05, FaultKinds: simulate.Faults(),
	}
}

// floor is one floor with one room of each type and no faults.
func floor() simulate.Config {
	cfg := portfolio()
	cfg.Buildings, cfg.Floors, cfg.FaultShare = 1, 1, 0
	return cfg
}

func run(t testing.TB, cfg simulate.Config, fn func(*simulate.Event)) *simulate.Simulator {
	t.Helper()
	s, err := simulate.New(cfg)
	require.NoError(t, err)
	for e := new(simulate.Event); s.Next(e); {
		fn(e)
	}
	return s
}

func lines(t testing.TB, cfg simulate.Config) []byte {
	t.Helper()
	var out []byte
	run(t, cfg, func(e *simulate.Event) {
		out = append(e.Reading.AppendJSON(out), '\n')
	})
	return out
}

func TestNewRefusesWrongConfig(t *testing.T) {
	for _, test := range []struct {
		name, errContains string
		change            func(*simulate.Config)
	}{
		{"default", "", func(*simulate.Config) {}},
		{"no buildings", "buildings must be 1 to 50000, got 0", func(c *simulate.Config) { c.Buildings = 0 }},
		{"no floors", "floors must be 1 to 50000, got -1", func(c *simulate.Config) { c.Floors = -1 }},
		{"no rooms", "rooms_per_floor must be 1 to 50000, got 0", func(c *simulate.Config) { c.RoomsPerFloor = 0 }},
		{"too many rooms", "must be at most 50000, got 500 × 100 × 2", func(c *simulate.Config) { c.Buildings, c.Floors, c.RoomsPerFloor = 500, 100, 2 }},
		{"no zone", "time_zone is missing", func(c *simulate.Config) { c.Location = nil }},
		{"no interval", "interval must be positive, got 0s", func(c *simulate.Config) { c.Interval = 0 }},
		{"odd interval", "whole number of milliseconds, got 1.5ms", func(c *simulate.Config) { c.Interval = 1500 * time.Microsecond }},
		{"no start", "start_time is missing", func(c *simulate.Config) { c.Start = time.Time{} }},
		{"old start", "start_time 1999-12-31T00:00:00Z must not be before", func(c *simulate.Config) { c.Start = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC) }},
		{"no time", "must be after start_time", func(c *simulate.Config) { c.End = c.Start }},
		{"negative count", "count must be 0 or more, got -1", func(c *simulate.Config) { c.Count = -1 }},
		{"negative share", "fault probability must be 0 to 1, got -0.1", func(c *simulate.Config) { c.FaultShare = -0.1 }},
		{"large share", "fault probability must be 0 to 1, got 1.1", func(c *simulate.Config) { c.FaultShare = 1.1 }},
		{"no kinds", "fault kinds must not be empty", func(c *simulate.Config) { c.FaultKinds = nil }},
		{"unknown kind", "unknown fault kind 0", func(c *simulate.Config) { c.FaultKinds = []simulate.Fault{simulate.Healthy} }},
		{"kind twice", `fault kinds must not repeat, got "stuck" twice`, func(c *simulate.Config) { c.FaultKinds = []simulate.Fault{simulate.Stuck, simulate.Stuck} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := portfolio()
			test.change(&cfg)
			_, err := simulate.New(cfg)
			if test.errContains == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.errContains)
		})
	}
}

func TestParseFault(t *testing.T) {
	for _, f := range simulate.Faults() {
		got, err := simulate.ParseFault(f.String())
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
	_, err := simulate.ParseFault("healthy")
	require.ErrorContains(t, err, `unknown fault kind "healthy", want one of overheating, `)
}

func TestPortfolioNames(t *testing.T) {
	cfg := portfolio()
	cfg.End = monday.Add(cfg.Interval)
	cfg.FaultShare = 0
	rooms := map[string]reading.Reading{}
	kinds := map[string]int{}
	run(t, cfg, func(e *simulate.Event) {
		rooms[e.Reading.SensorID] = e.Reading
		kinds[e.Reading.RoomType]++
	})
	require.Len(t, rooms, 3*4*6)
	require.Equal(t, map[string]int{
		"Office": 12, "Conference Room": 12, "Lobby": 12, "Cafeteria": 12, "Server Room": 12, "Warehouse": 12,
	}, kinds)

	office := rooms["bldg-a-f1-office-101"]
	require.Equal(t, "BuildingA-Floor1-Office-101", office.RoomID)
	require.Equal(t, "Building A", office.Building)
	require.Equal(t, "Floor 1", office.Floor)
	require.Equal(t, "Office", office.RoomType)
	require.Equal(t, "BuildingC-Floor4-ServerRoom-405", rooms["bldg-c-f4-server-room-405"].RoomID)
}

func TestLayoutGrowsAroundItsRooms(t *testing.T) {
	small, large := floor(), floor()
	small.End = monday.Add(10 * time.Hour)
	large.End = small.End
	small.Interval, large.Interval = time.Hour, time.Hour
	large.Buildings, large.Floors, large.RoomsPerFloor = 30, 2, 8

	values := func(cfg simulate.Config) map[string][]float64 {
		all := map[string][]float64{}
		run(t, cfg, func(e *simulate.Event) {
			all[e.Reading.SensorID] = append(all[e.Reading.SensorID], e.Reading.Values[reading.Occupancy])
		})
		return all
	}
	before, after := values(small), values(large)
	require.Len(t, after, 30*2*8)
	require.Contains(t, after, "bldg-ad-f2-conference-room-208") // 26 letters, then two
	// The first sensor keeps its place in the interval; the others change it, and
	// with it the instants at which they count people.
	require.Equal(t, before["bldg-a-f1-office-101"], after["bldg-a-f1-office-101"])
	for id := range before {
		require.Contains(t, after, id)
	}
}

func TestSameConfigSameStream(t *testing.T) {
	cfg := portfolio()
	cfg.Count = 20_000
	cfg.FaultShare = 0.3
	first := lines(t, cfg)
	require.True(t, bytes.Equal(first, lines(t, cfg)))

	cfg.Seed++
	require.False(t, bytes.Equal(first, lines(t, cfg)))
}

func TestFirstReadings(t *testing.T) {
	cfg := portfolio()
	cfg.Start = monday.Add(9*time.Hour + 30*time.Minute)
	cfg.Count = 72
	got := lines(t, cfg)
	const golden = "testdata/first_readings.jsonl"
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// A simulator that starts later, at an instant of no significance, goes on with
// the same readings and the same faults.
func TestLaterStartGoesOnWithTheSameReadings(t *testing.T) {
	early := portfolio()
	early.FaultShare = 0.3
	early.Interval = time.Minute
	early.End = monday.Add(48 * time.Hour)
	late := early
	late.Start = monday.Add(31*time.Hour + 17*time.Minute + 3*time.Second + 1234*time.Microsecond)

	var want []simulate.Event
	run(t, early, func(e *simulate.Event) {
		if !e.Reading.Time.Before(late.Start) {
			want = append(want, *e)
		}
	})
	var i int
	run(t, late, func(e *simulate.Event) {
		require.Less(t, i, len(want))
		require.Equal(t, want[i], *e)
		i++
	})
	require.Equal(t, len(want), i)
	require.Greater(t, i, 50_000)
}

func TestReadingsComeInOrderOnAGrid(t *testing.T) {
	cfg := portfolio()
	cfg.Start = monday.Add(1500 * time.Microsecond)
	cfg.End = monday.Add(10 * time.Minute)
	cfg.FaultShare = 0
	last := map[string]time.Time{}
	var previous time.Time
	var count int
	run(t, cfg, func(e *simulate.Event) {
		at := e.Reading.Time
		require.False(t, at.Before(cfg.Start))
		require.True(t, at.Before(cfg.End))
		require.Zero(t, at.Nanosecond()%int(time.Millisecond))
		require.Equal(t, time.UTC, at.Location())
		if !previous.IsZero() {
			// 10 s over 72 sensors, in whole milliseconds.
			require.InDelta(t, 138.9, float64(at.Sub(previous).Milliseconds()), 1)
		}
		if before, ok := last[e.Reading.SensorID]; ok {
			require.Equal(t, cfg.Interval, at.Sub(before))
		}
		previous, last[e.Reading.SensorID] = at, at
		count++
	})
	// 60 intervals of 72 sensors, less the one reading on the full minute.
	require.Equal(t, 60*72-1, count)
}

func TestCountEndsTheStream(t *testing.T) {
	cfg := portfolio()
	cfg.Count = 1000
	cfg.FaultShare = 0.2
	var count int
	s := run(t, cfg, func(*simulate.Event) { count++ })
	require.Equal(t, 1000, count)
	require.Equal(t, 72, s.Sensors())
	require.False(t, s.Next(new(simulate.Event)), "the end is final")
}

// What decodes is what was made, so that a carried reading and one that went
// through Kafka are the same.
func TestReadingsSurviveTheWire(t *testing.T) {
	cfg := portfolio()
	cfg.Count = 5000
	cfg.FaultShare = 0.3
	dec := reading.NewDecoder(func() time.Time { return monday.AddDate(0, 0, 1) })
	run(t, cfg, func(e *simulate.Event) {
		got, err := dec.Decode(e.Reading.AppendJSON(nil))
		require.NoError(t, err)
		require.Equal(t, e.Reading, *got)
	})
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name                 string
		celsius, co2, energy float64
		serviced             bool
		want                 string
	}{
		{"normal", 21, 600, 40, false, "Normal"},
		{"on the limits of warning", 30, 1000, 200, false, "Normal"},
		{"warm", 30.01, 600, 40, false, "Warning"},
		{"stale", 21, 1000.1, 40, false, "Warning"},
		{"hungry", 21, 600, 200.01, false, "Warning"},
		{"on the limits of critical", 35, 1500, 40, false, "Warning"},
		{"hot", 35.01, 600, 40, false, "Critical"},
		{"choking", 21, 1500.1, 40, false, "Critical"},
		{"much energy is no danger", 21, 600, 900, false, "Warning"},
		{"serviced", 21, 600, 40, true, "Maintenance"},
		{"serviced and hot", 36, 600, 40, true, "Critical"},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := [reading.NumMetrics]float64{
				reading.Temperature: test.celsius, reading.CO2: test.co2, reading.Energy: test.energy,
			}
			require.Equal(t, test.want, simulate.Status(&values, test.serviced))
		})
	}
}
