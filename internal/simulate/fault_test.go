package simulate_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// twins runs a portfolio with and without its faults and calls fn for each
// instant of each sensor. Draws do not depend on each other, so the healthy twin
// shows what would have been; the faulty one is nil when its sensor is silent.
func twins(t *testing.T, cfg simulate.Config, fn func(faulty, healthy *simulate.Event)) {
	t.Helper()
	faulty, err := simulate.New(cfg)
	require.NoError(t, err)
	cfg.FaultShare = 0
	var f simulate.Event
	more := faulty.Next(&f)
	run(t, cfg, func(h *simulate.Event) {
		if !more || f.Reading.Identity() != h.Reading.Identity() {
			fn(nil, h)
			return
		}
		fn(&f, h)
		more = faulty.Next(&f)
	})
	require.False(t, more)
}

func TestShareOfFaultsInTheLongRun(t *testing.T) {
	for _, share := range []float64{0.05, 0.3, 1} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			cfg := portfolio()
			cfg.FaultShare = share
			// One that lasts for weeks varies too much, and another comes only at night.
			cfg.FaultKinds = slices.DeleteFunc(simulate.Faults(), func(k simulate.Fault) bool { return k == simulate.CO2Drift || k == simulate.NightUse })
			cfg.Interval = 30 * time.Minute
			cfg.End = cfg.Start.AddDate(0, 0, 60)
			var total int64
			kinds := map[simulate.Fault]int64{}
			s := run(t, cfg, func(e *simulate.Event) {
				total++
				kinds[e.Truth.Fault]++
			})
			for _, k := range []simulate.Fault{simulate.Dropout, simulate.GatewayFailure} {
				kinds[k] = s.Silent(k)
				total += s.Silent(k)
			}
			require.EqualValues(t, 72*60*48, total)
			// 72 sensors over 60 days have about 60 episodes of drift at 5 %, so its
			// share varies by 13 %; that of all kinds together varies by 2.5 %.
			require.InEpsilon(t, share, float64(total-kinds[simulate.Healthy])/float64(total), 0.06)
			for _, k := range cfg.FaultKinds {
				require.InEpsilon(t, share/8, float64(kinds[k])/float64(total), 0.35, k.String())
			}
		})
	}
}

func TestNoFaultsWithoutProbability(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0, nil
	cfg.Count = 100_000
	s := run(t, cfg, func(e *simulate.Event) { require.Equal(t, simulate.Healthy, e.Truth.Fault) })
	require.Zero(t, s.Silent(simulate.Dropout)+s.Silent(simulate.GatewayFailure))
}

// Each fault shows in the metric that it names, by no less than the given
// amount, and leaves alone what it has nothing to do with. Healthy readings of a
// portfolio with faults are those of one without.
func TestFaultsShowWhereTheySayTheyAre(t *testing.T) {
	atLeast := map[simulate.Fault]float64{
		simulate.Overheating:          0.4 * 13, // °C
		simulate.HumiditySpike:        0.4 * 30, // %
		simulate.VentilationFailure:   0.4 * 900,
		simulate.EquipmentMalfunction: 0.4 * 150,
		simulate.NightUse:             1.1, // person
	}
	cfg := portfolio()
	cfg.FaultShare = 0.3
	cfg.Interval = time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 4)
	seen := map[simulate.Fault]int{}
	twins(t, cfg, func(f, h *simulate.Event) {
		if f == nil {
			seen[simulate.Dropout]++ // or the gateway, which nobody can tell
			return
		}
		seen[f.Truth.Fault]++
		if f.Truth.Fault == simulate.Healthy {
			require.Equal(t, h.Reading, f.Reading)
			return
		}
		touched := map[reading.Metric]bool{f.Truth.Metric: true}
		for _, m := range f.Truth.Fault.Also() {
			touched[m] = true
		}
		for m := range f.Reading.Values {
			change := f.Reading.Values[m] - h.Reading.Values[m]
			if !touched[reading.Metric(m)] {
				require.Zero(t, change, "%s of %s", reading.Metric(m), f.Truth.Fault)
			}
			if least, ok := atLeast[f.Truth.Fault]; ok && f.Truth.Metric == reading.Metric(m) {
				require.GreaterOrEqual(t, change, least-0.1, f.Truth.Fault.String())
			}
		}
	})
	for _, k := range simulate.Faults() {
		if k != simulate.GatewayFailure {
			require.Greater(t, seen[k], 1000, k.String())
		}
	}
}

