package limits

import "math"

const (
	// short is how many values the short averages span.
	short = 24

	// restClip bounds a step, in mean steps, so that one jump is not restless.
	restClip = 4
)

// window is the last values, with their sum and the sum of the steps between them.
type window struct {
	sum    float64
	climb  float64
	filled uint8 // of values, since the last gap
	next   uint8 // place of the next one: that of the oldest, once it is full
	values [short]float32
}

func (w *window) full() bool { return w.filled == short }

// push takes a value. most bounds the steps.
func (w *window) push(v float32, most float32) {
	at, sum, climb := int(w.next), w.sum, w.climb
	if w.full() {
		sum -= float64(w.values[at])
		climb -= w.step(at, after(at), most)
	}
	w.values[at] = v
	sum += float64(v)
	if w.filled > 0 {
		climb += w.step(before(at), at, most)
	}
	w.sum, w.climb = sum, climb
	w.filled = min(w.filled+1, short)
	w.next = uint8(after(at))
	if w.next == 0 {
		w.settle(most)
	}
}

func after(at int) int {
	if at == short-1 {
		return 0
	}
	return at + 1
}

func before(at int) int {
	if at == 0 {
		return short - 1
	}
	return at - 1
}

// step is the distance between two values, bounded.
func (w *window) step(a, b int, most float32) float64 {
	return float64(min(abs(w.values[b]-w.values[a]), most))
}

// settle sums anew, so that rounding does not add up, nor a bound that has changed,
// when the newest value is the last of the list.
func (w *window) settle(most float32) {
	w.sum, w.climb = 0, 0
	for i := short - int(w.filled); i < short; i++ {
		w.sum += float64(w.values[i])
		if i > short-int(w.filled) {
			w.climb += w.step(i-1, i, most)
		}
	}
}

// clear empties the window.
func (w *window) clear() { w.filled, w.sum, w.climb = 0, 0, 0 }

// mean is that of a full window.
func (w *window) mean() float32 { return float32(w.sum / short) }

// rest is the mean step within a full window.
func (w *window) rest() float32 { return float32(w.climb / (short - 1)) }

var unbounded = float32(math.Inf(1))
