// Package hourly knows what is usual at an hour of the day, on work days and on
// weekends. Buildings repeat themselves every day; most of what looks odd at noon is
// the noon.
//
// Hours are those of UTC: what matters is that they come again every day. Times are
// microseconds since the Unix epoch, and nothing here reads a clock.
package hourly

import (
	"math"

	"buildmon/internal/codec"
)

const (
	// Places is how many places a week has: the hours of a work day, then those of a
	// day of a weekend.
	Places = 48

	hour = 3600 * 1_000_000
	day  = 24 * hour

	// Days of the week; the first of January 1970 was a Thursday.
	sunday, thursday, saturday = 0, 4, 6
)

// Slot is the hour of the day of a time, and its place in the week.
func Slot(at int64) (hour24, place int) {
	days := floor(at, day)
	hour24 = int((at - days*day) / hour)
	switch weekday := days + thursday; weekday - 7*floor(weekday, 7) {
	case sunday, saturday:
		return hour24, hour24 + 24
	}
	return hour24, hour24
}

// Number is how many hours a time is after the beginning of 1970.
func Number(at int64) int64 { return floor(at, hour) }

// Alike is how much of the time from one moment to a later one was on days of the kind
// of the later one's: work days, or weekends.
func Alike(from, to int64) int64 {
	off := weekends(to) - weekends(from)
	if _, place := Slot(to); place >= 24 {
		return off
	}
	return to - from - off
}

// weekends is how much time of weekends has passed since the Sunday before 1970.
func weekends(at int64) int64 {
	days := floor(at, day)
	today := at - days*day
	weeks := floor(days+thursday, 7)
	switch weekday := days + thursday - 7*weeks; weekday {
	case sunday:
		return 2*weeks*day + today
	case saturday:
		return (2*weeks+1)*day + today
	}
	return (2*weeks + 1) * day
}

// floor divides and rounds down, also before 1970.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

const (
	// share is how much of a new hour the mean of its place takes, once there were some.
	share = 0.3

	// An hour counts as at most clip mean errors away from what was expected, or as
	// clipShare of what it is if that is more, when there have been enough to know the
	// error.
	clip      = 3
	clipShare = 0.05
	enough    = 6
)

// Baseline is the mean of a value at each place of the week, over the days before.
// The zero Baseline knows nothing. What is remembered are distances from the first
// value, in single precision: so the last digit is about a ten-millionth of how far the
// value moves.
type Baseline struct {
	origin float64 // the first value

	// The hour that is not over.
	number int64   // since 1970
	usual  float64 // what was expected of it
	sum    float64 // of the distances
	count  uint32

	week *week // nil in the first hour
}

// week is what is known of hours that are over.
type week struct {
	mean  [Places]float32
	hours [Places]uint8 // how many of them the mean is from, up to 255
	level float64       // mean of all places that are known

	error  float64 // mean distance of an hour from what was expected
	errors int64   // how many it is from
}

// Expect is what a value is expected to be in an hour: the mean of that hour on earlier
// days, or that of all hours that are known if it is new, and in the first hour the
// first value. It is NaN if nothing is known.
func (b *Baseline) Expect(number int64) float64 {
	if b.count > 0 && number == b.number {
		return b.usual
	}
	return b.look(number)
}

func (b *Baseline) look(number int64) float64 {
	switch {
	case b.week != nil:
		_, place := Slot(number * hour)
		if b.week.hours[place] > 0 {
			return b.origin + float64(b.week.mean[place])
		}
		return b.origin + b.week.level
	case b.count > 0:
		return b.origin
	}
	return math.NaN()
}

// Learn takes a value, which counts from the end of its hour on. Hours must not go
// back.
func (b *Baseline) Learn(number int64, v float64) {
	switch {
	case b.count > 0 && number != b.number:
		b.fold()
	case b.count == 0 && b.week == nil:
		b.origin, b.usual = v, v
	}
	if b.count == 0 && b.week != nil {
		b.usual = b.look(number)
	}
	b.number = number
	b.sum += v - b.origin
	b.count++
}

// fold takes the hour that is over into the mean of its place. The step is bounded,
// after P. J. Huber, "Robust Estimation of a Location Parameter", Annals of
// Mathematical Statistics 35 (1964).
func (b *Baseline) fold() {
	if b.week == nil {
		b.week = &week{}
	}
	_, place := Slot(b.number * hour)
	b.week.learn(place, b.sum/float64(b.count))
	b.sum, b.count = 0, 0
}

func (w *week) learn(place int, mean float64) {
	n := &w.hours[place]
	*n = min(*n, math.MaxUint8-1) + 1
	if *n == 1 {
		w.mean[place] = float32(mean)
	} else {
		off := mean - float64(w.mean[place])
		if w.errors >= enough {
			most := max(clip*w.error, clipShare*math.Abs(off))
			off = min(max(off, -most), most)
		}
		w.errors++
		w.error += max(0.05, 1/float64(w.errors)) * (math.Abs(off) - w.error)
		w.mean[place] += float32(max(share, 1/float64(*n)) * off)
	}
	w.average()
}

// average finds the mean of all places that are known.
func (w *week) average() {
	var sum, n float64
	for i, hours := range w.hours {
		if hours > 0 {
			sum += float64(w.mean[i])
			n++
		}
	}
	w.level = sum / max(n, 1)
}

// Append appends the baseline to a state.
func (b *Baseline) Append(to []byte) []byte {
	to = codec.AppendFloat(codec.AppendFloat(to, b.origin), b.sum)
	to = codec.AppendUint(codec.AppendInt(to, b.number), uint64(b.count))
	if to = codec.AppendBool(to, b.week != nil); b.week == nil {
		return to
	}
	w := b.week
	for i, n := range w.hours {
		if to = append(to, n); n > 0 {
			to = codec.AppendFloat32(to, w.mean[i])
		}
	}
	return codec.AppendInt(codec.AppendFloat(to, w.error), w.errors)
}

// MinBytes is what Append appends at least.
const MinBytes = 8 + 8 + 1 + 1 + 1

// Read replaces the baseline by one that Append wrote.
func (b *Baseline) Read(r *codec.Reader) {
	*b = Baseline{origin: r.Finite(), sum: r.Finite(), number: r.Int()}
	count := r.Uint()
	if count > math.MaxUint32 {
		r.Fail("%d values in an hour cannot be", count)
	}
	b.count = uint32(count)
	if r.Bool() {
		w := &week{}
		for i := range w.hours {
			if w.hours[i] = r.Byte(); w.hours[i] > 0 {
				if w.mean[i] = r.Float32(); !(math.Abs(float64(w.mean[i])) < math.Inf(1)) {
					r.Fail("a mean of %v cannot be", w.mean[i])
				}
			}
		}
		w.error, w.errors = r.Finite(), r.Natural()
		w.average()
		b.week = w
	}
	if b.count > 0 {
		b.usual = b.look(b.number)
	}
}
