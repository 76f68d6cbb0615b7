package limits

import "math"

const (
	// averageWeight and restWeight are how much the short averages count against the
	// other views.
	averageWeight = 0.75
	restWeight    = 0.5

	// dailyShare is the least scale of the Daily view, as a share of the distance
	// between its limits. Around noon values lie much farther from their mean than at
	// night, so a mean deviation of all day is small.
	dailyShare = 0.15

	// provingTime is how long a sensor must be known for its limits to count in full.
	// Before, they count by the square of the share: what was not seen in half a day
	// may come every afternoon.
	provingTime = 3 * day

	// gapFactor is how many usual intervals are a gap.
	gapFactor = 10

	// drift is how much the usual interval follows a new one.
	drift = 1.05

	// An event is reported again when its score is worseFactor times what it was. Of that
	// a lower score leaves the share fade.
	worseFactor = 1.5
	fade        = 0.99

	// Within the limits, a score says how far the short mean is from the long one: at
	// most grade, and half of that at gradeAt mean deviations.
	grade   = 0.1
	gradeAt = 10
)

// View is a way of looking at a metric.
type View uint8

// The views.
const (
	Level   View = iota // the value
	Hour                // the value, against the extremes of this hour of the day
	Daily               // how far the value is from the mean of this hour of the day
	Average             // the mean of the last 24 values
	Rest                // the mean step between the last 24 values
	Stuck               // how often the value has repeated itself
)

// series is what is known of one metric of one sensor. What each value asks for comes
// first.
//
// What is remembered of values is their distance from the first, in single precision:
// so its last digit is about a ten-millionth of how far the metric moves. Values are
// rounded before they are compared with what is remembered, so that equal ones stay
// equal.
type series struct {
	origin      float64 // the first value
	newest      float64 // value, not its distance from the first
	first, last int64   // times of the first and the newest value
	count       uint32
	interval    float32 // usual time between two values, in microseconds
	raised      float32 // score that a new alert must beat

	level, daily, average, rest extremes

	flat   flat
	window window
	hours  hours
	blocks blocks
}

// stale is how much a score counts that belongs to what was reported.
const stale = 0.15

// unit brings a score to 0 to 1.
func unit(score float64) float64 { return score / (1 + score) }

// alert tells whether a score is worth a report: one event is not reported again
// unless it gets worse, or has long faded. It also gives the score from 0 to 1,
// made small if it is not.
func (s *series) alert(score float64, late bool) (float64, bool) {
	raised := float64(s.raised)
	worse := score > worseFactor*raised
	switch {
	case late:
	case worse:
		s.raised = float32(score)
	case score < raised:
		s.raised = float32(max(fade*raised, score))
	}
	switch {
	case score <= grade:
		return unit(score), false
	case !worse:
		return stale * unit(score), false
	}
	return unit(score), true
}

func (s *series) init() {
	for _, e := range s.views() {
		e.init()
	}
	s.hours.init()
	s.blocks.list = []block{empty}
	s.blocks.past = empty
}

// views are those that keep extremes of their own, in the order of a block.
func (s *series) views() [own]*extremes {
	return [...]*extremes{&s.level, &s.daily, &s.average, &s.rest}
}

// judgement is what the views say of a value.
type judgement struct {
	score     float64 // in scales past the limit, weighed; or the grade within the limits
	view      View
	value     float64 // in the view
	low, high float64 // limits of the view
}

// consider keeps what is farther out.
func (j *judgement) consider(other judgement) {
	if other.score > j.score {
		*j = other
	}
}

// by is what a view says of a value past its limits, for which it has a weight. The limits
// of the view are around a centre. Where days differ, the next one may well reach as far
// past them as they lie past what most days reach.
func (s *series) by(view View, place int, weight, least float64, v, centre float32) judgement {
	e := s.views()[place]
	score := e.beyond(v, max(least, s.blocks.differ(place, e, v)))
	return judgement{weight * score, view, float64(v) + float64(centre), float64(e.low) + float64(centre), float64(e.high) + float64(centre)}
}

// stands takes a value that is not late, and says how far past what is usual it stands
// still.
func (s *series) stands(at int64, v float64) float64 {
	f := &s.flat
	if s.count == 0 {
		f.since = at
		return 0
	}
	past := f.observe(at, v == s.newest, s.count)
	if f.since-s.first < day && at-f.since < day {
		return 0 // nobody knows yet how still its nights are
	}
	return past
}

