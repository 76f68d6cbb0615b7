package baseline

import (
	"fmt"
	"math"
	"slices"
	"time"

	"buildmon/internal/anomaly"
	"buildmon/internal/recent"
)

const (
	// MaxSensors is how many sensors are kept. A new one beyond it makes the half that
	// has been silent longest be forgotten.
	MaxSensors = 1_000_000

	// ForgetAfter is how long a sensor may be silent before it is forgotten.
	ForgetAfter = 60 * 24 * time.Hour

	hour = int64(time.Hour / time.Microsecond)
	day  = 24 * hour

	agreeing   = 3  // days in a row that must agree
	remembered = 28 // days before them
	enough     = 5  // of those, to compare with
	hoursOfDay = 12 // that a day must have, to have a floor

	// easing is the share of the tolerance to which a drift must go back to be over.
	easing = 0.75
)

// DriftConfig says what drifts.
type DriftConfig struct {
	Outdoor   float64 // what the air outdoors has, in the unit of the metric
	Tolerance float64 // how far a floor may be off
}

// Validate says what is wrong with a configuration.
func (c *DriftConfig) Validate() error {
	switch {
	case math.IsNaN(c.Outdoor) || math.IsInf(c.Outdoor, 0):
		return fmt.Errorf("outdoor must be finite, got %v", c.Outdoor)
	case !(c.Tolerance > 0) || math.IsInf(c.Tolerance, 0):
		return fmt.Errorf("tolerance must be positive, got %v", c.Tolerance)
	}
	return nil
}

// Drift is a sensor whose floor is not what it was.
type Drift struct {
	Low, High float64 // floors of the days that agree
	Usual     float64 // floor before, or NaN
	Days      int     // that it is the median of
	Strength  float64 // 0.5 at the tolerance, to 1
	Continues bool    // it was reported before
}

// Floors finds sensors that drift. It is not safe for concurrent use.
type Floors struct {
	cfg     DriftConfig
	sensors *recent.Map[floors]
}

// floors are those of one sensor.
type floors struct {
	last int64 // time of the newest reading

	// The hour and the day that go on.
	sum    float64
	n      int32
	hours  int32
	lowest float64

	history *history // nil until a day is over
}

// history is what is known of days that are over.
type history struct {
	newest [agreeing]float32 // the oldest first
	past   [remembered]float32
	days   int32 // of newest and past together
	since  int32 // days since the drift began; 0 for none
	told   bool
	usual  float32 // when it began
	known  int32   // days that it is the median of
}

// NewFloors returns floors of no sensor. It panics if the configuration does not
// validate.
func NewFloors(cfg DriftConfig) *Floors {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &Floors{cfg, recent.New[floors](ForgetAfter, MaxSensors)}
}

// Observe takes a value and tells whether its sensor drifts. A value that is not
// finite is absent.
func (d *Floors) Observe(id string, at time.Time, v float64) (Drift, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Drift{}, false
	}
	micros := at.UnixMicro()
	f := d.sensors.Get(id, micros, func() floors { return floors{last: math.MinInt64, lowest: math.Inf(1)} })
	if micros <= f.last {
		return Drift{}, false
	}
	if f.last != math.MinInt64 {
		if floorDiv(micros, hour) != floorDiv(f.last, hour) {
			f.endHour()
		}
		if floorDiv(micros, day) != floorDiv(f.last, day) {
			f.endDay(&d.cfg)
		}
	}
	f.last = micros
	f.sum += v
	f.n++
	h := f.history
	if h == nil || h.since == 0 {
		return Drift{}, false
	}
	found := h.drift(&d.cfg)
	h.told = true
	return found, true
}

func (f *floors) endHour() {
	f.lowest = min(f.lowest, f.sum/float64(f.n))
	f.sum, f.n = 0, 0
	f.hours++
}

func (f *floors) endDay(cfg *DriftConfig) {
	if f.hours >= hoursOfDay {
		if f.history == nil {
			f.history = &history{}
		}
		f.history.add(float32(f.lowest), cfg)
	}
	f.hours, f.lowest = 0, math.Inf(1)
}

// add takes the floor of a day, and looks for drift.
func (h *history) add(floor float32, cfg *DriftConfig) {
	oldest := h.newest[0]
	copy(h.newest[:], h.newest[1:])
	h.newest[agreeing-1] = floor
	switch {
	case h.days < agreeing:
		h.days++
	case h.since == 0: // what drifts is not learned
		copy(h.past[:], h.past[1:])
		h.past[remembered-1] = oldest
		h.days = min(h.days+1, agreeing+remembered)
	}
	if h.days < agreeing {
		return
	}
	if h.since == 0 {
		h.usual, h.known = h.median()
	}
	tolerance := cfg.Tolerance
	if h.since > 0 {
		tolerance *= easing
	}
	off := h.off(cfg) > tolerance
	switch {
	case !off:
		h.since, h.told = 0, false
	case h.since >= remembered && h.beyond() > 0:
		// It has stayed where it is: perhaps the room has changed.
		h.since, h.told, h.days = 0, false, agreeing
	default:
		h.since++
	}
}

// median is that of the past, or NaN.
func (h *history) median() (float32, int32) {
	n := h.days - agreeing
	if n < enough {
		return float32(math.NaN()), 0
	}
	past := h.past
	list := past[remembered-n:]
	slices.Sort(list)
	return list[n/2], n
}

// beyond is how far the newest floors are all above the usual one, or below it, and
// 0 if they are not or none is known.
func (h *history) beyond() float64 {
	up := float64(slices.Min(h.newest[:]) - h.usual)
	down := float64(h.usual - slices.Max(h.newest[:]))
	if off := max(up, down); off > 0 {
		return off
	}
	return 0
}

// off is how far the floors are from where they should be.
func (h *history) off(cfg *DriftConfig) float64 {
	return max(h.beyond(), cfg.Outdoor-float64(slices.Max(h.newest[:])))
}

func (h *history) drift(cfg *DriftConfig) Drift {
	return Drift{
		Low: float64(slices.Min(h.newest[:])), High: float64(slices.Max(h.newest[:])),
		Usual: float64(h.usual), Days: int(h.known),
		Strength:  anomaly.StrengthBeyond(max(h.off(cfg)-cfg.Tolerance, 0), cfg.Tolerance),
		Continues: h.told,
	}
}

// floorDiv divides and rounds down, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
