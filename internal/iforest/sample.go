package iforest

import (
	"fmt"
	"math/rand/v2"

	"buildmon/internal/codec"
)

// slots is the number of equal spans into which the history is divided.
const slots = 24

// sample keeps a bounded number of rows that stand for a span of time. The span
// is divided into slots, each with a uniform sample of the rows of its time; when
// there are too many rows, the fullest slot gives way. So a quiet night counts as
// much as a busy day, and a burst does not push out the rest. Rows leave slot by
// slot as time goes on.
type sample struct {
	slot     int64 // length of a slot, µs
	max      int   // rows
	features int
	pcg      *rand.PCG
	rng      *rand.Rand // on pcg, without a state of its own

	slots []slot // at most slots+1, in no order
	rows  int
}

type slot struct {
	number int64 // covers [number*length, (number+1)*length)
	seen   int   // rows offered so far
	rows   []row
}

type row struct {
	values  []float64
	unusual bool
}

func newSample(history int64, maxRows, features int, seed uint64) *sample {
	pcg := rand.NewPCG(seed, 0)
	return &sample{slot: max(1, history/slots), max: maxRows, features: features, pcg: pcg, rng: rand.New(pcg)}
}

// add offers a row of time at, when time has come to now. Rows older than the
// history are not taken.
func (s *sample) add(now, at int64, values []float64, unusual bool) {
	s.expire(now)
	number := floorDiv(at, s.slot)
	if number <= floorDiv(now, s.slot)-slots {
		return
	}
	here := s.find(number)
	sl := &s.slots[here]
	sl.seen++
	if complete := len(sl.rows) == sl.seen-1; complete {
		if s.rows < s.max {
			s.rows++
			sl.rows = append(sl.rows, row{values: append([]float64(nil), values...), unusual: unusual})
			return
		}
		// A slot that can still hold all rows of its time grows to the size of
		// the fullest, which stays a uniform sample of its own time.
		if fullest := s.fullest(); len(s.slots[fullest].rows) > len(sl.rows)+1 {
			sl.rows = append(sl.rows, s.evict(fullest).with(values, unusual))
			return
		}
	}
	// Algorithm R: the slot stays a uniform sample of what it was offered.
	if j := s.rng.IntN(sl.seen); j < len(sl.rows) {
		sl.rows[j] = sl.rows[j].with(values, unusual)
	}
}

// with reuses the memory of a row that is given up.
func (r row) with(values []float64, unusual bool) row {
	copy(r.values, values)
	return row{values: r.values, unusual: unusual}
}

// expire drops the slots that time has left behind.
func (s *sample) expire(now int64) {
	oldest := floorDiv(now, s.slot) - slots
	kept := s.slots[:0]
	for _, sl := range s.slots {
		if sl.number > oldest {
			kept = append(kept, sl)
		} else {
			s.rows -= len(sl.rows)
		}
	}
	clear(s.slots[len(kept):])
	s.slots = kept
}

func (s *sample) find(number int64) int {
	for i := range s.slots {
		if s.slots[i].number == number {
			return i
		}
	}
	s.slots = append(s.slots, slot{number: number})
	return len(s.slots) - 1
}

func (s *sample) fullest() int {
	most := 0
	for i := range s.slots {
		if len(s.slots[i].rows) > len(s.slots[most].rows) {
			most = i
		}
	}
	return most
}

// evict removes a random row of a slot.
func (s *sample) evict(at int) row {
	rows := s.slots[at].rows
	j, last := s.rng.IntN(len(rows)), len(rows)-1
	r := rows[j]
	rows[j] = rows[last]
	rows[last] = row{}
	s.slots[at].rows = rows[:last]
	return r
}

func (s *sample) each(fn func(r *row)) {
	for i := range s.slots {
		for j := range s.slots[i].rows {
			fn(&s.slots[i].rows[j])
		}
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (s *sample) append(b []byte) []byte {
	rng, err := s.pcg.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("BUG: iforest: encoding a PCG: %v", err))
	}
	b = codec.AppendInt(codec.AppendString(b, string(rng)), s.slot)
	b = codec.AppendUint(b, uint64(len(s.slots)))
	for _, sl := range s.slots {
		b = codec.AppendInt(b, sl.number)
		b = codec.AppendUint(b, uint64(sl.seen))
		b = codec.AppendUint(b, uint64(len(sl.rows)))
		for _, r := range sl.rows {
			unusual := uint64(0)
			if r.unusual {
				unusual = 1
			}
			b = appendFloats(codec.AppendUint(b, unusual), r.values)
		}
	}
	return b
}

// read reads what append wrote into a fresh sample. Rows in slots of another
// length are left out: the history has been configured anew and starts anew.
func (s *sample) read(r *codec.Reader) {
	if err := s.pcg.UnmarshalBinary([]byte(r.String())); r.OK() && err != nil {
		r.Fail("%w", err)
	}
	sameSlots := r.Int() == s.slot
	for range r.Len(3) {
		sl := slot{number: r.Int(), seen: within(r, "rows offered", 0, 1<<53)}
		for range r.Len(1 + 8*s.features) {
			unusual := within(r, "flag", 0, 1) == 1
			sl.rows = append(sl.rows, row{values: readFloats(r, s.features), unusual: unusual})
		}
		if sl.seen < len(sl.rows) {
			r.Fail("a slot has %d rows of %d", len(sl.rows), sl.seen)
		}
		if sameSlots {
			s.slots = append(s.slots, sl)
			s.rows += len(sl.rows)
		}
	}
	// The bound may have been lowered in the meantime.
	for s.rows > s.max {
		s.evict(s.fullest())
		s.rows--
	}
}