// observe judges a value of an hour by what came before, in scales of at least that
// size, and learns it if it is newer. It returns the score; only of a value past the
// limits there is more to say, which it writes to j.
func (s *series) observe(at int64, number int64, value, least float64, late bool, j *judgement) float64 {
	if s.count == 0 {
		s.origin = value
		s.blocks.began = at
	}
	v := float32(value - s.origin)
	h := &s.hours
	if number != h.number {
		h.turn(number, late)
	}
	off := v - h.mean

	j.score = 0
	outside := s.level.outside(v)
	if outside {
		*j = s.by(Level, ofLevel, 1, least, v, 0)
	}
	if h.trust > 0 && h.known() && s.daily.count >= warmUp && s.daily.dev < helpful*s.level.dev {
		s.byHour(j, v, off, least)
	}
	if !late {
		s.advance(at)
		s.newest = value
		s.push(v)
	}
	full, average := s.window.full(), s.window.mean()
	if !late {
		if full {
			s.short(j, average, least)
		}
		if h.known() {
			s.daily.learn(off, s.daily.outside(off))
		}
		h.learn(v, s.interval, s.daily.dev, s.level.scale())
		s.level.learn(v, outside)
		if s.window.next == 0 { // at the beginning of its list again, so these are as many as it holds
			s.blocks.settle(at, s.views())
		}
	}
	if j.score > 0 {
		proof := min(max(float64(at-s.first)/provingTime, 0), 1)
		j.score *= proof * proof
		if j.view != Rest {
			j.value, j.low, j.high = j.value+s.origin, j.low+s.origin, j.high+s.origin
		}
	}
	if !full {
		return j.score
	}
	return j.score + s.graded(average)
}

// byHour judges a value by what is usual at this hour.
func (s *series) byHour(j *judgement, v, off float32, least float64) {
	h := &s.hours
	if h.trustMean > 0 && s.daily.outside(off) {
		d := s.by(Daily, ofDaily, float64(h.trustMean), max(least, dailyShare*s.daily.width()), off, h.mean)
		// What is usual at this hour has been there at some hour: no -7 to 41 persons.
		if off > s.daily.high {
			d.low = min(max(d.low, float64(s.level.low)), d.high)
		} else {
			d.high = max(min(d.high, float64(s.level.high)), d.low)
		}
		j.consider(d)
	}
	if h.outside(v) {
		score := past(float64(v), float64(h.bottom), float64(h.top), max(s.level.scale(), least))
		j.consider(judgement{float64(h.trust) * score, Hour, float64(v), float64(h.bottom), float64(h.top)})
	}
}

// short judges and learns the mean of the short window and of the steps in it.
func (s *series) short(j *judgement, average float32, least float64) {
	rest := s.window.rest()
	high, restless := s.average.outside(average), s.rest.outside(rest)
	if high {
		j.consider(s.by(Average, ofAverage, averageWeight, least, average, 0))
	}
	if restless {
		j.consider(s.by(Rest, ofRest, restWeight, least, rest, 0))
	}
	s.average.learn(average, high)
	s.rest.learn(rest, restless)
}

// graded is where a value with this short average stands among its like, within the limits.
func (s *series) graded(average float32) float64 {
	if s.average.count < warmUp || s.average.dev == 0 {
		return 0
	}
	off, dev := float64(abs(average-s.average.mean)), float64(s.average.dev)
	return grade * off / (off + gradeAt*dev)
}

// advance goes to the time of a new value.
func (s *series) advance(at int64) {
	if s.count == 0 {
		s.first = at
	} else {
		gap := float32(at - s.last)
		switch {
		case s.interval == 0:
			s.interval = gap
		case gap > gapFactor*s.interval:
			s.window.clear()
			s.interval *= drift
		case gap > s.interval:
			s.interval *= drift
		default:
			s.interval /= drift
		}
	}
	if s.count < math.MaxUint32 {
		s.count++
	}
	s.last = at
}

// push adds a value to the short window.
func (s *series) push(v float32) {
	most := unbounded
	if s.rest.count >= warmUp {
		most = restClip * s.rest.mean
	}
	s.window.push(v, most)
}
