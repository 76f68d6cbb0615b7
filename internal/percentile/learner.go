package percentile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"buildmon/internal/recent"
)

const (
	// reach is how far past a limit an anomaly is learned, in widths.
	reach = 0.25

	// relativeWidth is the least width of the range of a metric that has none
	// configured, as a share of its larger end.
	relativeWidth = 0.1

	// young is how much wider the margin is while nothing of the history is known.
	young = 1

	// forgetAfter is how many histories a group may be silent before it is
	// forgotten.
	forgetAfter = 7

	// MaxGroups is how many groups a learner keeps. A new one beyond it makes the
	// learner forget the half that has been silent longest.
	MaxGroups = 100_000

	// MaxHistory is the longest history.
	MaxHistory = 366 * 24 * time.Hour
)

// Config says what is usual.
type Config struct {
	// Scope says what the keys of groups mean. A state of another scope is
	// refused.
	Scope string

	// Metrics are the names of the values, in the order in which Observe gets
	// them.
	Metrics []string

	// Lower and Upper are the percentiles, 0 < Lower < Upper < 100.
	Lower, Upper float64

	// Refresh is how much event time of a group passes before its percentiles are
	// computed again.
	Refresh time.Duration

	// History is how far back the sample reaches, in event time.
	History time.Duration

	// MinSamples is how many values must have been seen before any is judged.
	MinSamples int

	// MaxSamples bounds the sample of a group and metric.
	MaxSamples int

	// Margin is how far past the range a value must lie to be an anomaly, in
	// widths of the range. 0 gives plain percentiles. It is twice as wide at first
	// and falls to this as the sample comes to span the history.
	Margin float64

	// MinWidth is the least width of a range that the margin is a share of, one for
	// each metric in its unit; 0 stands for a tenth of the range's larger end. It
	// keeps a metric that never moved from flagging its first tremble.
	MinWidth []float64
}

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	switch {
	case !(c.Lower > 0 && c.Lower < 100):
		return fmt.Errorf("lower_percentile must be between 0 and 100, got %v", c.Lower)
	case !(c.Upper > 0 && c.Upper < 100):
		return fmt.Errorf("upper_percentile must be between 0 and 100, got %v", c.Upper)
	case c.Lower >= c.Upper:
		return fmt.Errorf("lower_percentile %v must be smaller than upper_percentile %v", c.Lower, c.Upper)
	case c.Refresh <= 0:
		return fmt.Errorf("refresh_interval must be positive, got %s", c.Refresh)
	case c.History < c.Refresh:
		return fmt.Errorf("history %s must not be shorter than refresh_interval %s", c.History, c.Refresh)
	case c.History > MaxHistory:
		return fmt.Errorf("history must be at most %s, got %s", MaxHistory, c.History)
	case c.MinSamples < 2:
		return fmt.Errorf("min_samples must be at least 2, got %d", c.MinSamples)
	case c.MaxSamples < c.MinSamples:
		return fmt.Errorf("samples %d must not be smaller than min_samples %d", c.MaxSamples, c.MinSamples)
	case !(c.Margin >= 0) || math.IsInf(c.Margin, 0):
		return fmt.Errorf("margin must not be negative, got %v", c.Margin)
	case len(c.MinWidth) != len(c.Metrics):
		return errors.New("BUG: one MinWidth is needed for each metric")
	}
	for i, w := range c.MinWidth {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("min_width of %q must not be negative, got %v", c.Metrics[i], w)
		}
	}
	return nil
}

// Finding is a value past a learned limit.
type Finding struct {
	Metric    int // index into Config.Metrics
	Value     float64
	Low, High float64 // the usual range: the two percentiles
	Distance  float64 // how far the value lies past the limit
	Scale     float64 // the width of the range, or its least width
}

// Above tells whether the value is too high rather than too low.
func (f *Finding) Above() bool { return f.Value > f.High }

// Learner judges values by what it has learned of their groups.
//
// A Learner is not safe for concurrent use.
type Learner struct {
	cfg    Config
	groups *recent.Map[group]
	sorted []float64 // scratch of refresh
}

// group is what is known of the metrics of a group, in the order of the
// configuration.
type group []series

