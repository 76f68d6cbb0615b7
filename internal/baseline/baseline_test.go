package baseline_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/baseline"
	"buildmon/internal/testheap"
)

// A Monday.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

var usual = baseline.DriftConfig{Outdoor: 420, Tolerance: 60}

// observed is what is found in days of readings each ten minutes: a room that fills by
// day, whose sensor is off by what the day says.
func observed(t *testing.T, d *baseline.Floors, from, days int, off func(day int) float64) (first, last int, reports int, found baseline.Drift) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(from)))
	first, last = -1, -1
	for i := from * 144; i < (from+days)*144; i++ {
		v := 425 + 5*rng.NormFloat64() + off(i/144)
		if h := i / 6 % 24; h >= 8 && h < 18 {
			v += 300
		}
		if f, ok := d.Observe("office", start.Add(time.Duration(i)*10*time.Minute), v); ok {
			found, last = f, i/144
			if first < 0 {
				first = last
			}
			if !f.Continues {
				reports++
			}
		}
	}
	return first, last, reports, found
}

func TestDriftIsReportedOnce(t *testing.T) {
	d := baseline.NewFloors(usual)
	first, last, reports, found := observed(t, d, 0, 20, func(day int) float64 { return 35 * float64(max(day-8, 0)) })
	// From day 9 on 35 ppm more a day: the floors of days 10 to 12 are all 70 or more
	// too high, which is known when day 12 is over.
	assert.Equal(t, 13, first)
	assert.Equal(t, 19, last, "until the end")
	assert.Equal(t, 1, reports)
	assert.InDelta(t, 420, found.Usual, 15)
	assert.InDelta(t, 425+35*8, found.Low, 15)
	assert.Greater(t, found.Days, 5)
	assert.Greater(t, found.Strength, 0.8)

	// It is over when the sensor has been calibrated.
	_, last, reports, _ = observed(t, d, 20, 5, func(int) float64 { return 0 })
	assert.Equal(t, 20, last)
	assert.Zero(t, reports)
}

func TestDriftDownwards(t *testing.T) {
	d := baseline.NewFloors(usual)
	_, _, reports, found := observed(t, d, 0, 20, func(day int) float64 { return -20 * float64(max(day-8, 0)) })
	assert.Equal(t, 1, reports)
	assert.Less(t, found.High, found.Usual-60)
}

// Nothing need be known of a sensor that says less than there can be.
func TestLessThanOutdoors(t *testing.T) {
	d := baseline.NewFloors(usual)
	first, _, reports, found := observed(t, d, 0, 5, func(int) float64 { return -100 })
	assert.Equal(t, 3, first)
	assert.Equal(t, 1, reports)
	assert.True(t, math.IsNaN(found.Usual))
}

func TestNoDrift(t *testing.T) {
	f := func(name string, off func(day int) float64) {
		t.Helper()
		_, _, reports, _ := observed(t, baseline.NewFloors(usual), 0, 40, off)
		assert.Zero(t, reports, name)
	}
	f("steady", func(int) float64 { return 0 })
	f("a room that is never empty", func(int) float64 { return 200 })
	f("weekends are aired better", func(day int) float64 {
		if day%7 < 5 {
			return 40
		}
		return 0
	})
	f("two days", func(day int) float64 {
		if day == 20 || day == 21 {
			return 150
		}
		return 0
	})
}

// A new floor is accepted after four weeks.
func TestNewFloorIsAcceptedInTheEnd(t *testing.T) {
	_, last, reports, _ := observed(t, baseline.NewFloors(usual), 0, 60, func(day int) float64 { return map[bool]float64{true: 120}[day >= 10] })
	assert.Equal(t, 1, reports)
	assert.InDelta(t, 10+3+28, last, 2)
}

// people are in a room of a kind from 8 to 18 o'clock on work days.
func people(at time.Time) float64 {
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday || at.Hour() < 8 || at.Hour() >= 18 {
		return 0
	}
	return 3
}

