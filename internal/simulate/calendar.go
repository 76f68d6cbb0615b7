package simulate

import (
	"math"
	"time"
)

// moment is what all rooms have in common in one minute: the calendar, the
// weather, and how full each kind of room is expected to be.
type moment struct {
	second  int64 // Unix time
	day     int64 // local days since 1970-01-01
	weekday time.Weekday
	minute  int // of the local day

	outdoor  float64 // °C
	vapour   float64 // hPa, outdoors
	cold     float64 // 0 on a warm day to 1 in frost: how far unheated rooms cool down
	expected [numKinds]float64
	inUse    [numKinds]bool // lights, plant and setpoint of working hours
}

func momentAt(seed uint64, loc *time.Location, tick int64) moment {
	second := tick * tickSeconds
	local := time.Unix(second, 0).In(loc)
	year, month, dayOfMonth := local.Date()
	m := moment{
		second:  second,
		day:     time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / 86400,
		weekday: local.Weekday(),
		minute:  local.Hour()*60 + local.Minute(),
	}
	hour := float64(m.minute) / 60

	// A temperate climate of the northern hemisphere: warmest at the end of July
	// and at three in the afternoon, with fronts that pass in a day or two. Chosen.
	const day = 86400
	m.outdoor = 11 +
		9*math.Cos(2*math.Pi*float64(local.YearDay()-208)/365.25) +
		4*math.Cos(2*math.Pi*(hour-15)/24) +
		3*smooth(seed, streamWeather, second, 1.5*day)
	m.vapour = 0.7 * saturation(m.outdoor)
	m.cold = min(max((18-m.outdoor)/15, 0), 1)

	for k := range roomKinds {
		m.expected[k] = expected(&roomKinds[k], m.weekday, hour)
		m.inUse[k] = inUse(&roomKinds[k], m.weekday, hour)
	}
	return m
}

// saturation is the pressure of saturated water vapour in hPa at a temperature
// in °C: the Magnus formula with the coefficients of Alduchov and Eskridge,
// "Improved Magnus Form Approximation of Saturation Vapor Pressure" (1996).
func saturation(celsius float64) float64 {
	return 6.1094 * math.Exp(17.625*celsius/(celsius+243.04))
}

func weekend(d time.Weekday) bool { return d == time.Saturday || d == time.Sunday }

// inUse tells whether the plant of a room runs as for working hours, which
// begins before people come.
func inUse(k *roomKind, d time.Weekday, hour float64) bool {
	switch k.hours {
	case aroundTheClock:
		return true
	case shifts:
		return d != time.Sunday && hour >= 5 && hour < 22
	}
	return !weekend(d) && hour >= 6 && hour < 20
}

// expected is the expected share of the capacity, 0 for rooms that fill by
// meetings or visits instead.
func expected(k *roomKind, d time.Weekday, hour float64) float64 {
	for i := 1; i < len(k.profile); i++ {
		if a, b := k.profile[i-1], k.profile[i]; hour <= b.hour {
			return k.presence[d] * (a.share + (b.share-a.share)*(hour-a.hour)/(b.hour-a.hour))
		}
	}
	return 0
}
