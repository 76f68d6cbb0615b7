package spike

import (
	"math"
	"slices"
)

// series is the window of one metric of one sensor, and the event that is open.
type series struct {
	times  []int64   // ring of the window, in microseconds
	values []float64 // ring of the window
	sorted []float64 // the first n are the values in ascending order
	head   int       // place of the oldest
	n      int

	last     int64 // time of the newest value, in the window or in the event
	shortest int64 // no interval of the window is shorter

	// Values of the open event, from the spike on. Most series never have any.
	heldTimes  []int64
	heldValues []float64
	worst      float64 // distance that was reported; values beyond twice of it are reported too
	silent     bool    // a return to the level before the last event

	// The level before the last event, and how near to it is back; 0 when there
	// was no event, or it is back.
	former, formerLimit float64

	reported *report // the last one
}

type report struct {
	at int64
	Finding
}

// init makes room for a window.
func (s *series) init(window int) {
	floats := make([]float64, 2*window)
	s.times, s.values, s.sorted = make([]int64, window), floats[:window:window], floats[window:]
}

func (s *series) open() bool { return len(s.heldTimes) > 0 }

// empty forgets the window and the event, not what was reported.
func (s *series) empty() {
	s.head, s.n, s.shortest = 0, 0, 0
	s.close()
	s.formerLimit = 0
}

func (s *series) close() {
	s.heldTimes, s.heldValues = s.heldTimes[:0], s.heldValues[:0]
	s.worst, s.silent = 0, false
}

// push adds a value to the window, which loses its oldest when it is full.
func (s *series) push(at int64, v float64) {
	if s.n > 0 {
		interval := at - s.times[(s.head+s.n-1)%len(s.times)]
		if s.n == 1 || interval < s.shortest {
			s.shortest = interval
		}
	}
	if s.n < len(s.values) {
		i := (s.head + s.n) % len(s.values)
		s.times[i], s.values[i] = at, v
	} else {
		i, _ := slices.BinarySearch(s.sorted[:s.n], s.values[s.head])
		copy(s.sorted[i:], s.sorted[i+1:s.n])
		s.times[s.head], s.values[s.head] = at, v
		s.head = (s.head + 1) % len(s.values)
		s.n--
	}
	i, _ := slices.BinarySearch(s.sorted[:s.n], v)
	copy(s.sorted[i+1:s.n+1], s.sorted[i:s.n])
	s.sorted[i] = v
	s.n++
}

// calm takes a value that is no spike.
func (s *series) calm(at int64, v float64) {
	s.close()
	if s.back(v) {
		s.formerLimit = 0
	}
	s.push(at, v)
}

// back tells whether a value is at the level before the last event.
func (s *series) back(v float64) bool { return math.Abs(v-s.former) < s.formerLimit }

// alarm takes a value that is a spike and tells whether to report it.
func (s *series) alarm(at int64, f Finding) bool {
	worth := false
	switch {
	case s.back(f.Value):
		s.silent, s.worst = true, max(s.worst, f.Distance())
	case f.Distance() > worseFactor*s.worst: // worst is 0 when no event is open
		worth = true
		s.silent, s.worst = false, f.Distance()
		s.reported = &report{at, f}
	}
	s.heldTimes, s.heldValues = append(s.heldTimes, at), append(s.heldValues, f.Value)
	if len(s.heldValues) < len(s.values) {
		return worth
	}
	s.former, s.formerLimit = f.Median, f.Limit
	if s.silent {
		s.formerLimit = 0
	}
	s.head, s.n = 0, 0
	for i, v := range s.heldValues {
		s.push(s.heldTimes[i], v)
	}
	s.close()
	return worth
}

// median of the window, which must not be empty. That of an even number of values
// is the mean of the two in the middle.
func (s *series) median() float64 {
	return middle(s.sorted[(s.n-1)/2], s.sorted[s.n/2])
}

// middle does not overflow, as (a+b)/2 would, and is exact if both are equal.
func middle(a, b float64) float64 {
	if a == b {
		return a
	}
	return a/2 + b/2
}

// mad is the median of the distances from the median. It walks outwards from the
// median in both directions, so it needs neither room nor another order.
func (s *series) mad(median float64) float64 {
	right, _ := slices.BinarySearch(s.sorted[:s.n], median)
	left := right - 1
	var lower, upper float64
	for i := 0; i <= s.n/2; i++ {
		lower = upper
		if right == s.n || left >= 0 && median-s.sorted[left] < s.sorted[right]-median {
			upper = median - s.sorted[left]
			left--
		} else {
			upper = s.sorted[right] - median
			right++
		}
	}
	if s.n%2 == 1 {
		return upper
	}
	return middle(lower, upper)
}

// interval is the median time between the values of the window, which must be at
// least two.
func (s *series) interval(scratch *[]int64) int64 {
	intervals := (*scratch)[:0]
	for i := 1; i < s.n; i++ {
		intervals = append(intervals, s.times[(s.head+i)%len(s.times)]-s.times[(s.head+i-1)%len(s.times)])
	}
	slices.Sort(intervals)
	*scratch = intervals
	return (intervals[(len(intervals)-1)/2] + intervals[len(intervals)/2]) / 2
}