// episodesOf collects runs of consecutive readings of one sensor with one fault.
func episodesOf(t *testing.T, kind simulate.Fault, days int) [][]simulate.Event {
	t.Helper()
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.2, []simulate.Fault{kind}
	cfg.Interval = time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, days)
	var done [][]simulate.Event
	open := map[string][]simulate.Event{}
	run(t, cfg, func(e *simulate.Event) {
		id := e.Reading.SensorID
		if e.Truth.Fault == kind {
			open[id] = append(open[id], *e)
			return
		}
		if len(open[id]) > 0 {
			done = append(done, open[id])
			delete(open, id)
		}
	})
	return done
}

func TestStuckKeepsItsValue(t *testing.T) {
	var still, steps int
	metrics := map[reading.Metric]int{}
	for _, e := range episodesOf(t, simulate.Stuck, 3) {
		metrics[e[0].Truth.Metric]++
		for i := 1; i < len(e); i++ {
			steps++
			if e[i].Truth.Metric == e[i-1].Truth.Metric && e[i].Reading.Values[e[i].Truth.Metric] == e[i-1].Reading.Values[e[i].Truth.Metric] {
				still++
			}
		}
	}
	// One episode may follow another at once, with a value of its own.
	require.Greater(t, float64(still)/float64(steps), 0.99)
	require.Len(t, metrics, 3)
}

func TestStuckKeepsAPlausibleValue(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.2, []simulate.Fault{simulate.Stuck}
	cfg.Interval = time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 2)
	before := map[string]simulate.Event{}
	var checked int
	run(t, cfg, func(e *simulate.Event) {
		if p, ok := before[e.Reading.SensorID]; ok && e.Truth.Fault == simulate.Stuck && p.Truth.Fault == simulate.Healthy {
			near := [...]float64{reading.Temperature: 0.5, reading.Humidity: 3, reading.CO2: 60}[e.Truth.Metric]
			require.InDelta(t, p.Reading.Values[e.Truth.Metric], e.Reading.Values[e.Truth.Metric], near)
			checked++
		}
		before[e.Reading.SensorID] = *e
	})
	require.Greater(t, checked, 50)
}

func TestCO2DriftTakesDays(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.2, []simulate.Fault{simulate.CO2Drift}
	cfg.Interval = time.Hour
	cfg.End = cfg.Start.AddDate(0, 0, 60)
	since := map[string]time.Time{}
	var up, down, longest float64
	twins(t, cfg, func(f, h *simulate.Event) {
		id := f.Reading.SensorID
		if f.Truth.Fault == simulate.Healthy {
			delete(since, id)
			return
		}
		if since[id].IsZero() {
			since[id] = f.Reading.Time
		}
		off := f.Reading.Values[reading.CO2] - h.Reading.Values[reading.CO2]
		if f.Reading.Values[reading.CO2] > 0 {
			require.LessOrEqual(t, math.Abs(off), 40*60.0)
		}
		up, down = max(up, off), min(down, off)
		longest = max(longest, f.Reading.Time.Sub(since[id]).Hours())
	})
	require.Greater(t, up, 20*10.0)
	require.Less(t, down, -20*10.0)
	require.Greater(t, longest, 24*7.0)
}

// Night begins and ends on the hour, and rooms of servers have none.
func TestNightUseIsAtNight(t *testing.T) {
	cfg := portfolio()
	cfg.Location = time.FixedZone("half an hour", 30*60)
	cfg.FaultShare, cfg.FaultKinds = 0.2, []simulate.Fault{simulate.NightUse}
	cfg.Interval = 10 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 10)
	n := 0
	run(t, cfg, func(e *simulate.Event) {
		if e.Truth.Fault == simulate.NightUse {
			n++
			hour := e.Reading.Time.In(cfg.Location).Hour()
			require.True(t, hour >= 22 || hour < 5, e.Reading.Time)
			require.NotEqual(t, "Server Room", e.Reading.RoomType)
			require.Positive(t, e.Reading.Values[reading.Occupancy])
		}
	})
	require.Greater(t, n, 1000)
}

