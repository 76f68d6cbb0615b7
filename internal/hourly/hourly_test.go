package hourly_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/codec"
	"buildmon/internal/hourly"
)

func TestSlot(t *testing.T) {
	f := func(at string, hour24, place int) {
		t.Helper()
		when, err := time.Parse(time.DateTime, at)
		require.NoError(t, err)
		h, p := hourly.Slot(when.UnixMicro())
		assert.Equal(t, hour24, h)
		assert.Equal(t, place, p)
	}

	f("2026-01-05 00:00:00", 0, 0) // a Monday
	f("2026-01-09 23:59:59", 23, 23)
	f("2026-01-10 00:00:00", 0, 24) // a Saturday
	f("2026-01-11 13:30:00", 13, 37)
	f("1969-12-31 23:59:59", 23, 23) // a Wednesday
	f("1969-12-28 05:00:00", 5, 29)  // a Sunday
}

func TestAlike(t *testing.T) {
	f := func(from, to string, want time.Duration) {
		t.Helper()
		a, err := time.Parse(time.DateTime, from)
		require.NoError(t, err)
		b, err := time.Parse(time.DateTime, to)
		require.NoError(t, err)
		assert.Equal(t, want, time.Duration(hourly.Alike(a.UnixMicro(), b.UnixMicro()))*time.Microsecond)
	}

	const day = 24 * time.Hour
	f("2026-01-05 00:00:00", "2026-01-05 00:00:00", 0) // a Monday
	f("2026-01-05 06:00:00", "2026-01-08 12:00:00", 3*day+6*time.Hour)
	f("2026-01-05 06:00:00", "2026-01-10 00:00:00", 0)
	f("2026-01-05 06:00:00", "2026-01-11 12:00:00", day+12*time.Hour)
	f("2026-01-05 06:00:00", "2026-01-12 06:00:00", 5*day)
	f("2026-01-10 18:00:00", "2026-01-24 06:00:00", 3*day+12*time.Hour)
	f("1969-12-27 12:00:00", "1970-01-02 00:00:00", 4*day) // a Saturday and a Friday
}

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixMicro()

const minute, hour = 60 * 1_000_000, 3600 * 1_000_000

// daily is 100 at noon and 20 at midnight.
func daily(at int64) float64 {
	return 60 - 40*math.Cos(2*math.Pi*float64(at-start)/float64(24*hour))
}

func number(at int64) int64 { return hourly.Number(at) }

func TestBaselineKnowsTheHoursOfEarlierDays(t *testing.T) {
	var b hourly.Baseline
	require.True(t, math.IsNaN(b.Expect(number(start))))
	for at := start; at < start+24*hour; at += minute {
		b.Learn(number(at), daily(at))
	}
	for at := start + 24*hour; at < start+5*24*hour; at += 10 * minute {
		// The mean of an hour lies within half of what the value moves in it.
		require.InDelta(t, daily(at), b.Expect(number(at)), 40*2*math.Pi/24/2+0.1)
		b.Learn(number(at), daily(at))
	}
	saturday := start + 5*24*hour
	require.InDelta(t, 60, b.Expect(number(saturday)), 1, "no weekend yet: the mean of all hours")
}

// By hand: until an hour is over, the first value; then the mean of hours that are known.
func TestBaselineInItsFirstHours(t *testing.T) {
	var b hourly.Baseline
	b.Learn(0, 10)
	b.Learn(0, 20)
	assert.Equal(t, 10.0, b.Expect(0))
	assert.Equal(t, 10.0, b.Expect(5))
	b.Learn(1, 27)
	assert.Equal(t, 15.0, b.Expect(1))
	b.Learn(2, 0)
	assert.Equal(t, (15.0+27)/2, b.Expect(2))
	assert.Equal(t, 15.0, b.Expect(24), "the same hour of the next day")
	assert.Equal(t, 27.0, b.Expect(25))
}

// An hour that is far off moves the mean by little, a new level within days.
func TestBaselineIsRobustAndFollows(t *testing.T) {
	var b hourly.Baseline
	at := start
	expect := func() float64 { return b.Expect(number(at) + 12) }
	days := func(n int, v float64) {
		for end := at + int64(n)*24*hour; at < end; at += hour {
			b.Learn(number(at), v+float64(at/hour%3)) // errors of about 1
		}
	}
	days(4, 10)
	assert.InDelta(t, 11, expect(), 1)
	days(1, 1010)
	at += 2 * 24 * hour // a weekend
	assert.Less(t, expect(), 40.0)
	days(19, 50)
	assert.InDelta(t, 51, expect(), 5)

	// What never moved follows too.
	b = hourly.Baseline{}
	for n := range int64(24 * 40) {
		v := 5.0
		if n >= 24*5 {
			v = 6
		}
		b.Learn(n, v)
	}
	assert.InDelta(t, 6, b.Expect(24*40), 0.1)
}

func TestBaselineComesBack(t *testing.T) {
	var b, restored hourly.Baseline
	require.GreaterOrEqual(t, len(b.Append(nil)), hourly.MinBytes)
	for at := start; at < start+9*24*hour; at += 7 * minute {
		b.Learn(number(at), daily(at))
		if at%hour == 0 {
			r := codec.NewReader(b.Append(codec.AppendHeader(nil, "b", 1)), "b", 1)
			restored.Read(r)
			require.NoError(t, r.Close())
			require.Equal(t, b, restored)
		}
	}
}
