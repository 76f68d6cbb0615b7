package spike

import (
	"math"
	"slices"
)

// series is the window of one metric of one sensor. A million sensors have several
// of them, so it holds no more than a quiet one needs.
type series struct {
	window   []sample // in ascending order of the values; it grows to the size of the window
	last     int64    // time of the newest value, in the window or in the event
	shortest int64    // no interval of the window is shorter
	events   *events  // nil until there is one, and most series never have any
}

type sample struct {
	at    int64 // in microseconds
	value float64
}

// events is what is known of the event that is open, and of the one before.
type events struct {
	held   []sample // values of the open event, from the spike on
	worst  float64  // distance that was reported; values beyond twice of it are reported too
	silent bool     // a return to the level before the last event

	// The level before the last event, and how near to it is back; 0 when there
	// was no event, or it is back.
	former, formerLimit float64

	reported *report // the last one
}

type report struct {
	at int64
	Finding
}

func (s *series) open() bool { return s.events != nil && len(s.events.held) > 0 }

// eventful tells whether there is more to know than the window and what was reported.
func (s *series) eventful() bool { return s.open() || s.events != nil && s.events.formerLimit > 0 }

// empty forgets the window and the event, not what was reported.
func (s *series) empty() {
	s.window, s.shortest = s.window[:0], 0
	s.close()
	s.returned()
}

// close ends the open event.
func (s *series) close() {
	if e := s.events; e != nil {
		e.held, e.worst, e.silent = nil, 0, false
	}
}

// returned forgets the level before the last event.
func (s *series) returned() {
	if s.events != nil {
		s.events.formerLimit = 0
	}
}

// push adds a value to the window, which loses its oldest when it has that size.
func (s *series) push(at int64, v float64, size int) {
	oldest, newest, to := s.places(v)
	if n := len(s.window); n > 0 {
		interval := at - newest
		if n == 1 || interval < s.shortest {
			s.shortest = interval
		}
	}
	free := oldest
	if n := len(s.window); n < size {
		if n == cap(s.window) {
			s.window = s.grown(size)
		}
		free, s.window = n, s.window[:n+1]
	}
	if to > free {
		to--
		copy(s.window[free:to], s.window[free+1:to+1])
	} else {
		copy(s.window[to+1:free+1], s.window[to:free])
	}
	s.window[to] = sample{at, v}
}

// few is how many values a window has room for at first: many sensors never say more.
const few = 2

// grown is the window with room for more values: a few, and then all.
func (s *series) grown(size int) []sample {
	if len(s.window) == 0 {
		size = min(few, size)
	}
	return append(make([]sample, 0, size), s.window...)
}

// places finds the oldest value of the window, the time of its newest, and how many are
// less than v. The order of times among values is as random as can be, so no branch
// depends on it: these are conditional moves.
func (s *series) places(v float64) (oldest int, newest int64, less int) {
	first, newest := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range s.window {
		at := s.window[i].at
		if at < first {
			oldest = i
		}
		first, newest = min(first, at), max(newest, at)
		if s.window[i].value < v {
			less++
		}
	}
	return oldest, newest, less
}

// calm takes a value that is no spike.
func (s *series) calm(at int64, v float64, size int) {
	s.close()
	if s.back(v) {
		s.returned()
	}
	s.push(at, v, size)
}

// back tells whether a value is at the level before the last event.
func (s *series) back(v float64) bool {
	return s.events != nil && math.Abs(v-s.events.former) < s.events.formerLimit
}

// alarm takes a value that is a spike of a full window, and tells whether to report it.
func (s *series) alarm(at int64, f *Finding) bool {
	if s.events == nil {
		s.events = &events{}
	}
	e, worth := s.events, false
	switch {
	case s.back(f.Value):
		e.silent, e.worst = true, max(e.worst, f.Distance())
	case f.Distance() > worseFactor*e.worst: // worst is 0 when no event is open
		worth = true
		e.silent, e.worst = false, f.Distance()
		e.reported = &report{at, *f}
	}
	e.held = append(e.held, sample{at, f.Value})
	size := len(s.window)
	if len(e.held) < size {
		return worth
	}
	e.former, e.formerLimit = f.Median, f.Limit
	if e.silent {
		e.formerLimit = 0
	}
	s.window = s.window[:0]
	for _, h := range e.held {
		s.push(h.at, h.value, size)
	}
	s.close()
	return worth
}

// finding is what is found of a value, by a full window.
func (s *series) finding(metric int, v, median, limit float64) Finding {
	return Finding{Metric: metric, Value: v, Median: median, Limit: limit, Min: s.window[0].value, Max: s.window[len(s.window)-1].value}
}

// median of the window, which must not be empty. That of an even number of values
// is the mean of the two in the middle.
func (s *series) median() float64 {
	return middle(s.window[(len(s.window)-1)/2].value, s.window[len(s.window)/2].value)
}

// middle does not overflow, as (a+b)/2 would, and is exact if both are equal.
func middle(a, b float64) float64 {
	if a == b {
		return a
	}
	return a/2 + b/2
}

// mad is the median of the distances from the median.
func (s *series) mad(median float64) float64 {
	n := len(s.window)
	upper := s.reach(median, n/2+1)
	if n%2 == 1 {
		return upper
	}
	return middle(s.reach(median, n/2), upper)
}

// reach is the distance from the median within which that many values lie. The nearest are
// next to each other in the window, so it is the least that any such run needs: the
// distance of its first or of its last value, whichever is more. At least one of them is
// not negative, and then floats are ordered as their bits.
func (s *series) reach(median float64, count int) float64 {
	least := int64(math.MaxInt64)
	for last := count - 1; last < len(s.window); last++ {
		left, right := median-s.window[last-count+1].value, s.window[last].value-median
		least = min(least, max(int64(math.Float64bits(left)), int64(math.Float64bits(right))))
	}
	return math.Float64frombits(uint64(least))
}

// interval is the median time between the values of the window, which must be at
// least two.
func (s *series) interval(scratch *[]int64) int64 {
	times := (*scratch)[:0]
	for _, w := range s.window {
		times = append(times, w.at)
	}
	slices.Sort(times)
	*scratch = times
	for i := 1; i < len(times); i++ {
		times[i-1] = times[i] - times[i-1]
	}
	intervals := times[:len(times)-1]
	slices.Sort(intervals)
	return (intervals[(len(intervals)-1)/2] + intervals[len(intervals)/2]) / 2
}
