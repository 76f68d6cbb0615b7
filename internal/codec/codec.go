// Package codec writes and reads the binary form of what detectors have learned:
// a name and a version, then plain numbers and texts in an order that both sides
// know. Floats keep all their bits, so a restored state decides as the saved one.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// AppendHeader starts a state of that kind and version.
func AppendHeader(b []byte, kind string, version uint64) []byte {
	return AppendUint(AppendString(b, kind), version)
}

// AppendUint appends a number that is usually small.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendInt appends a number that may be negative.
func AppendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendFloat appends all bits of a number.
func AppendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

// AppendFloat32 appends all bits of a number that is known to few digits.
func AppendFloat32(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

// AppendBool appends a yes or no.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendString appends a text and its length.
func AppendString(b []byte, s string) []byte { return append(AppendUint(b, uint64(len(s))), s...) }

// AppendBlock appends what a function appends, preceded by its length as that of a text.
func AppendBlock(b []byte, block func(b []byte) ([]byte, error)) ([]byte, error) {
	start := len(b)
	b, err := block(b)
	if err != nil {
		return nil, err
	}
	return slices.Insert(b, start, AppendUint(nil, uint64(len(b)-start))...), nil
}

// Reader reads what the functions above have written. After an error it returns
// zeros, so that a caller may read on and ask once with [Reader.Close].
type Reader struct {
	data  []byte
	err   error
	texts map[string]string // that were read by Text
}

// NewReader returns a reader of a state, which must be of that kind and version.
func NewReader(data []byte, kind string, version uint64) *Reader {
	r := &Reader{data: data}
	if k := r.String(); r.err == nil && k != kind {
		r.Fail("it is a state of %.40q, want %q", k, kind)
	}
	if v := r.Uint(); r.err == nil && v != version {
		r.Fail("it has version %d, want version %d", v, version)
	}
	return r
}

// Kind is what kind of state that is, or nothing if that cannot be told.
func Kind(data []byte) string { return (&Reader{data: data}).String() }

var errShort = errors.New("it ends too early")

// Uint reads what AppendUint wrote.
func (r *Reader) Uint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.data)
	return advance(r, v, n)
}

// Int reads what AppendInt wrote.
func (r *Reader) Int() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.data)
	return advance(r, v, n)
}

// Float reads what AppendFloat wrote.
func (r *Reader) Float() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// Float32 reads what AppendFloat32 wrote.
func (r *Reader) Float32() float32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b))
}

// Bool reads what AppendBool wrote.
func (r *Reader) Bool() bool {
	b := r.take(1)
	if b != nil && b[0] > 1 {
		r.Fail("a yes or no in it is %d", b[0])
	}
	return b != nil && b[0] == 1
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// Finite reads a number that is neither infinite nor NaN.
func (r *Reader) Finite() float64 {
	v := r.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.Fail("a value of %v cannot be", v)
		return 0
	}
	return v
}

// Natural reads what AppendInt wrote of a number that is not negative.
func (r *Reader) Natural() int64 {
	n := r.Int()
	if n < 0 {
		r.Fail("a count of %d cannot be", n)
		return 0
	}
	return n
}

// String reads what AppendString wrote.
func (r *Reader) String() string { return string(r.Block()) }

// Text reads what AppendString wrote of a text that comes again and again: equal ones
// share their bytes.
func (r *Reader) Text() string {
	b := r.Block()
	if s, ok := r.texts[string(b)]; ok {
		return s
	}
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	s := string(b)
	r.texts[s] = s
	return s
}

// Block reads what AppendBlock wrote, which is not copied.
func (r *Reader) Block() []byte { return r.take(r.Len(1)) }

// Len reads how many things follow, each of which takes at least size bytes. A
// number that the rest of the data cannot hold is an error, so nobody allocates
// for things that are not there.
func (r *Reader) Len(size int) int {
	n := r.Uint()
	if r.err == nil && n > uint64(len(r.data)/size) {
		r.err = errShort
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Rest reads all that is left, which is not copied.
func (r *Reader) Rest() []byte { return r.take(len(r.data)) }

// Fail makes the reader report that what it read cannot be.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// OK tells whether everything so far was readable.
func (r *Reader) OK() bool { return r.err == nil }

// Close returns the first error, and one if there is more to read.
func (r *Reader) Close() error {
	if r.err == nil && len(r.data) > 0 {
		r.Fail("it goes on for %d bytes after its end", len(r.data))
	}
	return r.err
}

func (r *Reader) take(n int) []byte {
	if r.err == nil && n > len(r.data) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func advance[T any](r *Reader, v T, n int) T {
	var zero T
	switch {
	case n == 0:
		r.err = errShort
		return zero
	case n < 0:
		r.Fail("a number in it is too large")
		return zero
	}
	r.data = r.data[n:]
	return v
}
