package recent

import "hash/maphash"

var seed = maphash.MakeSeed()

// table finds entries by their names: a hash table with linear probing. Entries know their
// names, so it takes less than half of what a map from names to entries does.
type table[T any] struct {
	slots []*entry[T] // a power of two, and at most three quarters are taken
	marks []uint8     // some bits of the hash of each, so that others need no look; 0 is free
	n     int
}

// least is how many slots a table has.
const least = 8

func newTable[T any](n int) *table[T] {
	size := least
	for 3*size < 4*n {
		size *= 2
	}
	return &table[T]{slots: make([]*entry[T], size), marks: make([]uint8, size)}
}

// place is where the entry of a name is, or would be with that mark.
func (t *table[T]) place(name string) (i int, mark uint8) {
	hash := maphash.String(seed, name)
	i, mark = int(hash)&(len(t.slots)-1), uint8(hash>>56)|1
	for t.marks[i] != 0 && (t.marks[i] != mark || t.slots[i].name != name) {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i, mark
}

// find returns the entry of a name, or nil.
func (t *table[T]) find(name string) *entry[T] {
	i, _ := t.place(name)
	return t.slots[i]
}

// put takes an entry, in the place of one of the same name.
func (t *table[T]) put(e *entry[T]) {
	if 4*(t.n+1) > 3*len(t.slots) {
		larger := newTable[T](t.n + 1)
		for e := range t.all {
			larger.put(e)
		}
		*t = *larger
	}
	i, mark := t.place(e.name)
	if t.marks[i] == 0 {
		t.n++
	}
	t.slots[i], t.marks[i] = e, mark
}

// all calls yield for each entry, in no order.
func (t *table[T]) all(yield func(*entry[T]) bool) {
	for _, e := range t.slots {
		if e != nil && !yield(e) {
			return
		}
	}
}
