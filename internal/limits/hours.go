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
	mean  [48]float64 // the second half is for weekends
	known [48]bool

	since      int64 // time of the first value
	count      int64
	error      float64 // slow average of the distance from the mean of the hour
	plain      float64 // the same from the slow mean of all
	generation int64   // time of the first value of the current generation
	// Extremes of each hour of the day, in this generation and the one before.
	low, high [2][24]float64

	judged      int32 // hour of the day whose limits these are; -1 for none
	bottom, top float64
}

func (h *hours) init() {
	for g := range h.low {
		h.clear(g)
	}
	h.judged = -1
}

func (h *hours) clear(generation int) {
	for i := range 24 {
		h.low[generation][i], h.high[generation][i] = math.Inf(1), math.Inf(-1)
	}
}

// expect is the mean of an hour, and false if nothing is known of it. An hour of
// the weekend that is new is expected to be as on work days, and the reverse.
func (h *hours) expect(place int) (float64, bool) {
	if h.known[place] {
		return h.mean[place], true
	}
	other := (place + 24) % 48
	return h.mean[other], h.known[other]
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
		h.bottom, h.top = math.Inf(1), math.Inf(-1)
		for g := range h.low {
			for _, i := range [...]int{(hour24 + 23) % 24, hour24, (hour24 + 1) % 24} {
				h.bottom, h.top = min(h.bottom, h.low[g][i]), max(h.top, h.high[g][i])
			}
		}
	}
	return h.bottom, h.top, h.bottom <= h.top
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
	h.count++
	if mean, known := h.expect(place); known {
		share := max(slow, 1/float64(h.count))
		off := v - mean
		h.error += share * (math.Abs(off) - h.error)
		h.plain += share * (math.Abs(v-level) - h.plain)
		most := clipDeviations * h.error
		h.mean[place] = mean + quick*min(max(off, -most), most)
	} else {
		h.mean[place] = v
	}
	h.known[place] = true

	if low, high, ok := h.limits(hour24); ok {
		v = nearer(v, low, high, scale)
	}
	h.low[0][hour24], h.high[0][hour24] = min(h.low[0][hour24], v), max(h.high[0][hour24], v)
	h.bottom, h.top = min(h.bottom, v), max(h.top, v)
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
