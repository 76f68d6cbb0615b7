package window

import (
	"encoding/binary"

	"buildmon/internal/reading"
)

// slot is a window that is held in memory.
type slot struct {
	start, end int64
	seen       map[reading.Identity]struct{}
	byKey      map[string]*row
	rows       []*row // in order of first appearance
	latest     *row   // the one of the last reading, or nil
	opened     uint64 // batch that made it
	batch      uint64 // batch that last touched it
	again      bool   // it may have been held before

	// The source whose batch made it final, and the watermark of that source then:
	// while it stands there, the batch may come again.
	final    bool
	finisher *progress
	finished int64
}

// newSlot has room for as many readings as are expected.
func newSlot(start, end int64, batch uint64, forgotten int64, expected int) *slot {
	return &slot{
		start: start, end: end, opened: batch, again: end <= forgotten,
		seen: make(map[reading.Identity]struct{}, expected), byKey: map[string]*row{},
	}
}

func (w *slot) saw(id reading.Identity) bool {
	_, ok := w.seen[id]
	return ok
}

// see remembers a reading, and tells whether it is new.
func (w *slot) see(id reading.Identity) bool {
	before := len(w.seen)
	w.seen[id] = struct{}{}
	return len(w.seen) > before
}

// row is a window of one group.
type row struct {
	slot    *slot
	group   []string
	count   int64
	stats   []Stats
	partial bool

	// Of the batch that last touched it.
	batch   uint64
	members int
	pane    *Pane
}

// appendKey appends a label so that different labels never give the same key.
func appendKey(key []byte, label string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(label))), label...)
}

// floor is the start of the window that an instant belongs to. It rounds down
// before the epoch too, where division rounds up.
func floor(at, size int64) int64 {
	start := at - at%size
	if start > at {
		start -= size
	}
	return start
}
