package limits

import (
	"errors"
	"fmt"
	"math"

	"buildmon/internal/anomaly"
)

// Fixed are limits that somebody set, such as what a regulation asks for. NaN stands
// for one that is not set.
type Fixed struct {
	Min, Max             float64 // what lies past them is reported
	SevereMin, SevereMax float64 // what lies past them is reported as critical

	// Hysteresis is how far a value must be back within a limit to count as
	// within.
	Hysteresis float64
}

// Validate says what is wrong with the limits.
func (f *Fixed) Validate() error {
	for _, l := range []struct {
		name  string
		value float64
	}{{"min", f.Min}, {"max", f.Max}, {"severe_min", f.SevereMin}, {"severe_max", f.SevereMax}, {"hysteresis", f.Hysteresis}} {
		if math.IsInf(l.value, 0) {
			return fmt.Errorf("%s must be finite, got %v", l.name, l.value)
		}
	}
	switch {
	case math.IsNaN(f.Min) && math.IsNaN(f.Max):
		return errors.New("min or max is needed")
	case f.Min >= f.Max:
		return fmt.Errorf("min %v must be smaller than max %v", f.Min, f.Max)
	case !math.IsNaN(f.SevereMin) && !(f.SevereMin < f.Min):
		return fmt.Errorf("severe_min %v must be smaller than min %v", f.SevereMin, f.Min)
	case !math.IsNaN(f.SevereMax) && !(f.SevereMax > f.Max):
		return fmt.Errorf("severe_max %v must be larger than max %v", f.SevereMax, f.Max)
	case !(f.Hysteresis >= 0):
		return fmt.Errorf("hysteresis must not be negative, got %v", f.Hysteresis)
	case f.Hysteresis >= f.Max-f.Min:
		return fmt.Errorf("hysteresis %v must be smaller than the distance %v of min and max", f.Hysteresis, f.Max-f.Min)
	}
	return nil
}

// Band is where a value lies.
type Band int8

// The bands, from the lowest.
const (
	SeverelyLow  Band = -2
	TooLow       Band = -1
	Within       Band = 0
	TooHigh      Band = 1
	SeverelyHigh Band = 2
)

// band is where a value lies when what is past a limit must be back by that much.
func (f *Fixed) band(v float64, from Band) Band {
	past := func(band Band, distance float64) bool {
		if from*band > 0 && from*from >= band*band {
			return distance > -f.Hysteresis
		}
		return distance > 0
	}
	switch {
	case past(SeverelyHigh, v-f.SevereMax):
		return SeverelyHigh
	case past(SeverelyLow, f.SevereMin-v):
		return SeverelyLow
	case past(TooHigh, v-f.Max):
		return TooHigh
	case past(TooLow, f.Min-v):
		return TooLow
	}
	return Within
}

// Next is the band of a value after one that was in another band, and whether to
// report it: when it is farther out than before, or on the other side.
func (f *Fixed) Next(from Band, v float64) (to Band, report bool) {
	to = f.band(v, from)
	return to, to != Within && (to*from <= 0 || to*to > from*from)
}

// critical is the strength of a value at a severe limit.
const critical = 0.9

// Strength says from 0 to 1 how far a value is past a limit: 0.5 at the limit and 0.9
// at the severe one. Without a severe one, 0.75 is a quarter of the limit past it,
// or 1 if the limit is 0.
func (f *Fixed) Strength(v float64) float64 {
	bound, severe := f.Max, f.SevereMax
	if !(v >= f.Max) {
		bound, severe = f.Min, f.SevereMin
	}
	distance := math.Abs(v - bound)
	scale := math.Abs(bound) / 4
	switch {
	case !math.IsNaN(severe):
		// StrengthBeyond is 0.9 after log₂ 5 scales.
		scale = math.Abs(severe-bound) / math.Log2(0.5/(1-critical))
	case scale == 0:
		scale = 1
	}
	return anomaly.StrengthBeyond(distance, scale)
}
