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
	entries map[string]*entry[T]
}

type entry[T any] struct {
	last  int64
	value T
}

// New returns a map that forgets names after that much silence, at the latest
// when another such time has passed. When there are most names, a new one makes
// it forget the half that has been silent longest.
func New[T any](after time.Duration, most int) *Map[T] {
	return &Map[T]{after: after.Microseconds(), most: most, entries: map[string]*entry[T]{}}
}

// Len is the number of names.
func (m *Map[T]) Len() int { return len(m.entries) }

// Get returns what is kept for a name that was heard of at a time in
// microseconds, and makes it if the name is new. It keeps the name: maps that are asked
// by the same string share its bytes.
func (m *Map[T]) Get(name string, at int64, fresh func() T) *T {
	m.now = max(m.now, at)
	e := m.entries[name]
	if e == nil {
		m.forget()
		e = &entry[T]{last: at, value: fresh()}
		m.entries[name] = e
	}
	e.last = max(e.last, at)
	return &e.value
}

func (m *Map[T]) forget() {
	if m.now-m.swept >= m.after {
		m.swept = m.now
		for name, e := range m.entries {
			if m.now-e.last > m.after {
				delete(m.entries, name)
			}
		}
	}
	if len(m.entries) < m.most {
		return
	}
	names := m.names()
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(m.entries[a].last, m.entries[b].last) })
	for _, name := range names[:(len(names)+1)/2] {
		delete(m.entries, name)
	}
}

func (m *Map[T]) names() []string {
	names := make([]string, 0, len(m.entries))
	for name := range m.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Append appends the map to a state; value appends what is kept for a name. Equal
// maps give equal bytes.
func (m *Map[T]) Append(b []byte, value func(b []byte, v *T) []byte) []byte {
	b = codec.AppendInt(b, m.now)
	b = codec.AppendInt(b, m.swept)
	b = codec.AppendUint(b, uint64(len(m.entries)))
	for _, name := range m.names() {
		e := m.entries[name]
		b = codec.AppendString(b, name)
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
	entries := make(map[string]*entry[T], n)
	for ; n > 0 && r.OK(); n-- {
		name := r.String()
		entries[name] = &entry[T]{last: r.Int(), value: value(r)}
	}
	if r.Close() == nil {
		m.now, m.swept, m.entries = now, swept, entries
	}
}
