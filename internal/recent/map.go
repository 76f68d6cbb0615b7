// Package recent keeps something for each of many names and forgets names that
// have not been heard of for long, so that memory is bounded by what is alive and
// not by all that ever was. Time is the time of what is heard.
package recent

import (
	"cmp"
	"slices"
	"time"

	"buildmon/internal/codec"
)

// Map keeps a T for each name. It is not safe for concurrent use.
type Map[T any] struct {
	after   int64 // microseconds
	most    int
	now     int64
	swept   int64
	entries *table[T]
	asked   *entry[T] // the one that was asked for last, or nil
	ordered bool      // it was the next one of the one before, so it is worth while to guess
}

type entry[T any] struct {
	name string
	last int64

	// The one that was asked for next, when this one last was: sensors report in turns, so
	// most often it is the next one again, and found without a look into the table.
	next *entry[T]

	value T
}

// New returns a map that forgets names after that much silence, at the latest
// when another such time has passed. When there are most names, a new one makes
// it forget the half that has been silent longest.
func New[T any](after time.Duration, most int) *Map[T] {
	return &Map[T]{after: after.Microseconds(), most: most, entries: newTable[T](0)}
}

// Len is the number of names.
func (m *Map[T]) Len() int { return m.entries.n }

// Get returns what is kept for a name that was heard of at a time in
// microseconds, and makes it if the name is new. It keeps the name: maps that are asked
// by the same string share its bytes.
func (m *Map[T]) Get(name string, at int64, fresh func() T) *T {
	m.now = max(m.now, at)
	var e *entry[T]
	if m.ordered {
		e = m.asked.next
	}
	if e == nil || e.name != name {
		e = m.find(name, at, fresh)
	}
	m.asked = e
	e.last = max(e.last, at)
	return &e.value
}

// find looks the entry of a name up, or makes it.
func (m *Map[T]) find(name string, at int64, fresh func() T) *entry[T] {
	e := m.entries.find(name)
	if e == nil {
		m.forget()
		e = &entry[T]{name: name, last: at, value: fresh()}
		m.entries.put(e)
	}
	if m.ordered = m.asked != nil && m.asked.next == e; m.asked != nil {
		m.asked.next = e
	}
	return e
}

func (m *Map[T]) forget() {
	if m.now-m.swept >= m.after {
		m.swept = m.now
		var kept []*entry[T]
		for e := range m.entries.all {
			if m.now-e.last <= m.after {
				kept = append(kept, e)
			}
		}
		m.keep(kept)
	}
	if m.Len() < m.most {
		return
	}
	entries := m.sorted()
	slices.SortStableFunc(entries, func(a, b *entry[T]) int { return cmp.Compare(a.last, b.last) })
	m.keep(entries[(len(entries)+1)/2:])
}

// keep forgets all other entries, and who was asked for after whom.
func (m *Map[T]) keep(entries []*entry[T]) {
	m.entries, m.asked, m.ordered = newTable[T](len(entries)), nil, false
	for _, e := range entries {
		e.next = nil
		m.entries.put(e)
	}
}

// sorted are the entries by their names.
func (m *Map[T]) sorted() []*entry[T] {
	return slices.SortedFunc(m.entries.all, func(a, b *entry[T]) int { return cmp.Compare(a.name, b.name) })
}

// Append appends the map to a state; value appends what is kept for a name. Equal
// maps give equal bytes.
func (m *Map[T]) Append(b []byte, value func(b []byte, v *T) []byte) []byte {
	b = codec.AppendInt(b, m.now)
	b = codec.AppendInt(b, m.swept)
	b = codec.AppendUint(b, uint64(m.Len()))
	for _, e := range m.sorted() {
		b = codec.AppendString(b, e.name)
		b = codec.AppendInt(b, e.last)
		b = value(b, &e.value)
	}
	return b
}

// Read replaces the map by one that Append wrote; value reads what is kept for a
// name, which takes at least size bytes. The map is unchanged if the state is not
// readable.
func (m *Map[T]) Read(r *codec.Reader, size int, value func(r *codec.Reader) T) {
	now, swept := r.Int(), r.Int()
	n := r.Len(2 + size)
	entries := newTable[T](n)
	for ; n > 0 && r.OK(); n-- {
		entries.put(&entry[T]{name: r.String(), last: r.Int(), value: value(r)})
	}
	if r.Close() == nil {
		m.now, m.swept, m.entries, m.asked, m.ordered = now, swept, entries, nil, false
	}
}
