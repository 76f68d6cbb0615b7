package limits

import (
	"math"

	"buildmon/internal/hourly"
)

const (
	// short is how many values the short averages span.
	short = 24

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
type series struct {
	first, last int64 // times of the first and the newest value
	count       int64
	interval    float64 // usual time between two values, in microseconds

	level, daily, average, rest extremes
	hours                       hours
	flat                        flat

	window  [short]float64 // the last values
	steps   [short]float64 // the distances between them, clipped
	filled  int64          // values since the last gap; the window holds the newest
	climbed int64          // steps since then
	sum     float64        // of the window
	climb   float64        // sum of the steps

	newest float64 // value
	raised float64 // score that a new alert must beat
}

// stale is how much a score counts that belongs to what was reported.
const stale = 0.15

// unit brings a score to 0 to 1.
func unit(score float64) float64 { return score / (1 + score) }

// alert tells whether a score is worth a report: one event is not reported again
// unless it gets worse, or has long faded. It also gives the score from 0 to 1,
// made small if it is not.
func (s *series) alert(score float64, late bool) (float64, bool) {
	worse := score > worseFactor*s.raised
	switch {
	case late:
	case worse:
		s.raised = score
	case score < s.raised:
		s.raised = max(fade*s.raised, score)
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

func (j *judgement) take(view View, score, value, low, high float64) {
	if score > j.score {
		*j = judgement{score, view, value, low, high}
	}
}

// observe judges a value by what came before, and learns it if it is newer.
func (s *series) observe(at int64, v float64) (j judgement) {
	late := s.count > 0 && at <= s.last
	hour24, place := hourly.Slot(at)
	mean, known := s.hours.expect(place)

	j.take(Level, s.level.beyond(v), v, s.level.low, s.level.high)
	if known && s.hours.help(at) {
		trust := s.hours.trust(at)
		j.take(Daily, trust*s.daily.beyondShare(v-mean, dailyShare), v, mean+s.daily.low, mean+s.daily.high)
		if low, high, ok := s.hours.limits(hour24); ok {
			j.take(Hour, trust*past(v, low, high, s.level.scale()), v, low, high)
		}
	}
	if !late {
		s.advance(at)
		s.push(v)
	}
	if average, ok := s.mean(); ok && !late {
		j.take(Average, averageWeight*s.average.beyond(average), average, s.average.low, s.average.high)
		s.average.learn(at, average)
	}
	if rest, ok := s.restlessness(); ok && !late {
		j.take(Rest, restWeight*s.rest.beyond(rest), rest, s.rest.low, s.rest.high)
		s.rest.learn(at, rest)
	}
	if !late {
		s.hours.learn(at, v, s.level.mean, s.level.scale())
		s.level.learn(at, v)
		if known {
			s.daily.learn(at, v-mean)
		}
	}
	proof := min(max(float64(at-s.first)/provingTime, 0), 1)
	j.score *= proof * proof
	j.score += s.graded()
	return j
}

// graded is where a value within the limits stands among its like.
func (s *series) graded() float64 {
	average, ok := s.mean()
	if !ok || s.average.count < warmUp || s.average.dev == 0 {
		return 0
	}
	z := math.Abs(average-s.average.mean) / s.average.dev
	return grade / (1 + gradeAt/z) // z may be 0 or infinite
}

// advance goes to the time of a new value.
func (s *series) advance(at int64) {
	if s.count == 0 {
		s.first = at
	} else {
		gap := float64(at - s.last)
		switch {
		case s.interval == 0:
			s.interval = gap
		case gap > gapFactor*s.interval:
			s.filled, s.climbed, s.sum, s.climb = 0, 0, 0, 0
			s.interval *= drift
		case gap > s.interval:
			s.interval *= drift
		default:
			s.interval /= drift
		}
	}
	s.count++
	s.last = at
}

// push adds a value to the short window.
func (s *series) push(v float64) {
	if s.filled > 0 {
		step := math.Abs(v - s.newest)
		if s.rest.count >= warmUp {
			step = min(step, restClip*s.rest.mean)
		}
		at := s.climbed % short
		if s.climbed >= short {
			s.climb -= s.steps[at]
		}
		s.steps[at] = step
		s.climb += step
		s.climbed++
	}
	at := s.filled % short
	if s.filled >= short {
		s.sum -= s.window[at]
	}
	s.window[at] = v
	s.sum += v
	s.filled++
	s.newest = v
	if at == short-1 {
		s.settle()
	}
}

// settle sums anew, so that rounding does not add up.
func (s *series) settle() {
	s.sum, s.climb = 0, 0
	for _, v := range s.window {
		s.sum += v
	}
	for i := range min(s.climbed, short) {
		s.climb += s.steps[i]
	}
}

// mean is that of the short window, once it is full.
func (s *series) mean() (float64, bool) { return s.sum / short, s.filled >= short }

// restlessness is the mean step within the short window, once it is full.
func (s *series) restlessness() (float64, bool) { return s.climb / short, s.climbed >= short }
