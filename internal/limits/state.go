package limits

import (
	"encoding"
	"math"
	"slices"

	"buildmon/internal/codec"
)

// The kind and version of saved states. A change of what is written, or of what
// it means, needs a new version.
const (
	kind    = "limits"
	version = 3 // the first remembered in double precision, the second more of each view

	minSeries = 1 // bytes of a series that holds nothing
)

var (
	_ encoding.BinaryAppender    = (*Detector)(nil)
	_ encoding.BinaryUnmarshaler = (*Detector)(nil)
)

// AppendBinary appends all that is known. Equal detectors give equal bytes.
func (d *Detector) AppendBinary(b []byte) ([]byte, error) {
	b = codec.AppendHeader(b, kind, version)
	b = codec.AppendUint(b, uint64(len(d.cfg.Metrics)))
	for _, name := range d.cfg.Metrics {
		b = codec.AppendString(b, name)
	}
	return d.sensors.Append(b, func(b []byte, known *sensor) []byte {
		for i := range *known {
			if m := &(*known)[i]; m.series == nil {
				b = codec.AppendUint(b, uint64(m.seen))
			} else {
				b = m.append(codec.AppendUint(b, acquaintance))
			}
		}
		return b
	}), nil
}

// UnmarshalBinary replaces all that is known. Metrics that the configuration no
// longer names are dropped and new ones start with nothing. It refuses a state of
// another kind or version and leaves the detector as it was.
func (d *Detector) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, kind, version)
	metrics := make([]int, r.Len(1))
	for i := range metrics {
		metrics[i] = slices.Index(d.cfg.Metrics, r.String())
	}
	d.sensors.Read(r, len(metrics)*minSeries, func(r *codec.Reader) sensor {
		known := d.fresh()
		for _, m := range metrics {
			var s metric
			switch seen := r.Uint(); {
			case seen > acquaintance:
				r.Fail("%d values of a metric that is hardly known cannot be", seen)
			case seen == acquaintance:
				s.meet()
				s.read(r)
			default:
				s.seen = uint8(seen)
			}
			if m >= 0 {
				known[m] = s
			}
		}
		return known
	})
	return r.Close()
}

func (s *series) append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(s.count))
	b = codec.AppendInt(codec.AppendInt(b, s.first), s.last-s.first)
	b = codec.AppendFloat(codec.AppendFloat(b, s.origin), s.newest)
	b = floats(b, s.interval, s.raised)
	for _, e := range s.views() {
		b = e.append(b)
	}
	b = s.window.append(b)
	b = s.blocks.append(b, s.window.next)
	b = s.hours.append(b)
	return s.flat.append(b)
}

func (s *series) read(r *codec.Reader) {
	s.count = count(r)
	s.first = r.Int()
	s.last = s.first + r.Int()
	s.origin, s.newest = number(r), number(r)
	numbers(r, &s.interval, &s.raised)
	for _, e := range s.views() {
		e.read(r)
	}
	s.window.read(r)
	if s.blocks.read(r, s.window.next); r.OK() {
		s.blocks.sum()
		s.blocks.limit(s.views())
	}
	s.hours.read(r)
	s.flat.read(r)
}

func (e *extremes) append(b []byte) []byte {
	b = floats(codec.AppendUint(b, uint64(e.count)), e.mean, e.dev)
	return e.newest.append(b)
}

func (e *extremes) read(r *codec.Reader) {
	e.count = count(r)
	numbers(r, &e.mean, &e.dev)
	e.newest.read(r)
}

func (w *window) append(b []byte) []byte {
	b = codec.AppendUint(codec.AppendUint(b, uint64(w.filled)), uint64(w.next))
	b = codec.AppendFloat(codec.AppendFloat(b, w.sum), w.climb)
	return floats(b, w.values[:]...)
}

func (w *window) read(r *codec.Reader) {
	filled, next := r.Uint(), r.Uint()
	if filled > short || next >= short {
		r.Fail("%d values and place %d of a window cannot be", filled, next)
		return
	}
	w.filled, w.next = uint8(filled), uint8(next)
	w.sum, w.climb = number(r), number(r)
	for i := range w.values {
		numbers(r, &w.values[i])
	}
}

