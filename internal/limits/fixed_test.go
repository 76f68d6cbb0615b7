package limits_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/limits"
)

var nan = math.NaN()

func TestFixedValidate(t *testing.T) {
	f := func(l limits.Fixed, errContains string) {
		t.Helper()
		err := l.Validate()
		if errContains == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, errContains)
	}

	f(limits.Fixed{Min: 18, Max: 26, SevereMin: 10, SevereMax: 32, Hysteresis: 0.5}, "")
	f(limits.Fixed{Min: nan, Max: 1000, SevereMin: nan, SevereMax: nan, Hysteresis: 100}, "")
	f(limits.Fixed{Min: nan, Max: nan, SevereMin: nan, SevereMax: nan}, "min or max is needed")
	f(limits.Fixed{Min: 5, Max: 4, SevereMin: nan, SevereMax: nan}, "min 5 must be smaller than max 4")
	f(limits.Fixed{Min: 5, Max: nan, SevereMin: 5, SevereMax: nan}, "severe_min 5 must be smaller than min 5")
	f(limits.Fixed{Min: 5, Max: nan, SevereMin: nan, SevereMax: 7}, "severe_max 7 must be larger than max NaN")
	f(limits.Fixed{Min: nan, Max: 5, SevereMin: nan, SevereMax: 4}, "severe_max 4 must be larger than max 5")
	f(limits.Fixed{Min: nan, Max: 5, SevereMin: nan, SevereMax: nan, Hysteresis: -1}, "hysteresis must not be negative, got -1")
	f(limits.Fixed{Min: 1, Max: 5, SevereMin: nan, SevereMax: nan, Hysteresis: 4}, "hysteresis 4 must be smaller than the distance 4 of min and max")
	f(limits.Fixed{Min: nan, Max: math.Inf(1), SevereMin: nan, SevereMax: nan}, "max must be finite, got +Inf")
}

func TestFixedNext(t *testing.T) {
	co2 := limits.Fixed{Min: nan, Max: 1000, SevereMin: nan, SevereMax: 2000, Hysteresis: 100}
	comfort := limits.Fixed{Min: 18, Max: 26, SevereMin: 10, SevereMax: 32, Hysteresis: 1}
	type step struct {
		value  float64
		band   limits.Band
		report bool
	}
	f := func(l limits.Fixed, steps ...step) {
		t.Helper()
		band := limits.Within
		for i, s := range steps {
			var report bool
			band, report = l.Next(band, s.value)
			require.Equal(t, s.band, band, "step %d", i)
			require.Equal(t, s.report, report, "step %d", i)
		}
	}

	// At the limit is within it. One event is reported once, however it trembles.
	f(co2, step{1000, limits.Within, false}, step{1001, limits.TooHigh, true}, step{999, limits.TooHigh, false},
		step{1050, limits.TooHigh, false}, step{901, limits.TooHigh, false}, step{900, limits.Within, false}, step{1001, limits.TooHigh, true})
	// It is reported again when it becomes severe, and not when it is less so.
	f(co2, step{1500, limits.TooHigh, true}, step{2001, limits.SeverelyHigh, true}, step{1901, limits.SeverelyHigh, false},
		step{1900, limits.TooHigh, false}, step{2001, limits.SeverelyHigh, true})
	f(comfort, step{9, limits.SeverelyLow, true}, step{33, limits.SeverelyHigh, true}, step{17, limits.TooLow, true},
		step{18.5, limits.TooLow, false}, step{19, limits.Within, false}, step{26.5, limits.TooHigh, true})
}

func TestFixedStrength(t *testing.T) {
	co2 := limits.Fixed{Min: nan, Max: 1000, SevereMin: nan, SevereMax: 2000}
	assert.InDelta(t, 0.5, co2.Strength(1000), 1e-9)
	assert.InDelta(t, 0.9, co2.Strength(2000), 1e-9)
	assert.Less(t, co2.Strength(1e6), 1.0+1e-9)
	frost := limits.Fixed{Min: 0, Max: nan, SevereMin: nan, SevereMax: nan}
	assert.InDelta(t, 0.75, frost.Strength(-1), 1e-9)
	warm := limits.Fixed{Min: 16, Max: nan, SevereMin: nan, SevereMax: nan}
	assert.InDelta(t, 0.75, warm.Strength(12), 1e-9)
}
