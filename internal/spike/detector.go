package spike

import (
	"fmt"
	"math"
	"time"

	"buildmon/internal/recent"
)

const (
	// MaxWindow bounds the window, whose cost is linear.
	MaxWindow = 1000

	// MaxSensors is how many sensors a detector keeps. A new one beyond it makes
	// the detector forget the half that has been silent longest.
	MaxSensors = 1_000_000

	// ForgetAfter is how long a sensor may be silent before it is forgotten.
	ForgetAfter = 7 * 24 * time.Hour

	gapFactor   = 10 // median intervals that empty the window
	worseFactor = 2  // times as far off to report an open event again
	madToSigma  = 1.4826
)

// Config says what is sudden.
type Config struct {
	Metrics []Metric // in the order in which Observe gets their values
	Window  int      // values to compare with, 2 to MaxWindow
}

// Metric says what a spike of one metric is. Delta or Deviations must be set; if
// both are, either makes a spike.
type Metric struct {
	Name       string
	Delta      float64 // distance from the median, in the unit of the metric; 0 for none
	Deviations float64 // the same in robust standard deviations; 0 for none
	Resolution float64 // least standard deviation; 0 for a hundredth of the median
}

// relativeResolution is the least standard deviation of a metric that has none
// configured, as a share of the median of the window.
const relativeResolution = 0.01

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	if c.Window < 2 || c.Window > MaxWindow {
		return fmt.Errorf("window must be between 2 and %d readings, got %d", MaxWindow, c.Window)
	}
	for _, m := range c.Metrics {
		for _, f := range []struct {
			name  string
			value float64
		}{{"deltas", m.Delta}, {"deviations", m.Deviations}, {"resolution", m.Resolution}} {
			if !(f.value >= 0) || math.IsInf(f.value, 0) {
				return fmt.Errorf("%s of %q must not be negative, got %v", f.name, m.Name, f.value)
			}
		}
		if m.Delta == 0 && m.Deviations == 0 {
			return fmt.Errorf("deltas or deviations of %q must be positive", m.Name)
		}
	}
	return nil
}

// Finding is a sudden change.
type Finding struct {
	Metric   int // index into Config.Metrics
	Value    float64
	Median   float64       // of the window
	Limit    float64       // how far from the median a spike begins
	Min, Max float64       // of the window
	Within   time.Duration // since the value before; 0 if the reading is late
}

// Distance is how far the value lies from the median of the window, at least
// Limit.
func (f *Finding) Distance() float64 { return distance(f.Value, f.Median) }

func distance(v, median float64) float64 { return min(math.Abs(v-median), math.MaxFloat64) }

// stale is how much a score counts that belongs to what was reported.
const stale = 0.15

// change is how large the change is.
func (f *Finding) change() Change { return Change(f.Distance() / f.Limit) }

// Score is that of the change.
func (f *Finding) Score() float64 { return f.change().Score() }

// Change says how far a value lies from the median of its window: in units of the
// smallest distance that counts, so that 1 is that, and below 0 for what belongs to an
// event that was reported.
type Change float64

// Score says from 0 to 1 how large the change is: 0 for none, 0.5 for the smallest
// that counts, 0.75 for twice that, and less than 0.15 for what was reported.
func (c Change) Score() float64 {
	if c < 0 {
		return stale * (-c).Score()
	}
	return 1 - math.Exp2(-float64(c))
}

// Tally counts values that were not judged or learned as usual.
type Tally struct {
	Learning int // not judged: the window was not full
	Late     int // not learned: not newer than the sensor's last one
	Gaps     int // emptied the window, as they came long after the last one
}

// Add adds what another counted.
func (t *Tally) Add(other Tally) {
	t.Learning += other.Learning
	t.Late += other.Late
	t.Gaps += other.Gaps
}

// Detector judges values by the last ones of their sensor.
//
// A Detector is not safe for concurrent use.
type Detector struct {
	cfg     Config
	sensors *recent.Map[sensor]
	scratch []int64
}

