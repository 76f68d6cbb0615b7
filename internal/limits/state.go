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
	version = 1

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
			b = (*known)[i].append(b)
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
			var s series
			s.init()
			s.read(r)
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
	if s.count == 0 {
		return b
	}
	for _, v := range [...]int64{s.first, s.last - s.first, s.filled, s.climbed} {
		b = codec.AppendInt(b, v)
	}
	for _, v := range [...]float64{s.interval, s.sum, s.climb, s.newest, s.raised} {
		b = codec.AppendFloat(b, v)
	}
	b = floats(b, s.window[:min(s.filled, short)])
	b = floats(b, s.steps[:min(s.climbed, short)])
	for _, e := range s.own() {
		b = e.append(b)
	}
	b = s.hours.append(b)
	return s.flat.append(b)
}

func (s *series) read(r *codec.Reader) {
	s.count = natural(r, "count", int64(r.Uint()))
	if s.count == 0 {
		return
	}
	s.first = r.Int()
	s.last = s.first + r.Int()
	s.filled, s.climbed = natural(r, "count", r.Int()), natural(r, "count", r.Int())
	for _, v := range [...]*float64{&s.interval, &s.sum, &s.climb, &s.newest, &s.raised} {
		*v = number(r)
	}
	numbers(r, s.window[:min(s.filled, short)])
	numbers(r, s.steps[:min(s.climbed, short)])
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
	b = codec.AppendUint(b, uint64(e.block))
	b = codec.AppendUint(b, uint64(e.held))
	b = codec.AppendFloat(codec.AppendFloat(b, e.mean), e.dev)
	for i := range e.blocks {
		b = e.blocks[i].append(b)
	}
	return e.newest.append(b)
}

func (e *extremes) read(r *codec.Reader) {
	e.count = natural(r, "count", int64(r.Uint()))
	e.began = r.Int()
	e.inBlock = int32(natural(r, "count", int64(int32(r.Uint()))))
	block, held := r.Uint(), r.Uint()
	if block >= blocks || held >= short {
		r.Fail("block %d and %d held values cannot be", block, held)
		return
	}
	e.block, e.held = int32(block), int32(held)
	e.mean, e.dev = number(r), number(r)
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
	b = codec.AppendFloat(codec.AppendFloat(b, h.error), h.plain)
	for i := range h.mean {
		if b = codec.AppendBool(b, h.known[i]); h.known[i] {
			b = codec.AppendFloat(b, h.mean[i])
		}
	}
	for g := range h.low {
		for i := range h.low[g] {
			known := h.low[g][i] <= h.high[g][i]
			if b = codec.AppendBool(b, known); known {
				b = codec.AppendFloat(codec.AppendFloat(b, h.low[g][i]), h.high[g][i])
			}
		}
	}
	return b
}

func (h *hours) read(r *codec.Reader) {
	h.count = natural(r, "count", int64(r.Uint()))
	h.since, h.generation = r.Int(), r.Int()
	h.error, h.plain = number(r), number(r)
	for i := range h.mean {
		if h.known[i] = r.Bool(); h.known[i] {
			h.mean[i] = number(r)
		}
	}
	for g := range h.low {
		for i := range h.low[g] {
			if r.Bool() {
				h.low[g][i], h.high[g][i] = number(r), number(r)
			}
		}
	}
}

func (f *flat) append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(f.run))
	b = codec.AppendInt(b, f.since)
	b = codec.AppendFloat(codec.AppendFloat(b, f.longest), f.moves)
	return codec.AppendBool(b, f.told)
}

func (f *flat) read(r *codec.Reader) {
	f.run, f.since = natural(r, "run", int64(r.Uint())), r.Int()
	f.longest, f.moves = number(r), number(r)
	f.told = r.Bool()
}

func floats(b []byte, list []float64) []byte {
	for _, v := range list {
		b = codec.AppendFloat(b, v)
	}
	return b
}

// numbers reads floats, which may be infinite: the second of bounds that have seen
// one value.
func numbers(r *codec.Reader, list []float64) {
	for i := range list {
		if list[i] = r.Float(); math.IsNaN(list[i]) {
			r.Fail("a value of NaN cannot be")
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

func natural(r *codec.Reader, what string, n int64) int64 {
	if n < 0 {
		r.Fail("a %s of %d cannot be", what, n)
		return 0
	}
	return n
}
