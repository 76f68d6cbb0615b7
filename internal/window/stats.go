package window

// Stats summarizes the values of one metric. The zero Stats summarizes no
// values; Sum, Min and Max mean nothing while Count is 0.
type Stats struct {
	Count         int64
	Sum, Min, Max float64
}

// Add counts one value, which must not be NaN.
func (s *Stats) Add(v float64) {
	if s.Count == 0 {
		*s = Stats{Count: 1, Sum: v, Min: v, Max: v}
		return
	}
	s.Count++
	s.Sum += v
	if v <= s.Min || v >= s.Max { // seldom, and a comparison is faster than both
		s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	}
}

// Merge adds what other summarizes: exact in Count, Min and Max, up to rounding
// in Sum.
func (s *Stats) Merge(other Stats) {
	switch {
	case other.Count == 0:
	case s.Count == 0:
		*s = other
	default:
		s.Count += other.Count
		s.Sum += other.Sum
		s.Min = min(s.Min, other.Min)
		s.Max = max(s.Max, other.Max)
	}
}

// Mean is Sum over Count; ask for it only when Count is positive.
func (s *Stats) Mean() float64 { return s.Sum / float64(s.Count) }
