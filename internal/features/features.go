// Package features says of the values of a sensor what the values alone do not: how
// far they are from what is usual at this hour, from the last half hour, and from the
// reading before. A forest that judges these finds faults that are within the range of
// a day, such as a lit office at night, and takes a sunny afternoon for what it is.
//
// # Daily
//
// While an hour of the week is new, a value is compared with the mean of all hours that
// are known, and in the first hour of a sensor with its first value. So the feature
// tells levels apart from the first reading on.
//
// # Time
//
// Time is that of the readings. A reading that is late or repeats a time is described
// and not learned. After a gap of more than ten usual intervals nothing is said of the
// step from the reading before; after one of half an hour, the average of the last
// half hour starts anew. What is not known is NaN.
package features

import (
	"fmt"
	"math"

	"buildmon/internal/codec"
	"buildmon/internal/hourly"
)

// Kind is what a feature says of a value.
type Kind uint8

// The kinds.
const (
	Value  Kind = iota // the value itself
	Daily              // its distance from the mean of this hour on earlier days; see below
	Recent             // its distance from the average of the last half hour
	Step               // its distance from the reading before
)

var names = [...]string{Value: "value", Daily: "daily", Recent: "recent", Step: "step"}

// Default are the kinds that together find most faults in readings of a real office.
// The value itself adds nothing to them.
var Default = []Kind{Daily, Recent, Step}

// Names are those of all kinds.
func Names() []string { return names[:] }

// String is the name of a kind.
func (k Kind) String() string { return names[k] }

// ParseKind returns the kind of a name.
func ParseKind(name string) (Kind, error) {
	for k, n := range names {
		if n == name {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("unknown feature %q, want value, daily, recent or step", name)
}

const (
	// halfHour is the time constant of the average of the last half hour, in
	// microseconds as all times.
	halfHour = 30 * 60 * 1_000_000

	// gapFactor is how many usual intervals are a gap, and drift how much the usual
	// interval follows a new one.
	gapFactor = 10
	drift     = 1.05
)

// Sensor is what is known of the metrics of a sensor. It is not safe for concurrent
// use.
type Sensor struct {
	last     int64 // time of the newest reading
	count    int64
	interval float64 // usual time between two readings
	metrics  []metric
}

// metric is what is known of one of them.
type metric struct {
	daily  hourly.Baseline
	recent float64 // average
	since  int64   // values it is from, up to the time constant; 0 if there was none
	newest float64
	at     int64 // time of the newest value
}

// NewSensor returns a sensor of which nothing is known.
func NewSensor(metrics int) *Sensor { return &Sensor{metrics: make([]metric, metrics)} }

// Describe fills features with those of each value in turn, in the order of kinds, and
// then learns the values, unless the reading is late, which it reports. A value that is
// absent is NaN, and so are its features.
func (s *Sensor) Describe(at int64, values []float64, kinds []Kind, features []float64) (late bool) {
	late = s.count > 0 && at <= s.last
	number := hourly.Number(at)
	gap := int64(gapFactor * s.interval)
	for i, v := range values {
		m := &s.metrics[i]
		for k, kind := range kinds {
			features[i*len(kinds)+k] = v - m.reference(kind, at, number, gap)
		}
	}
	if !late {
		s.learn(at, number, values)
	}
	return late
}

// reference is what a kind of feature compares a value with, NaN if that is not known.
func (m *metric) reference(kind Kind, at, number, gap int64) float64 {
	switch kind {
	case Value:
		return 0
	case Daily:
		return m.daily.Expect(number)
	case Recent:
		if m.since > 0 && at-m.at <= halfHour {
			return m.recent
		}
	case Step:
		if since := at - m.at; m.since > 0 && since > 0 && (gap == 0 || since <= gap) {
			return m.newest
		}
	}
	return nan
}

var nan = math.NaN()

func (s *Sensor) learn(at, number int64, values []float64) {
	if s.count > 0 {
		passed := float64(at - s.last)
		switch {
		case s.interval == 0:
			s.interval = passed
		case passed > s.interval:
			s.interval *= drift
		default:
			s.interval /= drift
		}
	}
	s.last = at
	s.count++
	// Most metrics had their last value at the same time.
	var passed int64
	var share float64
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		m := &s.metrics[i]
		m.daily.Learn(number, v)
		if since := at - m.at; m.since == 0 || since > halfHour {
			m.recent, m.since = v, 1
		} else {
			if since != passed {
				passed, share = since, -math.Expm1(-float64(since)/halfHour)
			}
			m.since++
			m.recent += max(share, 1/float64(m.since)) * (v - m.recent)
		}
		m.newest, m.at = v, at
	}
}

// Append appends what is known to a state.
func (s *Sensor) Append(b []byte) []byte {
	b = codec.AppendInt(codec.AppendInt(b, s.last), s.count)
	b = codec.AppendFloat(b, s.interval)
	for i := range s.metrics {
		m := &s.metrics[i]
		if b = codec.AppendInt(b, m.since); m.since == 0 {
			continue
		}
		b = m.daily.Append(b)
		b = codec.AppendInt(codec.AppendFloat(codec.AppendFloat(b, m.recent), m.newest), m.at)
	}
	return b
}

// MinBytes is what Append appends at least, for a sensor of so many metrics.
func MinBytes(metrics int) int { return 1 + 1 + 8 + metrics }

// Read replaces what is known by what Append wrote.
func (s *Sensor) Read(r *codec.Reader) {
	s.last, s.count = r.Int(), r.Natural()
	s.interval = r.Finite()
	for i := range s.metrics {
		m := &s.metrics[i]
		if *m = (metric{since: r.Natural()}); m.since == 0 {
			continue
		}
		m.daily.Read(r)
		m.recent, m.newest, m.at = r.Finite(), r.Finite(), r.Int()
	}
}
