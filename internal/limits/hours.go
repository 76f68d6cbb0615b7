package limits

import (
	"math"

	"buildmon/internal/hourly"
)

const (
	hour = 3600 * 1_000_000 // in microseconds, as all times
	day  = 24 * hour

	// A new value has the share quick in the mean of its hour, or its interval's share of
	// most of an hour, if that is less: so a fault of an hour changes it by as much for all
	// sensors that report every five minutes or more often.
	quick      = 0.1
	mostOfHour = 50 * hour / 60

	// clipDeviations is how many mean deviations a value counts for in the mean of
	// its hour.
	clipDeviations = 3

	// helpful is how much smaller the mean deviation from the mean of the hour must be
	// than that from one level for all day, for the hours to be used.
	helpful = 0.8

	// The hours are used when they have been learned for regular, and their means when
	// that much of it was on days of the same kind: work days, or weekends. Then they
	// count by how far that time is from untrusted to trusted.
	regular   = 3 * day
	untrusted = 2 * day
	trusted   = 7 * day

	// generation is how long extremes of the hours are collected before older ones
	// are dropped. They reach back over one to two generations.
	generation = 7 * day
)

// hours is what is usual at an hour of the day: its mean, on work days and
// weekends, and the extremes of the last one or two weeks. Hours are those of UTC;
// all that matters is that they come again every day.
//
// What an hour needs is at hand; the others are in the week, which a metric has that
// was seen in two hours.
type hours struct {
	number int64 // of the hour that is at hand, since 1970, or nowhere

	// How much the extremes of hours count, and the mean of this one, which is known for
	// days of its kind only.
	trust, trustMean float32

	mean        float32 // NaN if nothing is known of it
	low, high   float32 // extremes in this generation
	bottom, top float32 // extremes of the hour and its neighbours in both generations
	learned     bool    // something about it that is not in the week

	week       *week
	since      int64 // beginning of the first hour
	generation int64 // and of the first one of the current generation
}

// week is what is known of all hours.
type week struct {
	mean [hourly.Places]float32 // NaN for one of which nothing is known

	// Extremes of each hour of the day, in this generation and the one before.
	low, high [2][24]float32
}

const nowhere = math.MinInt64

func (h *hours) init() {
	h.number = nowhere
	h.mean, h.low, h.high, h.bottom, h.top = nan, inf, -inf, inf, -inf
}

var nan = float32(math.NaN())

func newWeek() *week {
	w := &week{}
	for i := range w.mean {
		w.mean[i] = nan
	}
	for g := range w.low {
		w.clear(g)
	}
	return w
}

func (w *week) clear(generation int) {
	for i := range 24 {
		w.low[generation][i], w.high[generation][i] = inf, -inf
	}
}

// turn brings another hour at hand. One that is late does not make time go on.
func (h *hours) turn(number int64, late bool) {
	begin := number * hour
	if h.number == nowhere && h.week == nil {
		h.since, h.generation = begin, begin
	} else {
		h.keep()
		if !late && begin-h.generation >= generation {
			h.age(begin)
		}
		h.fetch(number)
	}
	h.number = number
	h.trust = trust(begin - h.since)
	h.trustMean = trust(hourly.Alike(h.since, begin))
}

// trust is how much counts what was learned for some time.
func trust(known int64) float32 {
	if known < regular {
		return 0
	}
	return min(float32(known-untrusted)/(trusted-untrusted), 1)
}

// keep writes the hour that is at hand into the week.
func (h *hours) keep() {
	if h.week == nil {
		h.week = newWeek()
	}
	h.put(h.week)
	h.learned = false
}

// put writes what has been learned of the hour at hand into a week.
func (h *hours) put(w *week) {
	if h.learned {
		hour24, place := hourly.Slot(h.number * hour)
		w.mean[place] = h.mean
		w.low[0][hour24], w.high[0][hour24] = h.low, h.high
	}
}

// fetch reads an hour from the week.
func (h *hours) fetch(number int64) {
	w := h.week
	hour24, place := hourly.Slot(number * hour)
	h.mean = w.mean[place]
	h.low, h.high = w.low[0][hour24], w.high[0][hour24]
	h.bottom, h.top = inf, -inf
	for g := range w.low {
		for _, i := range [...]int{(hour24 + 23) % 24, hour24, (hour24 + 1) % 24} {
			h.bottom, h.top = min(h.bottom, w.low[g][i]), max(h.top, w.high[g][i])
		}
	}
}

// age starts a new generation.
func (h *hours) age(at int64) {
	w := h.week
	w.low[1], w.high[1] = w.low[0], w.high[0]
	w.clear(0)
	if at-h.generation >= 2*generation {
		w.clear(1)
		h.since = at
	}
	h.generation = at
}

// known tells whether there is a mean of the hour.
func (h *hours) known() bool { return h.mean == h.mean }

// outside tells whether a value lies past the extremes of the hour and its neighbours.
func (h *hours) outside(v float32) bool { return (v > h.top || v < h.bottom) && h.bottom <= h.top }

// learn takes a value, the usual interval, the mean deviation from the mean of
// hours, and the scale of all values.
func (h *hours) learn(v, interval, deviation float32, scale float64) {
	h.learned = true
	if h.known() {
		most := clipDeviations * deviation
		h.mean += min(quick, interval/mostOfHour) * min(max(v-h.mean, -most), most)
	} else {
		h.mean = v
	}
	if h.outside(v) {
		v = float32(nearer(float64(v), float64(h.bottom), float64(h.top), scale))
	}
	if v < h.low || v > h.high { // what is within these is within the others, too
		h.low, h.high = min(h.low, v), max(h.high, v)
		h.bottom, h.top = min(h.bottom, v), max(h.top, v)
	}
}
