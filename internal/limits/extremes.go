package limits

import "math"

const (
	// blocks of values are remembered by their extremes.
	blocks = 8

	// blockValues and blockTime are how much a block holds at least: whichever is
	// more. So the limits reach back over eight days, or 4,000 values.
	blockValues = 500
	blockTime   = 23 * hour

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

// extremes are the limits of one view of a metric: the second largest and second
// smallest of its last blocks, but not of the newest values. One odd value in eight
// blocks changes nothing.
type extremes struct {
	began   int64  // time of the first value of the current block
	count   uint32 // values learned
	inBlock uint32
	block   uint8
	held    uint8 // newest values, which are not in a block yet

	low, high float32        // the limits; meaningless before there are two values
	mean, dev float32        // slow averages of the values and of their distance from it
	blocks    [blocks]bounds // the current one and those before it
	newest    bounds         // of the held values
}

// bounds are the two largest and the two smallest of some values.
type bounds struct {
	top, bottom [2]float32
}

var (
	inf  = float32(math.Inf(1))
	none = bounds{top: [2]float32{-inf, -inf}, bottom: [2]float32{inf, inf}}
)

func (b *bounds) raise(v float32) {
	if v > b.top[0] {
		b.top[0], b.top[1] = v, b.top[0]
	} else if v > b.top[1] {
		b.top[1] = v
	}
}

func (b *bounds) lower(v float32) {
	if v < b.bottom[0] {
		b.bottom[0], b.bottom[1] = v, b.bottom[0]
	} else if v < b.bottom[1] {
		b.bottom[1] = v
	}
}

func (b *bounds) include(other *bounds) {
	b.raise(other.top[0])
	b.raise(other.top[1])
	b.lower(other.bottom[0])
	b.lower(other.bottom[1])
}

func (e *extremes) init() {
	for i := range e.blocks {
		e.blocks[i] = none
	}
	e.newest = none
	e.refresh()
}

// scale is what counts as far for this view.
func (e *extremes) scale() float64 { return scaleOf * float64(e.dev) }

// width is the distance between the limits.
func (e *extremes) width() float64 { return float64(e.high) - float64(e.low) }

// beyond is how far a value lies past the limits, in scales of at least that size: 0
// within them. A view that was constant until now has no scale.
func (e *extremes) beyond(v, least float64) float64 {
	if e.count < warmUp {
		return 0
	}
	return past(v, float64(e.low), float64(e.high), max(e.scale(), least))
}

// stored is a value as it is remembered. Values are rounded before they are compared
// with what is remembered, so that equal ones stay equal.
func stored(v float64) float64 { return float64(float32(v)) }

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

// learn takes a value.
func (e *extremes) learn(at int64, v float64) {
	if e.count >= warmUp {
		v = stored(nearer(v, float64(e.low), float64(e.high), e.scale()))
	}
	if e.count == 0 {
		e.mean, e.began = float32(v), at
	}
	if e.count < math.MaxUint32 {
		e.count++
	}
	share := max(slow, 1/float64(e.count))
	off := v - float64(e.mean)
	e.dev += float32(share * (math.Abs(off) - float64(e.dev)))
	e.mean += float32(share * off)

	e.newest.raise(float32(v))
	e.newest.lower(float32(v))
	if e.held++; e.held < short && e.count > warmUp {
		return
	}
	e.blocks[e.block].include(&e.newest)
	e.inBlock += uint32(e.held)
	e.newest, e.held = none, 0
	if e.inBlock >= blockValues && at-e.began >= blockTime {
		e.inBlock, e.began = 0, at
		e.block = (e.block + 1) % blocks
		e.blocks[e.block] = none
	}
	e.refresh()
}

// refresh finds the limits among the blocks.
func (e *extremes) refresh() {
	all := none
	for i := range e.blocks {
		all.include(&e.blocks[i])
	}
	e.low, e.high = all.bottom[1], all.top[1]
}
