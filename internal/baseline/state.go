package baseline

import (
	"encoding"
	"maps"
	"math"
	"slices"

	"buildmon/internal/codec"
)

// The kinds and the version of saved states. A change of what is written, or of what
// it means, needs a new version.
const (
	floorsKind   = "baseline floors"
	presenceKind = "baseline presence"
	version      = 1
)

var (
	_ encoding.BinaryAppender    = (*Floors)(nil)
	_ encoding.BinaryUnmarshaler = (*Floors)(nil)
	_ encoding.BinaryAppender    = (*Presence)(nil)
	_ encoding.BinaryUnmarshaler = (*Presence)(nil)
)

// AppendBinary appends all that is known. Equal floors give equal bytes.
func (d *Floors) AppendBinary(b []byte) ([]byte, error) {
	return d.sensors.Append(codec.AppendHeader(b, floorsKind, version), func(b []byte, f *floors) []byte {
		h := f.history
		if h == nil {
			h = &history{}
		}
		for _, v := range [...]int64{f.last, int64(f.n), int64(f.hours), int64(h.days), int64(h.since), int64(h.known)} {
			b = codec.AppendInt(b, v)
		}
		b = codec.AppendBool(b, h.told)
		b = codec.AppendFloat(codec.AppendFloat(b, f.sum), f.lowest)
		b = codec.AppendFloat(b, float64(h.usual))
		for _, v := range h.newest {
			b = codec.AppendFloat(b, float64(v))
		}
		for _, v := range h.past[remembered-max(int(h.days)-agreeing, 0):] {
			b = codec.AppendFloat(b, float64(v))
		}
		return b
	}), nil
}

// UnmarshalBinary replaces all that is known. It refuses a state of another kind or
// version and leaves what is known as it was.
func (d *Floors) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, floorsKind, version)
	d.sensors.Read(r, 6, func(r *codec.Reader) (f floors) {
		var h history
		f.last = r.Int()
		for _, to := range [...]*int32{&f.n, &f.hours, &h.days, &h.since, &h.known} {
			v := r.Int()
			if v < 0 || v > math.MaxInt32 {
				r.Fail("a count of %d cannot be", v)
			}
			*to = int32(v)
		}
		if h.days > agreeing+remembered {
			r.Fail("%d days cannot be", h.days)
			return f
		}
		h.told = r.Bool()
		f.sum, f.lowest, h.usual = r.Float(), r.Float(), float32(r.Float())
		for i := range h.newest {
			h.newest[i] = float32(r.Float())
		}
		for i := range max(int(h.days)-agreeing, 0) {
			h.past[remembered-max(int(h.days)-agreeing, 0)+i] = float32(r.Float())
		}
		if h.days > 0 {
			f.history = &h
		}
		return f
	})
	return r.Close()
}

// AppendBinary appends all that is known. Equal presences give equal bytes.
func (p *Presence) AppendBinary(b []byte) ([]byte, error) {
	b = codec.AppendHeader(b, presenceKind, version)
	b = codec.AppendUint(b, uint64(len(p.kinds)))
	for _, name := range slices.Sorted(maps.Keys(p.kinds)) {
		b = codec.AppendString(b, name)
		k := p.kinds[name]
		for i := range k.seen {
			b = codec.AppendFloat(codec.AppendFloat(b, k.seen[i]), k.used[i])
		}
	}
	return p.rooms.Append(b, func(b []byte, r *room) []byte {
		for _, v := range [...]int64{r.last, r.hour, r.since, r.there} {
			b = codec.AppendInt(b, v)
		}
		for _, v := range [...]bool{r.open, r.inUse, r.odd} {
			b = codec.AppendBool(b, v)
		}
		w := r.week
		if w == nil {
			w = &week{}
		}
		for i := range w.seen {
			b = codec.AppendUint(codec.AppendUint(b, uint64(w.seen[i])), uint64(w.used[i]))
		}
		return b
	}), nil
}

// UnmarshalBinary replaces all that is known. It refuses a state of another kind or
// version and leaves what is known as it was.
func (p *Presence) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, presenceKind, version)
	kinds := map[string]*kind{}
	for n := r.Len(1); n > 0 && r.OK(); n-- {
		k := &kind{}
		kinds[r.String()] = k
		for i := range k.seen {
			k.seen[i], k.used[i] = r.Float(), r.Float()
		}
	}
	p.rooms.Read(r, 4+weekSlots, func(r *codec.Reader) (known room) {
		known.last, known.hour, known.since, known.there = r.Int(), r.Int(), r.Int(), r.Int()
		known.open, known.inUse, known.odd = r.Bool(), r.Bool(), r.Bool()
		var w week
		for i := range w.seen {
			w.seen[i], w.used[i] = uint8(r.Uint()), uint8(r.Uint())
		}
		if w != (week{}) {
			known.week = &w
		}
		return known
	})
	if err := r.Close(); err != nil {
		return err
	}
	p.kinds = kinds
	return nil
}
