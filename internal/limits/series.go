package limits

import (
	"math"

	"buildmon/internal/hourly"
)

const (
	// short is how many values the short averages span.
	short = 24

	// full is where the count of values in the short window starts again from short, so
	// that it tells both whether the window is full and where the oldest value is.
	full = short << 20

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
	provingTime = 2 * day

	// restClip bounds a step, in mean steps, so that one jump is not restless.
	restClip = 4

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

// series is what is known of one metric of one sensor.
//
// What is remembered of values is their distance from the first, in single precision:
// so its last digit is about a ten-millionth of how far the metric moves.
type series struct {
	origin      float64 // the first value
	first, last int64   // times of the first and the newest value
	count       uint32
	filled      uint32  // values since the last gap, as far as that matters
	interval    float32 // usual time between two values, in microseconds
	raised      float32 // score that a new alert must beat

	level, daily, average, rest extremes
	hours                       hours
	flat                        flat

	window [short]float32 // the last values
	sum    float64        // of them
	climb  float64        // sum of the steps within it

	newest float64 // value, not its distance from the first
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
	for _, e := range s.own() {
		e.init()
	}
	s.hours.init()
}

// own are the views that keep extremes of their own.
func (s *series) own() [4]*extremes {
	return [...]*extremes{&s.level, &s.daily, &s.average, &s.rest}
}

// judgement is what the views say of a value.
type judgement struct {
	score     float64 // in scales past the limit, weighed; or the grade within the limits
	view      View
	value     float64 // in the view
	low, high float64 // limits of the view
}

// take keeps what is farther out. The limits of the view are around a centre.
func (j *judgement) take(view View, score, value float64, e *extremes, centre float64) {
	if score > j.score {
		*j = judgement{score, view, value, centre + float64(e.low), centre + float64(e.high)}
	}
}

// observe judges a value by what came before, in scales of at least that size, and
// learns it if it is newer.
func (s *series) observe(at int64, v, least float64) (j judgement) {
	if s.count == 0 {
		s.origin = v
	}
	late := s.count > 0 && at <= s.last
	whole := v
	v = stored(v - s.origin)
	hour24, place := hourly.Slot(at)
	mean, known := s.hours.expect(place)

	j.take(Level, s.level.beyond(v, least), v, &s.level, 0)
	if known && s.hours.help(at) {
		trust := s.hours.trust(at)
		j.take(Daily, trust*s.daily.beyond(stored(v-mean), max(least, dailyShare*s.daily.width())), v, &s.daily, mean)
		if low, high, ok := s.hours.limits(hour24); ok {
			if score := trust * past(v, low, high, max(s.level.scale(), least)); score > j.score {
				j = judgement{score, Hour, v, low, high}
			}
		}
	}
	if !late {
		s.advance(at)
		s.push(v)
		s.newest = whole
	}
	if average, ok := s.mean(); ok && !late {
		j.take(Average, averageWeight*s.average.beyond(average, least), average, &s.average, 0)
		s.average.learn(at, average)
	}
	if rest, ok := s.restlessness(); ok && !late {
		j.take(Rest, restWeight*s.rest.beyond(rest, least), rest, &s.rest, 0)
		s.rest.learn(at, rest)
	}
	if !late {
		s.hours.learn(at, v, float64(s.level.mean), s.level.scale())
		s.level.learn(at, v)
		if known {
			s.daily.learn(at, stored(v-mean))
		}
	}
	proof := min(max(float64(at-s.first)/provingTime, 0), 1)
	j.score *= proof * proof
	if j.view != Rest {
		j.value, j.low, j.high = j.value+s.origin, j.low+s.origin, j.high+s.origin
	}
	j.score += s.graded()
	return j
}

// graded is where a value within the limits stands among its like.
func (s *series) graded() float64 {
	average, ok := s.mean()
	if !ok || s.average.count < warmUp || s.average.dev == 0 {
		return 0
	}
	z := math.Abs(average-float64(s.average.mean)) / float64(s.average.dev)
	return grade / (1 + gradeAt/z) // z may be 0 or infinite
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
			s.filled, s.sum, s.climb = 0, 0, 0
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
func (s *series) push(v float64) {
	at := s.filled % short
	if s.filled >= short {
		s.sum -= float64(s.window[at])
		s.climb -= s.step(at, (at+1)%short)
	}
	s.window[at] = float32(v)
	s.sum += v
	if s.filled > 0 {
		s.climb += s.step((at+short-1)%short, at)
	}
	if s.filled++; s.filled == full {
		s.filled = short
	}
	if at == short-1 {
		s.settle()
	}
}

// step is the distance between two values of the window, clipped.
func (s *series) step(a, b uint32) float64 {
	step := math.Abs(float64(s.window[b] - s.window[a]))
	if s.rest.count >= warmUp {
		step = min(step, restClip*float64(s.rest.mean))
	}
	return step
}

// settle sums anew, so that rounding does not add up, nor a clip that has changed.
func (s *series) settle() {
	s.sum, s.climb = float64(s.window[0]), 0
	for i := uint32(1); i < short; i++ {
		s.sum += float64(s.window[i])
		s.climb += s.step(i-1, i)
	}
}

// mean is that of the short window, once it is full.
func (s *series) mean() (float64, bool) { return stored(s.sum / short), s.filled >= short }

// restlessness is the mean step within the short window, once it is full.
func (s *series) restlessness() (float64, bool) {
	return stored(s.climb / (short - 1)), s.filled >= short
}
