package iforest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"buildmon/internal/codec"
	"buildmon/internal/hourly"
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

	slots   []slot // at most slots+1, in no order
	rows    int
	expired int64 // number of the latest slot that time has left behind
}

type slot struct {
	number int64 // covers [number*length, (number+1)*length)
	seen   int   // rows offered so far
	rows   []row
}

type row struct {
	values []float32
	at     int64 // its time, µs
	place  uint8 // in the week, of hourly.Slot
	mark   mark

	// What was said when it came; 0 if it was not judged.
	score, sustained float32
}

// mark is what was said of a row.
type mark uint8

const (
	usual     mark = iota
	unusual        // the first of an event
	continued      // a further one
)

func markOf(j Judgement) mark {
	switch {
	case !j.Unusual:
		return usual
	case j.Continues:
		return continued
	}
	return unusual
}

func newSample(history int64, maxRows, features int, seed uint64) *sample {
	pcg := rand.NewPCG(seed, 0)
	return &sample{slot: max(1, history/slots), max: maxRows, features: features, pcg: pcg, rng: rand.New(pcg), expired: math.MinInt64}
}

// add offers a row of time at, when time has come to now. Rows older than the
// history are not taken.
func (s *sample) add(now, at int64, values []float64, j Judgement) {
	s.expire(now)
	number := floorDiv(at, s.slot)
	if number <= s.expired {
		return
	}
	here := s.find(number)
	sl := &s.slots[here]
	sl.seen++
	if complete := len(sl.rows) == sl.seen-1; complete {
		if s.rows < s.max {
			s.rows++
			fresh := row{values: make([]float32, s.features)}
			sl.rows = append(sl.rows, fresh.with(at, values, j))
			return
		}
		// A slot that can still hold all rows of its time grows to the size of
		// the fullest, which stays a uniform sample of its own time.
		if fullest := s.fullest(); len(s.slots[fullest].rows) > len(sl.rows)+1 {
			sl.rows = append(sl.rows, s.evict(fullest).with(at, values, j))
			return
		}
	}
	// Algorithm R: the slot stays a uniform sample of what it was offered.
	if i := s.rng.IntN(sl.seen); i < len(sl.rows) {
		sl.rows[i] = sl.rows[i].with(at, values, j)
	}
}

// with reuses the memory of a row that is given up.
func (r row) with(at int64, values []float64, j Judgement) row {
	for i, v := range values {
		r.values[i] = float32(v)
	}
	_, place := hourly.Slot(at)
	return row{values: r.values, at: at, place: uint8(place), mark: markOf(j), score: float32(j.Score), sustained: float32(j.Sustained)}
}

// expire drops the slots that time has left behind.
func (s *sample) expire(now int64) {
	oldest := floorDiv(now, s.slot) - slots
	if oldest == s.expired {
		return
	}
	s.expired = oldest
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

// perDay is how many rows are offered in a day, over the slots there are.
func (s *sample) perDay() float64 {
	seen := 0
	for i := range s.slots {
		seen += s.slots[i].seen
	}
	const day = 24 * 3600 * 1_000_000
	return float64(seen) * day / (float64(len(s.slots)) * float64(s.slot))
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
			b = codec.AppendUint(b, uint64(r.mark))
			b = codec.AppendInt(b, r.at-sl.number*s.slot)
			b = codec.AppendFloat32(codec.AppendFloat32(b, r.score), r.sustained)
			for _, v := range r.values {
				b = codec.AppendFloat32(b, v)
			}
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
	length := r.Int()
	sameSlots := length == s.slot
	for range r.Len(3) {
		sl := slot{number: r.Int(), seen: within(r, "rows offered", 0, 1<<53)}
		for range r.Len(1 + 1 + 8 + 4*s.features) {
			got := row{mark: mark(within(r, "mark", 0, uint64(continued))), at: sl.number*length + r.Int(), values: make([]float32, s.features)}
			if got.score, got.sustained = r.Float32(), r.Float32(); !(got.score >= 0 && got.score < 1 && got.sustained >= 0 && got.sustained < 1) {
				r.Fail("scores of %v and %v cannot be", got.score, got.sustained)
			}
			_, place := hourly.Slot(got.at)
			got.place = uint8(place)
			for i := range got.values {
				got.values[i] = r.Float32()
			}
			sl.rows = append(sl.rows, got)
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