// sensor is what is known of the metrics of a sensor, in the order of the
// configuration; nil of one that it has never said.
type sensor []*series

// New returns a detector that knows no sensor. It panics if the configuration
// does not validate.
func New(cfg Config) *Detector {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &Detector{cfg: cfg, sensors: recent.New[sensor](ForgetAfter, MaxSensors)}
}

func (d *Detector) fresh() sensor { return make(sensor, len(d.cfg.Metrics)) }

// Sensors is the number of sensors that are known.
func (d *Detector) Sensors() int { return d.sensors.Len() }

// Observe judges the values of one reading by the windows of its sensor, and then
// adds them. It appends what it finds to found, in the order of the metrics, and
// writes the change of each value to changes, which has room for all. A value that is
// not finite is absent.
func (d *Detector) Observe(id string, at time.Time, values []float64, changes []Change, found []Finding) ([]Finding, Tally) {
	var tally Tally
	micros := at.UnixMicro()
	known := *d.sensors.Get(id, micros, d.fresh)
	for m, v := range values {
		changes[m] = 0
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if known[m] == nil {
			known[m] = &series{}
		}
		before := len(found)
		if s := known[m]; len(s.window) > 0 && micros <= s.last {
			tally.Late++
			changes[m], found = d.late(s, m, micros, v, found)
		} else {
			changes[m], found = d.observe(s, m, micros, v, &tally, found)
		}
		if len(found) == before && changes[m] >= 1 {
			changes[m] *= -1
		}
	}
	return found, tally
}

// observe takes a value that is not late.
func (d *Detector) observe(s *series, metric int, at int64, v float64, tally *Tally, found []Finding) (Change, []Finding) {
	before := s.last
	if len(s.window) > 1 && d.gap(s, at-before) {
		tally.Gaps++
		s.empty()
	}
	s.last = at
	if !d.full(s) {
		tally.Learning++
		s.push(at, v, d.cfg.Window)
		return 0, found
	}
	median, limit := d.judge(s, metric)
	off := distance(v, median)
	if off < limit {
		s.calm(at, v, d.cfg.Window)
		return Change(off / limit), found
	}
	f := s.finding(metric, v, median, limit)
	f.Within = time.Duration(at-before) * time.Microsecond
	if s.alarm(at, &f) {
		found = append(found, f)
	}
	return f.change(), found
}

func (d *Detector) full(s *series) bool { return len(s.window) == d.cfg.Window }

// judge tells the median of a full window, and how far from it a spike begins.
func (d *Detector) judge(s *series, metric int) (median, limit float64) {
	c := &d.cfg.Metrics[metric]
	median = s.median()
	limit = math.MaxFloat64
	if c.Delta > 0 {
		limit = c.Delta
	}
	if c.Deviations > 0 {
		least := c.Resolution
		if least == 0 {
			least = relativeResolution * math.Abs(median)
		}
		// The smallest number is for windows of zeros: equal values are no spike.
		limit = min(limit, max(c.Deviations*max(madToSigma*s.mad(median), least), math.SmallestNonzeroFloat64))
	}
	return median, limit
}

func (d *Detector) late(s *series, metric int, at int64, v float64, found []Finding) (Change, []Finding) {
	if e := s.events; e != nil && e.reported != nil && at == e.reported.at && v == e.reported.Value {
		return e.reported.change(), append(found, e.reported.Finding)
	}
	if oldest, _, _ := s.places(v); !d.full(s) || at < s.window[oldest].at || s.open() && at >= s.events.held[0].at {
		return 0, found
	}
	median, limit := d.judge(s, metric)
	f := s.finding(metric, v, median, limit)
	if f.Distance() >= f.Limit {
		found = append(found, f)
	}
	return f.change(), found
}

// gap tells whether the values before a gap say nothing about what comes after.
func (d *Detector) gap(s *series, gap int64) bool {
	if gap <= gapFactor*s.shortest {
		return false // the median is no shorter
	}
	return gap > gapFactor*s.interval(&d.scratch)
}
