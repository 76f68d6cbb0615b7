package limits

import "math"

const (
	// warmUp is how many values a view must have had before it judges.
	warmUp = 100

	// slow is the share of a new value in the long averages.
	slow = 1.0 / 2000

	// scaleOf is how many mean absolute deviations make a scale.
	scaleOf = 2

	// A value past a limit is learned as if it lay nearer: at most clipScales scales
	// or clipShare of its distance past it, whichever is more.
	clipScales = 5
	clipShare  = 0.1
)

// extremes are the limits of one view of a metric, and what its newest values will add
// to them.
type extremes struct {
	low, high float32 // the limits; meaningless before there are two values
	mean, dev float32 // slow averages of the values and of their distance from it
	count     uint32  // values learned
	newest    bounds  // of values that are in no block yet
}

// bounds are the two largest and the two smallest of some values.
type bounds struct {
	top, bottom [2]float32
}

var (
	inf  = float32(math.Inf(1))
	none = bounds{top: [2]float32{-inf, -inf}, bottom: [2]float32{inf, inf}}
)

// add takes a value. What is larger is moved as bits, for which there are instructions
// without a branch: among the newest values nobody can tell which one is next.
func (b *bounds) add(v float32) {
	bits := math.Float32bits(v)
	first, second := math.Float32bits(b.top[0]), math.Float32bits(b.top[1])
	if v > b.top[1] {
		second = bits
	}
	if v > b.top[0] {
		second = first
	}
	if v > b.top[0] {
		first = bits
	}
	b.top[0], b.top[1] = math.Float32frombits(first), math.Float32frombits(second)
	first, second = math.Float32bits(b.bottom[0]), math.Float32bits(b.bottom[1])
	if v < b.bottom[1] {
		second = bits
	}
	if v < b.bottom[0] {
		second = first
	}
	if v < b.bottom[0] {
		first = bits
	}
	b.bottom[0], b.bottom[1] = math.Float32frombits(first), math.Float32frombits(second)
}

func (b *bounds) include(other *bounds) {
	b.top[1] = max(min(b.top[0], other.top[0]), b.top[1], other.top[1])
	b.top[0] = max(b.top[0], other.top[0])
	b.bottom[1] = min(max(b.bottom[0], other.bottom[0]), b.bottom[1], other.bottom[1])
	b.bottom[0] = min(b.bottom[0], other.bottom[0])
}

func (e *extremes) init() { e.low, e.high, e.newest = inf, -inf, none }

// scale is what counts as far for this view.
func (e *extremes) scale() float64 { return scaleOf * float64(e.dev) }

// width is the distance between the limits.
func (e *extremes) width() float64 { return float64(e.high) - float64(e.low) }

// outside tells whether a value lies past the limits.
func (e *extremes) outside(v float32) bool { return (v > e.high || v < e.low) && e.count >= warmUp }

// beyond is how far a value lies past the limits, in scales of at least that size: 0
// within them. A view that was constant until now has no scale.
func (e *extremes) beyond(v float32, least float64) float64 {
	return past(float64(v), float64(e.low), float64(e.high), max(e.scale(), least))
}

// farthest is what scores approach: more than this cannot be said. It is the score of
// a metric that has never moved, and so has no scale, when it moves.
const farthest = 10

func past(v, low, high, scale float64) float64 {
	var d float64
	switch {
	case v > high:
		d = v - high
	case v < low:
		d = low - v
	default:
		return 0
	}
	return farthest / (1 + farthest*scale/d) // without a division by 0, however small d is
}

// nearer is what is learned of a value.
func nearer(v, low, high, scale float64) float64 {
	switch {
	case v > high:
		return min(v, high+max(clipScales*scale, clipShare*(v-high)))
	case v < low:
		return max(v, low-max(clipScales*scale, clipShare*(low-v)))
	}
	return v
}

// learn takes a value, and whether it lies outside.
func (e *extremes) learn(v float32, outside bool) {
	if outside {
		v = float32(nearer(float64(v), float64(e.low), float64(e.high), e.scale()))
	}
	if e.count == 0 {
		e.mean = v
	}
	share := float32(slow)
	if e.count < 1/slow {
		share = 1 / float32(e.count+1)
	}
	if e.count < math.MaxUint32 {
		e.count++
	}
	off := v - e.mean
	e.dev += share * (abs(off) - e.dev)
	e.mean += share * off
	e.newest.add(v)
}

// limit sets the limits to what those of two bounds are together.
func (e *extremes) limit(current, past *bounds) {
	all := *past
	all.include(current)
	e.low, e.high = all.bottom[1], all.top[1]
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
