package limits

import (
	"math"

	"buildmon/internal/hourly"
)

const (
	hour = 3600 * 1_000_000 // in microseconds, as all times
	day  = 24 * hour

	// quick is the share of a new value in the mean of its hour.
	quick = 0.1

	// clipDeviations is how many mean deviations a value counts for in the mean of
	// its hour.
	clipDeviations = 3

	// helpful is how much smaller the error of the hours must be than that of one
	// level for all day, to be used.
	helpful = 0.8

	// The hours are used when they have been learned for regular and for regularValues
	// values. Then they count by how far the time is from untrusted to trusted.
	regular       = 3 * day
	regularValues = 100
	untrusted     = 2 * day
	trusted       = 7 * day

	// generation is how long extremes of the hours are collected before older ones
	// are dropped. They reach back over one to two generations.
	generation = 7 * day
)

// hours is what is usual at an hour of the day: its mean, on work days and
// weekends, and the extremes of the last one or two weeks. Hours are those of UTC;
// all that matters is that they come again every day.
type hours struct {
	since      int64 // time of the first value
	generation int64 // time of the first value of the current generation
	count      uint32
	error      float32 // slow average of the distance from the mean of the hour
	plain      float32 // the same from the slow mean of all

	mean [48]float32 // NaN for one of which nothing is known; the second half is for weekends

	// Extremes of each hour of the day, in this generation and the one before.
	low, high [2][24]float32

	judged      int32 // hour of the day whose limits these are; -1 for none
	bottom, top float32
}

func (h *hours) init() {
	for i := range h.mean {
		h.mean[i] = float32(math.NaN())
	}
	for g := range h.low {
		h.clear(g)
	}
	h.judged = -1
}

func (h *hours) clear(generation int) {
	for i := range 24 {
		h.low[generation][i], h.high[generation][i] = inf, -inf
	}
}

// expect is the mean of an hour, and false if nothing is known of it. An hour of
// the weekend that is new is expected to be as on work days, and the reverse.
func (h *hours) expect(place int) (float64, bool) {
	mean := h.mean[place]
	if mean != mean { // NaN
		mean = h.mean[(place+24)%48]
	}
	return float64(mean), mean == mean
}

// help tells whether the values repeat every day, so that the hour says more than
// the level does.
func (h *hours) help(at int64) bool {
	return h.count >= regularValues && at-h.since >= regular && h.error < helpful*h.plain
}

// trust is how much the hours count.
func (h *hours) trust(at int64) float64 {
	return min(float64(at-h.since-untrusted)/(trusted-untrusted), 1)
}

// limits are the extremes of an hour and its neighbours, and false if there are
// none.
func (h *hours) limits(hour24 int) (low, high float64, ok bool) {
	if int(h.judged) != hour24 {
		h.judged = int32(hour24)
		h.bottom, h.top = inf, -inf
		for g := range h.low {
			for _, i := range [...]int{(hour24 + 23) % 24, hour24, (hour24 + 1) % 24} {
				h.bottom, h.top = min(h.bottom, h.low[g][i]), max(h.top, h.high[g][i])
			}
		}
	}
	return float64(h.bottom), float64(h.top), h.bottom <= h.top
}

// learn takes a value, and the slow mean and the scale of all before it.
func (h *hours) learn(at int64, v, level, scale float64) {
	hour24, place := hourly.Slot(at)
	if h.count == 0 {
		h.since, h.generation = at, at
	}
	if at-h.generation >= generation {
		h.turn(at)
	}
	if h.count < math.MaxUint32 {
		h.count++
	}
	if mean, known := h.expect(place); known {
		share := max(slow, 1/float64(h.count))
		off := v - mean
		h.error += float32(share * (math.Abs(off) - float64(h.error)))
		h.plain += float32(share * (math.Abs(v-level) - float64(h.plain)))
		most := clipDeviations * float64(h.error)
		h.mean[place] = float32(mean + quick*min(max(off, -most), most))
	} else {
		h.mean[place] = float32(v)
	}

	if low, high, ok := h.limits(hour24); ok {
		v = nearer(v, low, high, scale)
	}
	seen := float32(v)
	h.low[0][hour24], h.high[0][hour24] = min(h.low[0][hour24], seen), max(h.high[0][hour24], seen)
	h.bottom, h.top = min(h.bottom, seen), max(h.top, seen)
}

// turn starts a new generation.
func (h *hours) turn(at int64) {
	h.low[1], h.high[1] = h.low[0], h.high[0]
	h.clear(0)
	if at-h.generation >= 2*generation {
		h.clear(1)
		h.since = at
	}
	h.generation, h.judged = at, -1
}
