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
		for _, v := range [...]int64{f.last, int64(f.n), int64(f.hours), int64(f.days), int64(f.since), int64(f.known)} {
			b = codec.AppendInt(b, v)
		}
		b = codec.AppendBool(b, f.told)
		b = codec.AppendFloat(codec.AppendFloat(b, f.sum), f.lowest)
		b = codec.AppendFloat(b, float64(f.usual))
		for _, v := range f.newest {
			b = codec.AppendFloat(b, float64(v))
		}
		for _, v := range f.past[remembered-max(int(f.days)-agreeing, 0):] {
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
		f.last = r.Int()
		for _, to := range [...]*int32{&f.n, &f.hours, &f.days, &f.since, &f.known} {
			v := r.Int()
			if v < 0 || v > math.MaxInt32 {
				r.Fail("a count of %d cannot be", v)
			}
			*to = int32(v)
		}
		if f.days > agreeing+remembered {
			r.Fail("%d days cannot be", f.days)
			return f
		}
		f.told = r.Bool()
		f.sum, f.lowest, f.usual = r.Float(), r.Float(), float32(r.Float())
		for i := range f.newest {
			f.newest[i] = float32(r.Float())
		}
		for i := range max(int(f.days)-agreeing, 0) {
			f.past[remembered-max(int(f.days)-agreeing, 0)+i] = float32(r.Float())
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
		for i := range r.seen {
			b = codec.AppendUint(codec.AppendUint(b, uint64(r.seen[i])), uint64(r.used[i]))
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
		for i := range known.seen {
			known.seen[i], known.used[i] = uint8(r.Uint()), uint8(r.Uint())
		}
		return known
	})
	if err := r.Close(); err != nil {
		return err
	}
	p.kinds = kinds
	return nil
}
