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
	version = 2 // the first remembered in double precision

	minSeries = 1 // bytes of a series that holds nothing
)

var (
	_ encoding.BinaryMarshaler   = (*Detector)(nil)
	_ encoding.BinaryUnmarshaler = (*Detector)(nil)
)

// MarshalBinary writes all that is known. Equal detectors give equal bytes.
func (d *Detector) MarshalBinary() ([]byte, error) {
	b := codec.AppendHeader(nil, kind, version)
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
	b = codec.AppendUint(codec.AppendUint(b, uint64(s.count)), uint64(s.filled))
	b = codec.AppendInt(codec.AppendInt(b, s.first), s.last-s.first)
	b = floats(b, []float32{s.interval, s.raised})
	for _, v := range [...]float64{s.origin, s.sum, s.climb, s.newest} {
		b = codec.AppendFloat(b, v)
	}
	b = floats(b, s.window[:min(s.filled, short)])
	for _, e := range s.own() {
		b = e.append(b)
	}
	b = s.hours.append(b)
	return s.flat.append(b)
}

func (s *series) read(r *codec.Reader) {
	if s.count, s.filled = count(r), count(r); s.filled >= full {
		r.Fail("%d values in a window cannot be", s.filled)
		return
	}
	s.first = r.Int()
	s.last = s.first + r.Int()
	s.interval, s.raised = number32(r), number32(r)
	for _, v := range [...]*float64{&s.origin, &s.sum, &s.climb, &s.newest} {
		*v = number(r)
	}
	numbers(r, s.window[:min(s.filled, short)])
	for _, e := range s.own() {
		e.read(r)
	}
	s.hours.read(r)
	s.flat.read(r)
}

func (e *extremes) append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(e.count))
	b = codec.AppendInt(b, e.began)
	b = codec.AppendUint(b, uint64(e.inBlock))
	b = codec.AppendUint(codec.AppendUint(b, uint64(e.block)), uint64(e.held))
	b = floats(b, []float32{e.mean, e.dev})
	for i := range e.blocks {
		b = e.blocks[i].append(b)
	}
	return e.newest.append(b)
}

func (e *extremes) read(r *codec.Reader) {
	e.count = count(r)
	e.began = r.Int()
	e.inBlock = count(r)
	block, held := r.Uint(), r.Uint()
	if block >= blocks || held >= short {
		r.Fail("block %d and %d held values cannot be", block, held)
		return
	}
	e.block, e.held = uint8(block), uint8(held)
	for _, v := range [...]*float32{&e.mean, &e.dev} {
		*v = number32(r)
	}
	for i := range e.blocks {
		e.blocks[i].read(r)
	}
	e.newest.read(r)
	e.refresh()
}

func (b *bounds) append(to []byte) []byte {
	if to = codec.AppendBool(to, *b == none); *b == none {
		return to
	}
	return floats(floats(to, b.top[:]), b.bottom[:])
}

func (b *bounds) read(r *codec.Reader) {
	if !r.Bool() {
		numbers(r, b.top[:])
		numbers(r, b.bottom[:])
	}
}

func (h *hours) append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(h.count))
	b = codec.AppendInt(codec.AppendInt(b, h.since), h.generation)
	b = floats(b, []float32{h.error, h.plain})
	for _, mean := range h.mean {
		known := mean == mean
		if b = codec.AppendBool(b, known); known {
			b = codec.AppendFloat32(b, mean)
		}
	}
	for g := range h.low {
		for i := range h.low[g] {
			known := h.low[g][i] <= h.high[g][i]
			if b = codec.AppendBool(b, known); known {
				b = codec.AppendFloat32(codec.AppendFloat32(b, h.low[g][i]), h.high[g][i])
			}
		}
	}
	return b
}

func (h *hours) read(r *codec.Reader) {
	h.count = count(r)
	h.since, h.generation = r.Int(), r.Int()
	h.error, h.plain = number32(r), number32(r)
	for i := range h.mean {
		if r.Bool() {
			h.mean[i] = number32(r)
		}
	}
	for g := range h.low {
		for i := range h.low[g] {
			if r.Bool() {
				h.low[g][i], h.high[g][i] = number32(r), number32(r)
			}
		}
	}
}

func (f *flat) append(b []byte) []byte {
	b = codec.AppendInt(codec.AppendUint(b, uint64(f.run)), f.since)
	return codec.AppendBool(floats(b, []float32{f.longest, f.moves}), f.told)
}

func (f *flat) read(r *codec.Reader) {
	f.run, f.since = count(r), r.Int()
	f.longest, f.moves = number32(r), number32(r)
	f.told = r.Bool()
}

func floats(b []byte, list []float32) []byte {
	for _, v := range list {
		b = codec.AppendFloat32(b, v)
	}
	return b
}

// numbers reads floats, which may be infinite: the second of bounds that have seen
// one value.
func numbers(r *codec.Reader, list []float32) {
	for i := range list {
		if list[i] = r.Float32(); list[i] != list[i] {
			r.Fail("a value of NaN cannot be")
		}
	}
}

func number32(r *codec.Reader) float32 {
	v := r.Float32()
	if v != v || v == inf || v == -inf {
		r.Fail("a value of %v cannot be", v)
	}
	return v
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