type series struct {
	sample
	newest    int64
	refreshed int64
	learned   bool
	usual
	limits
}

// usual is what was learned.
type usual struct {
	low, high float64 // the percentiles
	covered   float64 // share of the history that the sample spanned, 0 to 1
}

// limits are derived from what was learned and the configuration.
type limits struct {
	bottom, top, scale float64
}

// New returns a learner that knows nothing. It panics if the configuration does
// not validate.
func New(cfg Config) *Learner {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &Learner{cfg: cfg, groups: recent.New[group](forgetAfter*cfg.History, MaxGroups)}
}

func (l *Learner) fresh() group { return make(group, len(l.cfg.Metrics)) }

// Groups is the number of groups that are known.
func (l *Learner) Groups() int { return l.groups.Len() }

// Observe judges the values of one reading by what the group has learned so far,
// and then learns from them. It appends what it finds to found, in the order of
// the metrics, and returns how many values it could not judge because too little
// has been learned. A value that is not finite is absent. A reading that is older
// than the history is judged and not learned.
func (l *Learner) Observe(key []byte, at time.Time, values []float64, found []Finding) (_ []Finding, learning int) {
	micros := at.UnixMicro()
	g := *l.groups.Get(key, micros, l.fresh)
	for m, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		s := &g[m]
		if !s.learned {
			learning++
		} else if v > s.top {
			found = append(found, Finding{Metric: m, Value: v, Low: s.low, High: s.high, Distance: v - s.top, Scale: s.scale})
		} else if v < s.bottom {
			found = append(found, Finding{Metric: m, Value: v, Low: s.low, High: s.high, Distance: s.bottom - v, Scale: s.scale})
		}
		l.learn(s, m, micros, v)
	}
	return found, learning
}

func (l *Learner) learn(s *series, metric int, at int64, v float64) {
	oldest := s.newest - l.cfg.History.Microseconds()
	if s.seen > 0 && at < oldest {
		return
	}
	s.newest = max(s.newest, at)
	if s.learned {
		v = min(max(v, s.bottom-reach*s.scale), s.top+reach*s.scale)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
	}
	s.add(at, v, oldest, l.cfg.MaxSamples)
	if !s.learned && s.count() >= uint64(l.cfg.MinSamples) ||
		s.learned && s.newest-s.refreshed >= l.cfg.Refresh.Microseconds() {
		l.refresh(s, metric)
	}
}

// refresh computes the percentiles. What was learned before stays while there are
// too few values for something better: a group that comes back after a long
// silence is judged by what it was.
func (l *Learner) refresh(s *series, metric int) {
	s.refreshed = s.newest
	s.expire(s.newest - l.cfg.History.Microseconds())
	s.refine(l.cfg.MaxSamples)
	if s.count() < uint64(l.cfg.MinSamples) {
		return
	}
	l.sorted = l.sorted[:0]
	for i := range s.kept {
		l.sorted = append(l.sorted, s.kept[i].value)
	}
	slices.Sort(l.sorted)
	s.usual = usual{
		low: Of(l.sorted, l.cfg.Lower), high: Of(l.sorted, l.cfg.Upper),
		covered: min(max(float64(s.newest-s.kept[0].at)/float64(l.cfg.History.Microseconds()), 0), 1),
	}
	s.learned = true
	s.limits = l.limits(metric, s.usual)
}

func (l *Learner) limits(metric int, u usual) limits {
	least := l.cfg.MinWidth[metric]
	if least == 0 {
		least = relativeWidth * max(math.Abs(u.low), math.Abs(u.high))
	}
	scale := max(u.high-u.low, least)
	away := l.cfg.Margin * (1 + young*(1-u.covered)) * scale
	return limits{bottom: u.low - away, top: u.high + away, scale: scale}
}

// Of is a percentile of values in ascending order, which must not be empty, by
// linear interpolation between the two nearest of them.
func Of(sorted []float64, percent float64) float64 {
	rank := percent / 100 * float64(len(sorted)-1)
	i := int(rank)
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	// Not a+(b-a)*f, which overflows for values of both signs.
	f := rank - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}
