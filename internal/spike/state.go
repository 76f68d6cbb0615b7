package spike

import (
	"cmp"
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
	_ encoding.BinaryAppender    = (*Detector)(nil)
	_ encoding.BinaryUnmarshaler = (*Detector)(nil)
)

// AppendBinary appends all windows and open events. Equal detectors give equal
// bytes.
func (d *Detector) AppendBinary(b []byte) ([]byte, error) {
	b = codec.AppendHeader(b, kind, version)
	b = codec.AppendUint(b, uint64(d.cfg.Window))
	b = codec.AppendUint(b, uint64(len(d.cfg.Metrics)))
	for i := range d.cfg.Metrics {
		b = codec.AppendString(b, d.cfg.Metrics[i].Name)
	}
	room := make([]sample, d.cfg.Window)
	return d.sensors.Append(b, func(b []byte, known *sensor) []byte {
		for _, s := range *known {
			if s == nil {
				s = &series{}
			}
			b = s.append(b, room)
		}
		return b
	}), nil
}

// append needs room for a window, to write it in the order of time.
func (s *series) append(b []byte, room []sample) []byte {
	b = codec.AppendInt(b, s.last)
	b = codec.AppendUint(b, uint64(len(s.window)))
	window := room[:copy(room, s.window)]
	slices.SortFunc(window, func(a, b sample) int { return cmp.Compare(a.at, b.at) })
	b, last := appendSamples(b, window, s.last)
	e := s.events
	if e == nil {
		e = &events{}
	}
	b = codec.AppendBool(b, e.reported != nil)
	if r := e.reported; r != nil {
		b = codec.AppendInt(b, r.at-last)
		for _, v := range []float64{r.Value, r.Median, r.Limit, r.Min, r.Max} {
			b = codec.AppendFloat(b, v)
		}
		b = codec.AppendInt(b, r.Within.Microseconds())
	}
	// Only a full window can have events.
	b = codec.AppendBool(b, s.eventful())
	if !s.eventful() {
		return b
	}
	b = codec.AppendFloat(b, e.worst)
	b = codec.AppendBool(b, e.silent)
	b = codec.AppendFloat(b, e.former)
	b = codec.AppendFloat(b, e.formerLimit)
	b = codec.AppendUint(b, uint64(len(e.held)))
	b, _ = appendSamples(b, e.held, last)
	return b
}

// appendSamples writes times relative to the one before, and returns the last one.
func appendSamples(b []byte, samples []sample, last int64) ([]byte, int64) {
	for _, w := range samples {
		b = codec.AppendInt(b, w.at-last)
		b = codec.AppendFloat(b, w.value)
		last = w.at
	}
	return b, last
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
			if m >= 0 && (len(s.window) > 0 || s.last != 0) {
				known[m] = s
			}
		}
		return known
	})
	return r.Close()
}

func (d *Detector) series(r *codec.Reader, window, metric int) *series {
	s := &series{last: r.Int()}
	n := r.Len(minValue)
	full := n == window
	at := s.last
	for range n {
		at = later(r, at, len(s.window) == 0)
		s.push(at, finite(r), d.cfg.Window)
	}
	var e events
	if r.Bool() {
		e.reported = &report{at + r.Int(), Finding{
			Metric: metric, Value: finite(r), Median: finite(r), Limit: finite(r), Min: finite(r), Max: finite(r),
			Within: time.Duration(r.Int()) * time.Microsecond,
		}}
		s.events = &e
	}
	if !r.Bool() {
		return s
	}
	s.events = &e
	e.worst, e.silent = finite(r), r.Bool()
	e.former, e.formerLimit = finite(r), finite(r)
	held := r.Len(minValue)
	if !full || held >= window || e.worst < 0 || e.formerLimit < 0 {
		r.Fail("an event of %d values in a window of %d cannot be", held, n)
		return s
	}
	for range held {
		at = later(r, at, false)
		e.held = append(e.held, sample{at, finite(r)})
	}
	if window != d.cfg.Window {
		s.close()
		s.returned()
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