// seen is what is found in two rooms that are used like that, one of them in addition
// at some times.
func seen(p *baseline.Presence, from, days int, extra func(at time.Time) float64) (uses []time.Time, continued int, last baseline.Use) {
	for i := from * 288; i < (from+days)*288; i++ {
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		p.Observe("other", "Office", at, people(at))
		use, ok := p.Observe("office", "Office", at, max(people(at), extra(at)))
		switch {
		case ok && use.Continues:
			continued++
		case ok:
			uses, last = append(uses, at), use
		}
	}
	return uses, continued, last
}

func between(a, b time.Time) func(time.Time) float64 {
	return func(at time.Time) float64 {
		if at.Before(a) || !at.Before(b) {
			return 0
		}
		return 2
	}
}

func TestUseAtNightIsReportedOnce(t *testing.T) {
	p := baseline.NewPresence(time.UTC)
	night := start.AddDate(0, 0, 15).Add(2*time.Hour + 30*time.Minute)
	uses, continued, use := seen(p, 0, 16, between(night, night.Add(90*time.Minute)))
	require.Equal(t, []time.Time{night.Add(5 * time.Minute)}, uses, "after five minutes")
	assert.Equal(t, 16, continued, "the rest of an hour and a half")
	assert.False(t, use.Weekend)
	assert.Equal(t, 11, use.Hours, "work days before")
	assert.GreaterOrEqual(t, use.Strength, 0.5)

	// The second night is as odd as the first.
	night = night.AddDate(0, 0, 1)
	uses, _, _ = seen(p, 16, 1, between(night, night.Add(time.Hour)))
	assert.Len(t, uses, 1)
}

func TestHabitsAreNotReported(t *testing.T) {
	never := func(time.Time) float64 { return 0 }
	uses, _, _ := seen(baseline.NewPresence(time.UTC), 0, 21, never)
	assert.Empty(t, uses)

	// A cleaner who comes each work day at 20 o'clock is known from the start.
	uses, _, _ = seen(baseline.NewPresence(time.UTC), 0, 21, func(at time.Time) float64 {
		if d := at.Weekday(); at.Hour() == 20 && d != time.Saturday && d != time.Sunday {
			return 1
		}
		return 0
	})
	assert.Empty(t, uses)

	// One who begins later is reported for some nights.
	uses, _, _ = seen(baseline.NewPresence(time.UTC), 0, 60, func(at time.Time) float64 {
		if at.Hour() == 20 && at.After(start.AddDate(0, 0, 14)) {
			return 1
		}
		return 0
	})
	assert.NotEmpty(t, uses)
	assert.Less(t, len(uses), 25)

	// A glance of a motion sensor is no use.
	uses, _, _ = seen(baseline.NewPresence(time.UTC), 0, 16, between(start.AddDate(0, 0, 15), start.AddDate(0, 0, 15).Add(5*time.Minute)))
	assert.Empty(t, uses)
}

// after is what is found in six rooms of a kind in days, when one of them is used for
// an hour.
func after(days int, usual func(room int, at time.Time) float64, at time.Time) int {
	p := baseline.NewPresence(time.UTC)
	found := 0
	for i := range days * 288 {
		now := start.Add(time.Duration(i) * 5 * time.Minute)
		for room := range 6 {
			people := usual(room, now)
			if room == 0 {
				people = max(people, between(at, at.Add(time.Hour))(now))
			}
			if use, ok := p.Observe("room-"+strconv.Itoa(room), "Office", now, people); ok && !use.Continues {
				found++
			}
		}
	}
	return found
}

// In which nobody keeps hours, a visit is never after hours.
func TestRoomsThatAreVisitedAtAnyTime(t *testing.T) {
	night := start.AddDate(0, 0, 15).Add(2 * time.Hour)
	office := func(_ int, at time.Time) float64 { return people(at) }
	assert.Equal(t, 1, after(16, office, night))
	assert.Zero(t, after(16, visit, night))
}

// visit is somebody in one hour of each day, from eight to seven, another in each room.
func visit(room int, at time.Time) float64 {
	if at.Hour() == 8+(room+at.YearDay())%12 {
		return 1
	}
	return 0
}