func TestDriftIsSlow(t *testing.T) {
	perHour := [...]float64{reading.Temperature: 0.5, reading.Humidity: 1.8, reading.CO2: 18}
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.2, []simulate.Fault{simulate.Drift}
	cfg.Interval = 10 * time.Minute
	cfg.End = cfg.Start.AddDate(0, 0, 30)
	before := map[string]float64{}
	var up, down, largest float64
	twins(t, cfg, func(f, h *simulate.Event) {
		id, m := f.Reading.SensorID, f.Truth.Metric
		if f.Truth.Fault == simulate.Healthy {
			delete(before, id)
			return
		}
		off := (f.Reading.Values[m] - h.Reading.Values[m]) / perHour[m] // hours of drift
		if last, ok := before[id]; ok && math.Abs(off) > 1 && off*last > 0 && math.Abs(off) > math.Abs(last) {
			require.InDelta(t, 1.0/6, math.Abs(off-last), 0.07, "%s of %s", m, id)
		}
		before[id] = off
		largest = max(largest, math.Abs(off))
		up, down = max(up, off), min(down, off)
	})
	require.Greater(t, up, 12.0)
	require.Less(t, down, -12.0)
	require.Less(t, largest, 1.8*12+0.2, "episodes last at most 1.8 times their mean")
}

func TestDropoutIsSilence(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.1, []simulate.Fault{simulate.Dropout}
	cfg.End = cfg.Start.Add(24 * time.Hour)
	last := map[string]time.Time{}
	var gaps int
	var missing int64
	s := run(t, cfg, func(e *simulate.Event) {
		require.Equal(t, simulate.Healthy, e.Truth.Fault, "those that speak are well")
		if before, ok := last[e.Reading.SensorID]; ok {
			if gap := e.Reading.Time.Sub(before); gap != cfg.Interval {
				require.GreaterOrEqual(t, gap, 5*time.Minute)
				gaps++
				missing += int64(gap/cfg.Interval) - 1
			}
		}
		last[e.Reading.SensorID] = e.Reading.Time
	})
	require.Greater(t, gaps, 50)
	require.LessOrEqual(t, missing, s.Silent(simulate.Dropout))
	require.InDelta(t, 0.1, float64(s.Silent(simulate.Dropout))/(72*8640), 0.03)
}

// Sensors of a floor fall silent together, and those of other floors go on.
func TestGatewayFailureSilencesAFloor(t *testing.T) {
	cfg := portfolio()
	cfg.FaultShare, cfg.FaultKinds = 0.1, []simulate.Fault{simulate.GatewayFailure}
	cfg.Interval = time.Minute
	cfg.End = cfg.Start.Add(48 * time.Hour)
	spoke := map[string]map[int64]int{} // by floor and minute
	s := run(t, cfg, func(e *simulate.Event) {
		floor := e.Reading.Building + e.Reading.Floor
		if spoke[floor] == nil {
			spoke[floor] = map[int64]int{}
		}
		spoke[floor][e.Reading.Time.Unix()/60]++
	})
	require.InDelta(t, 0.1, float64(s.Silent(simulate.GatewayFailure))/(72*2880), 0.05)
	var silent, partial int
	for _, minutes := range spoke {
		for m := cfg.Start.Unix() / 60; m < cfg.End.Unix()/60; m++ {
			switch minutes[m] {
			case 0:
				silent++
			case cfg.RoomsPerFloor:
			default:
				partial++
			}
		}
	}
	require.Greater(t, silent, 500)
	require.Less(t, partial, silent/10, "only at the edges")
}

func TestFaultsRaiseTheStatus(t *testing.T) {
	for _, test := range []struct {
		kind simulate.Fault
		want []string
	}{
		{simulate.Overheating, []string{simulate.StatusWarning, simulate.StatusCritical}},
		{simulate.VentilationFailure, []string{simulate.StatusWarning, simulate.StatusCritical}},
		{simulate.EquipmentMalfunction, []string{simulate.StatusWarning}},
	} {
		status := map[string]int{}
		for _, e := range episodesOf(t, test.kind, 1) {
			for i := range e {
				status[e[i].Reading.Status]++
			}
		}
		for _, want := range test.want {
			require.NotZero(t, status[want], "%s during %s", want, test.kind)
		}
	}
}