// append writes also how many of the newest values are in no block yet.
func (b *blocks) append(to []byte, newest uint8) []byte {
	to = codec.AppendUint(codec.AppendUint(to, uint64(len(b.list))), uint64(b.current))
	to = codec.AppendUint(codec.AppendInt(to, b.began), uint64(b.values))
	to = codec.AppendUint(to, uint64(newest))
	for i := range b.list {
		for v := range b.list[i] {
			to = b.list[i][v].append(to)
		}
	}
	return to
}

func (b *blocks) read(r *codec.Reader, newest uint8) {
	n, current := r.Uint(), r.Uint()
	b.began, b.values = r.Int(), count(r)
	held := r.Uint()
	if n < 1 || n > mostBlocks || current >= n || held != uint64(newest) {
		r.Fail("%d blocks, the %dth, with %d values held after the %dth, cannot be", n, current, held, newest)
		return
	}
	b.list, b.current = make([]block, n), uint8(current)
	for i := range b.list {
		for v := range b.list[i] {
			b.list[i][v].read(r)
		}
	}
}

// Bounds of no values, and of one, are infinite.
func (b *bounds) append(to []byte) []byte {
	if to = codec.AppendBool(to, *b == none); *b == none {
		return to
	}
	return floats(to, b.top[0], b.top[1], b.bottom[0], b.bottom[1])
}

func (b *bounds) read(r *codec.Reader) {
	*b = none
	if r.Bool() {
		return
	}
	for _, v := range [...]*float32{&b.top[0], &b.top[1], &b.bottom[0], &b.bottom[1]} {
		if *v = r.Float32(); *v != *v {
			r.Fail("a bound of NaN cannot be")
		}
	}
}

func (h *hours) append(b []byte) []byte {
	began := h.week != nil || h.number != nowhere
	if b = codec.AppendBool(b, began); !began {
		return b
	}
	w := newWeek()
	if h.week != nil {
		*w = *h.week
	}
	h.put(w)
	b = codec.AppendInt(codec.AppendInt(b, h.since), h.generation)
	for _, mean := range w.mean {
		known := mean == mean
		if b = codec.AppendBool(b, known); known {
			b = codec.AppendFloat32(b, mean)
		}
	}
	for g := range w.low {
		for i, low := range w.low[g] {
			known := low <= w.high[g][i]
			if b = codec.AppendBool(b, known); known {
				b = floats(b, low, w.high[g][i])
			}
		}
	}
	return b
}

func (h *hours) read(r *codec.Reader) {
	if !r.Bool() {
		return
	}
	h.week = newWeek()
	h.since, h.generation = r.Int(), r.Int()
	for i := range h.week.mean {
		if r.Bool() {
			numbers(r, &h.week.mean[i])
		}
	}
	for g := range h.week.low {
		for i := range h.week.low[g] {
			if r.Bool() {
				numbers(r, &h.week.low[g][i], &h.week.high[g][i])
			}
		}
	}
}

func (f *flat) append(b []byte) []byte {
	b = codec.AppendInt(codec.AppendUint(b, uint64(f.run)), f.since)
	return codec.AppendBool(floats(b, f.longest, f.moves), f.told)
}

func (f *flat) read(r *codec.Reader) {
	f.run, f.since = count(r), r.Int()
	numbers(r, &f.longest, &f.moves)
	f.told = r.Bool()
}

func floats(b []byte, list ...float32) []byte {
	for _, v := range list {
		b = codec.AppendFloat32(b, v)
	}
	return b
}

// numbers reads floats that must be finite.
func numbers(r *codec.Reader, list ...*float32) {
	for _, to := range list {
		if *to = r.Float32(); !(abs(*to) < inf) {
			r.Fail("a value of %v cannot be", *to)
		}
	}
}

func number(r *codec.Reader) float64 {
	v := r.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.Fail("a value of %v cannot be", v)
	}
	return v
}

func count(r *codec.Reader) uint32 {
	n := r.Uint()
	if n > math.MaxUint32 {
		r.Fail("a count of %d cannot be", n)
	}
	return uint32(n)
}
