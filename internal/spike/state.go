package spike

import (
	"encoding"
	"math"
	"slices"
	"time"

	"buildmon/internal/codec"
)

// The kind and version of saved states. A change of what is written, or of what
// it means, needs a new version.
const (
	kind    = "spike"
	version = 1

	minSeries = 4 // bytes of a series that holds nothing
	minValue  = 9 // bytes of a value
)

var (
	_ encoding.BinaryMarshaler   = (*Detector)(nil)
	_ encoding.BinaryUnmarshaler = (*Detector)(nil)
)

// MarshalBinary writes all windows and open events. Equal detectors give equal
// bytes.
func (d *Detector) MarshalBinary() ([]byte, error) {
	b := codec.AppendHeader(nil, kind, version)
	b = codec.AppendUint(b, uint64(d.cfg.Window))
	b = codec.AppendUint(b, uint64(len(d.cfg.Metrics)))
	for i := range d.cfg.Metrics {
		b = codec.AppendString(b, d.cfg.Metrics[i].Name)
	}
	return d.sensors.Append(b, func(b []byte, known *sensor) []byte {
		for _, s := range *known {
			if s == nil {
				s = &series{}
			}
			b = s.append(b)
		}
		return b
	}), nil
}

func (s *series) append(b []byte) []byte {
	b = codec.AppendInt(b, s.last)
	b = codec.AppendUint(b, uint64(s.n))
	last := s.last
	for i := range s.n {
		at := (s.head + i) % len(s.values)
		b = codec.AppendInt(b, s.times[at]-last)
		b = codec.AppendFloat(b, s.values[at])
		last = s.times[at]
	}
	b = codec.AppendBool(b, s.reported != nil)
	if r := s.reported; r != nil {
		b = codec.AppendInt(b, r.at-last)
		for _, v := range []float64{r.Value, r.Median, r.Limit, r.Min, r.Max} {
			b = codec.AppendFloat(b, v)
		}
		b = codec.AppendInt(b, r.Within.Microseconds())
	}
	// Only a full window can have events.
	eventful := s.open() || s.formerLimit > 0
	b = codec.AppendBool(b, eventful)
	if !eventful {
		return b
	}
	b = codec.AppendFloat(b, s.worst)
	b = codec.AppendBool(b, s.silent)
	b = codec.AppendFloat(b, s.former)
	b = codec.AppendFloat(b, s.formerLimit)
	b = codec.AppendUint(b, uint64(len(s.heldValues)))
	for i, v := range s.heldValues {
		b = codec.AppendInt(b, s.heldTimes[i]-last)
		b = codec.AppendFloat(b, v)
		last = s.heldTimes[i]
	}
	return b
}

// UnmarshalBinary replaces all that is known. Metrics that the configuration no
// longer names are dropped and new ones start with nothing. If the window has
// another size now, the newest values of the old one fill it and open events end.
// It refuses a state of another version and leaves the detector as it was.
func (d *Detector) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, kind, version)
	window := r.Uint()
	if r.OK() && (window < 2 || window > MaxWindow) {
		r.Fail("a window of %d values cannot be", window)
	}
	metrics := make([]int, r.Len(1))
	for i := range metrics {
		name := r.String()
		metrics[i] = slices.IndexFunc(d.cfg.Metrics, func(m Metric) bool { return m.Name == name })
	}
	d.sensors.Read(r, len(metrics)*minSeries, func(r *codec.Reader) sensor {
		known := d.fresh()
		for _, m := range metrics {
			s := d.series(r, int(window), m)
			if m >= 0 && s.values != nil {
				known[m] = &s
			}
		}
		return known
	})
	return r.Close()
}

func (d *Detector) series(r *codec.Reader, window, metric int) series {
	var s series
	s.last = r.Int()
	n := r.Len(minValue)
	if n > 0 || s.last != 0 {
		s.init(d.cfg.Window)
	}
	full := n == window
	at := s.last
	for range n {
		at = later(r, at, s.n == 0)
		s.push(at, finite(r))
	}
	if r.Bool() {
		s.reported = &report{at + r.Int(), Finding{
			Metric: metric, Value: finite(r), Median: finite(r), Limit: finite(r), Min: finite(r), Max: finite(r),
			Within: time.Duration(r.Int()) * time.Microsecond,
		}}
	}
	if !r.Bool() {
		return s
	}
	s.worst, s.silent = finite(r), r.Bool()
	s.former, s.formerLimit = finite(r), finite(r)
	held := r.Len(minValue)
	if !full || held >= window || s.worst < 0 || s.formerLimit < 0 {
		r.Fail("an event of %d values in a window of %d cannot be", held, n)
		return s
	}
	for range held {
		at = later(r, at, false)
		s.heldTimes, s.heldValues = append(s.heldTimes, at), append(s.heldValues, finite(r))
	}
	if window != d.cfg.Window {
		s.close()
		s.formerLimit = 0
	}
	return s
}

// later reads a time after another, except for the first of a window, which is
// kept relative to the newest.
func later(r *codec.Reader, at int64, first bool) int64 {
	by := r.Int()
	if !first && (by <= 0 || at+by < at) {
		r.Fail("a time of %d µs after another cannot be", by)
	}
	return at + by
}

func finite(r *codec.Reader) float64 {
	v := r.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.Fail("a value of %v cannot be", v)
	}
	return v
}
