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

	// An hour counts as at most clip mean errors away from what was expected, when
	// there have been enough to know the error.
	clip   = 3
	enough = 6
)

// Baseline is the mean of a value at each place of the week, over the days before.
// The zero Baseline knows nothing.
type Baseline struct {
	mean  [Places]float64
	hours [Places]uint8 // how many of them the mean is from, up to 255

	error  float64 // mean distance of an hour from what was expected
	errors int64   // how many it is from

	// The hour that is not over.
	number int64 // since 1970
	sum    float64
	count  int64
}

// Expect is the mean of earlier days at a place, and false if there were none.
func (b *Baseline) Expect(place int) (float64, bool) {
	return b.mean[place], b.hours[place] > 0
}

// Level is the mean of all places that are known, and false if there are none.
func (b *Baseline) Level() (float64, bool) {
	var sum, n float64
	for i, hours := range b.hours {
		if hours > 0 {
			sum += b.mean[i]
			n++
		}
	}
	return sum / max(n, 1), n > 0
}

// Learn takes a value, which counts from the end of its hour on. Times must not go
// back.
func (b *Baseline) Learn(at int64, v float64) {
	number := floor(at, hour)
	if b.count > 0 && number != b.number {
		b.fold()
	}
	b.number = number
	b.sum += v
	b.count++
}

// fold takes the hour that is over into the mean of its place. The step is bounded,
// after P. J. Huber, "Robust Estimation of a Location Parameter", Annals of
// Mathematical Statistics 35 (1964).
func (b *Baseline) fold() {
	_, place := Slot(b.number * hour)
	mean := b.sum / float64(b.count)
	b.sum, b.count = 0, 0
	n := &b.hours[place]
	*n = min(*n, math.MaxUint8-1) + 1
	if *n == 1 {
		b.mean[place] = mean
		return
	}
	off := mean - b.mean[place]
	b.errors++
	b.error += max(0.05, 1/float64(b.errors)) * (math.Abs(off) - b.error)
	if b.errors > enough {
		off = min(max(off, -clip*b.error), clip*b.error)
	}
	b.mean[place] += max(share, 1/float64(*n)) * off
}

// Append appends the baseline to a state.
func (b *Baseline) Append(to []byte) []byte {
	for i, n := range b.hours {
		if to = append(to, n); n > 0 {
			to = codec.AppendFloat(to, b.mean[i])
		}
	}
	to = codec.AppendInt(codec.AppendFloat(to, b.error), b.errors)
	to = codec.AppendInt(codec.AppendFloat(to, b.sum), b.count)
	return codec.AppendInt(to, b.number)
}

// MinBytes is what Append appends at least.
const MinBytes = Places + 8 + 1 + 8 + 1 + 1

// Read replaces the baseline by one that Append wrote.
func (b *Baseline) Read(r *codec.Reader) {
	*b = Baseline{}
	for i := range b.hours {
		if b.hours[i] = r.Byte(); b.hours[i] > 0 {
			b.mean[i] = r.Finite()
		}
	}
	b.error, b.errors = r.Finite(), r.Natural()
	b.sum, b.count = r.Finite(), r.Natural()
	b.number = r.Int()
}
