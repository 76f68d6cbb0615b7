package anomaly

import "math"

// StrengthBeyond is the strength of what is said of a value that lies that
// distance past a limit, in the unit of scale, which is what counts as far for this value:
//
//	1 − ½ · 2^(−distance/scale)
//
// It is 0.5 at the limit, 0.75 one scale past it, 0.875 two, and never above 1,
// so severities of detectors with limits mean the same.
func StrengthBeyond(distance, scale float64) float64 {
	past := distance / scale
	if math.IsNaN(past) || past < 0 {
		past = math.Inf(1) // both so large that their ratio is lost
	}
	return 1 - 0.5*math.Exp2(-past)
}