// Somebody may well come on a weekend when others work on work days: more must be known
// before that is odd.
func TestOvertime(t *testing.T) {
	office := func(_ int, at time.Time) float64 { return people(at) }
	f := func(want, days int, clock time.Duration) {
		t.Helper()
		assert.Equal(t, want, after(days+1, office, start.AddDate(0, 0, days).Add(clock)))
	}
	const secondSunday, fourthSaturday = 13, 26
	f(0, secondSunday, 10*time.Hour)
	f(1, secondSunday, 2*time.Hour)
	f(1, fourthSaturday, 10*time.Hour)
}

// At midnight in New York it is not yet the weekend that has begun in UTC.
func TestHoursAreThoseOfTheZone(t *testing.T) {
	zone := time.FixedZone("New York", -5*3600)
	p := baseline.NewPresence(zone)
	begin := start.Add(5 * time.Hour)
	friday := begin.AddDate(0, 0, 18).Add(22 * time.Hour)
	var uses []baseline.Use
	for i := range 19 * 288 {
		at := begin.Add(time.Duration(i) * 5 * time.Minute)
		p.Observe("other", "Office", at, people(at.In(zone)))
		if use, ok := p.Observe("office", "Office", at, max(people(at.In(zone)), between(friday, friday.Add(time.Hour))(at))); ok && !use.Continues {
			uses = append(uses, use)
		}
	}
	require.Len(t, uses, 1)
	assert.False(t, uses[0].Weekend)
}

func TestStatesComeBack(t *testing.T) {
	drifting := func(day int) float64 { return 30 * float64(max(day-8, 0)) }
	d := baseline.NewFloors(usual)
	observed(t, d, 0, 15, drifting)
	state, err := d.AppendBinary(nil)
	require.NoError(t, err)
	again := baseline.NewFloors(usual)
	require.NoError(t, again.UnmarshalBinary(state))
	first, last, reports, found := observed(t, d, 15, 3, drifting)
	first2, last2, reports2, found2 := observed(t, again, 15, 3, drifting)
	assert.Equal(t, []any{first, last, reports, found}, []any{first2, last2, reports2, found2})
	assert.Zero(t, reports, "it was reported before the restart")

	p := baseline.NewPresence(time.UTC)
	night := start.AddDate(0, 0, 15)
	seen(p, 0, 15, between(night, night))
	state, err = p.AppendBinary(nil)
	require.NoError(t, err)
	restored := baseline.NewPresence(time.UTC)
	require.NoError(t, restored.UnmarshalBinary(state))
	uses, _, _ := seen(restored, 15, 1, between(night, night.Add(time.Hour)))
	assert.Len(t, uses, 1)

	require.ErrorContains(t, again.UnmarshalBinary(state), "baseline")
	for n := range state {
		require.Error(t, restored.UnmarshalBinary(state[:n]))
	}
}

func TestOddReadings(t *testing.T) {
	d := baseline.NewFloors(usual)
	p := baseline.NewPresence(time.UTC)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1e300, 1e300, 0} {
		for _, at := range []time.Time{start, start, start.Add(-time.Hour), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), start.AddDate(100, 0, 0)} {
			d.Observe("a", at, v)
			p.Observe("a", "", at, v)
		}
	}
}

// The figures that the documentation gives: of sensors that are new, and that were known
// for weeks.
func TestMemory(t *testing.T) {
	for _, test := range []struct {
		hours int
		most  float64
	}{{24, 350}, {35 * 24, 600}} {
		const sensors = 1000
		each := testheap.Bytes(func() any {
			d, p := baseline.NewFloors(usual), baseline.NewPresence(time.UTC)
			for i := range sensors {
				id := "sensor-" + strconv.Itoa(i)
				for hour := range test.hours {
					at := start.Add(time.Duration(hour) * time.Hour)
					d.Observe(id, at, 420)
					p.Observe(id, "Office", at, 0)
				}
			}
			return []any{d, p}
		}) / sensors
		t.Logf("%.0f bytes for a sensor of %d hours", each, test.hours)
		assert.Less(t, each, test.most)
	}
}

func BenchmarkObserve(b *testing.B) {
	d, p := baseline.NewFloors(usual), baseline.NewPresence(time.UTC)
	at := start
	id := "office"
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Minute)
		d.Observe(id, at, 500)
		p.Observe(id, "Office", at, people(at))
	}
}
