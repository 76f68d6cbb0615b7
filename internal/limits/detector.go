package limits

import (
	"fmt"
	"math"
	"time"

	"buildmon/internal/hourly"
	"buildmon/internal/recent"
)

const (
	// MaxSensors is how many sensors a detector keeps. A new one beyond it makes
	// the detector forget the half that has been silent longest.
	MaxSensors = 1_000_000

	// ForgetAfter is how long a sensor may be silent before it is forgotten.
	ForgetAfter = 30 * 24 * time.Hour

	// absurd bounds what is taken for a value, so that sums stay finite.
	absurd = 1e30

	// acquaintance is how many values of a metric must have come for it to be kept. So
	// sensors that say little, or nothing of a metric, take next to no memory.
	acquaintance = 8
)

// Config says what is reported.
type Config struct {
	// Metrics are the names of the values, in the order in which Observe gets
	// them.
	Metrics []string

	// Least are the least scales of the metrics, in their units: differences that are
	// small compared with these are of no interest, however seldom they are. Nil is
	// none.
	Least []float64

	// Threshold is the score from which on a value is reported, in scales past a
	// limit.
	Threshold float64
}

// Thresholds for three sensitivities. Normal is somewhat above the best one on the
// part of the Numenta Anomaly Benchmark with known causes and artificial streams,
// which is 0.4: it gives up an eighth of that score for fewer readings in events on
// healthy rooms. High and Low are half and twice as much.
const (
	High   = 0.35
	Normal = 0.7
	Low    = 1.4
)

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	if !(c.Threshold > grade) || c.Threshold >= farthest {
		return fmt.Errorf("threshold must be more than %v and less than %v, got %v", grade, farthest, c.Threshold)
	}
	if c.Least != nil && len(c.Least) != len(c.Metrics) {
		return fmt.Errorf("there must be a least scale for each of %d metrics, got %d", len(c.Metrics), len(c.Least))
	}
	for i, least := range c.Least {
		if !(least >= 0) || math.IsInf(least, 0) {
			return fmt.Errorf("resolution of %q must not be negative, got %v", c.Metrics[i], least)
		}
	}
	return nil
}

// Finding is a value that is reported.
type Finding struct {
	Metric    int     // index into Config.Metrics
	View      View    // that says so
	Score     float64 // 0 to 1
	Value     float64 // of the metric
	Seen      float64 // what the view saw: the value, or an average
	Low, High float64 // limits of the view

	// Continues tells that it belongs to an event that was reported before.
	Continues bool

	// Of a metric that stands still:
	Run     int64         // how many values in a row are the same
	Longest int64         // how often it repeated a value in a row, at most, before
	For     time.Duration // how long it has been the same
}

// Score is what a detector says of a value, from 0 to 1.
type Score struct {
	Past  float64 // how far past its limits it is
	Stuck float64 // how long it has been the same
}

// Tally counts values that were not judged or learned as usual.
type Tally struct {
	Learning int // not judged: too little is known of the sensor
	Late     int // not learned: not newer than the sensor's last one
	Invalid  int // neither: not a finite number
}

// Add adds what another counted.
func (t *Tally) Add(other Tally) {
	t.Learning += other.Learning
	t.Late += other.Late
	t.Invalid += other.Invalid
}

// Detector judges the values of sensors by their own past. It is not safe for
// concurrent use.
type Detector struct {
	cfg     Config
	least   []float64
	sensors *recent.Map[sensor]
}

// sensor is what is known of the metrics of a sensor, in the order of the
// configuration.
type sensor []metric

// metric is what is known of one of them, once it has been seen often enough.
type metric struct {
	*series
	seen uint8 // values, until then
}

func (m *metric) meet() {
	m.series = &series{}
	m.init()
}

// New returns a detector that knows no sensor. It panics if the configuration does
// not validate.
func New(cfg Config) *Detector {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	least := cfg.Least
	if least == nil {
		least = make([]float64, len(cfg.Metrics))
	}
	return &Detector{cfg: cfg, least: least, sensors: recent.New[sensor](ForgetAfter, MaxSensors)}
}

func (d *Detector) fresh() sensor { return make(sensor, len(d.cfg.Metrics)) }

// Sensors is the number of sensors that are known.
func (d *Detector) Sensors() int { return d.sensors.Len() }

// Observe judges the values of one reading, and then learns them. It appends what
// it finds to found, in the order of the metrics, also what belongs to an event that
// was reported, and writes the scores of each
// value to scores, which has room for all. Those of a value that is absent, NaN, are
// 0.
func (d *Detector) Observe(id string, at time.Time, values []float64, scores []Score, found []Finding) ([]Finding, Tally) {
	var tally Tally
	micros := at.UnixMicro()
	number := hourly.Number(micros)
	known := *d.sensors.Get(id, micros, d.fresh)
	var j judgement
	for m, v := range values {
		scores[m] = Score{}
		if math.IsNaN(v) {
			continue
		}
		if math.Abs(v) > absurd {
			tally.Invalid++
			continue
		}
		if k := &known[m]; k.series == nil {
			if k.seen++; k.seen < acquaintance {
				tally.Learning++
				continue
			}
			k.meet()
		}
		s := known[m].series
		late := s.count > 0 && micros <= s.last
		if late {
			tally.Late++
		}
		if s.count < warmUp {
			tally.Learning++
		}
		if !late {
			if past := s.stands(micros, v); past > 0 {
				scores[m].Stuck, found = d.stuck(s, m, past, micros, v, found)
			}
		}
		score := s.observe(micros, number, v, d.least[m], late, &j)
		var fresh bool
		scores[m].Past, fresh = s.alert(score, late)
		if score >= d.cfg.Threshold {
			found = append(found, Finding{
				Metric: m, View: j.view, Score: unit(score), Value: v, Seen: j.value, Low: j.low, High: j.high,
				Continues: !fresh,
			})
		}
	}
	return found, tally
}

// stuck says what it means that a metric stands still, and reports it.
func (d *Detector) stuck(s *series, m int, past float64, at int64, v float64, found []Finding) (float64, []Finding) {
	f := &s.flat
	score := unit(past)
	if f.told {
		score *= stale
	}
	if past < d.cfg.Threshold {
		return score, found
	}
	before := f.told
	f.told = true
	return score, append(found, Finding{
		Metric: m, View: Stuck, Score: unit(past), Value: v, Seen: v, Low: v, High: v, Continues: before,
		Run: int64(f.run) + 1, Longest: int64(f.longest), For: time.Duration(at-f.since) * time.Microsecond,
	})
}
