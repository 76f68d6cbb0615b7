// Package silence registers the silence processor, which finds sensors that stopped
// reporting.
package silence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/silence"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

const component = "silence"

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// watch is the configuration that the states of all lanes share, and metrics.
type watch struct {
	cfg      silence.Config
	groupBy  []string
	expected []expectation

	sensors, silent *service.MetricGauge
}

// expectation is how often sensors ought to report.
type expectation struct {
	interval time.Duration
	where    map[string]string
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	w := &watch{
		sensors: res.Metrics().NewGauge("buildmon_silence_sensors", "lane"),
		silent:  res.Metrics().NewGauge("buildmon_silence_sensors_silent", "lane"),
	}
	if err := w.parse(conf); err != nil {
		return nil, err
	}
	return detect.New(component, conf, res, func() *state {
		return &state{watch: w, Detector: silence.New(w.cfg), labels: make([]string, len(w.groupBy))}
	})
}

func (w *watch) parse(conf *service.ParsedConfig) (err error) {
	if w.cfg.Intervals, err = conf.FieldFloat(fieldIntervals); err != nil {
		return err
	}
	if w.cfg.Least, err = conf.FieldDuration(fieldLeast); err != nil {
		return err
	}
	if err := w.cfg.Validate(); err != nil {
		return err
	}
	if w.groupBy, err = conf.FieldStringList(fieldGroupBy); err != nil {
		return err
	}
	for i, name := range w.groupBy {
		if name == "" || slices.Contains(w.groupBy[:i], name) {
			return fmt.Errorf("%s must be different names, got %q", fieldGroupBy, w.groupBy)
		}
	}
	list, err := conf.FieldObjectList(fieldExpected)
	if err != nil {
		return err
	}
	w.expected = make([]expectation, len(list))
	for i, c := range list {
		e := &w.expected[i]
		if e.interval, err = c.FieldDuration(fieldInterval); err != nil {
			return err
		}
		if e.interval <= 0 {
			return fmt.Errorf("interval of %s must be positive, got %s", fieldExpected, e.interval)
		}
		if e.where, err = c.FieldStringMap(fieldWhere); err != nil {
			return err
		}
	}
	return nil
}

// interval is how often a sensor ought to report, or 0 if nobody said.
func (w *watch) interval(r *reading.Reading) time.Duration {
	for i := range w.expected {
		if e := &w.expected[i]; e.fits(r) {
			return e.interval
		}
	}
	return 0
}

func (e *expectation) fits(r *reading.Reading) bool {
	for label, want := range e.where {
		if r.Label(label) != want {
			return false
		}
	}
	return true
}

// state is what is known of the sensors of one lane, and scratch.
type state struct {
	*silence.Detector
	*watch
	lane          string
	arrived       time.Time // of the batch of the reading that is judged
	labels        []string
	seen          silence.Reading
	found         []silence.Finding
	known, missed int // what the metrics say
}

var (
	_ detect.State    = (*state)(nil)
	_ detect.Preparer = (*state)(nil)
	_ detect.Ticker   = (*state)(nil)
	_ detect.Laned    = (*state)(nil)
	_ lanes.Ender     = (*state)(nil)
)

// SetLane names the lane in metrics.
func (s *state) SetLane(name string) { s.lane = name }

// Prepare looks at the clock once for many readings that came together.
func (s *state) Prepare([]*reading.Reading) { s.arrived = time.Now() }

// Judge reports who is silent by the time of a reading. What it reports is about
// other readings than this one: the last of those that are silent.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	for i, name := range s.groupBy {
		s.labels[i] = r.Label(name)
	}
	s.seen = silence.Reading{
		Sensor: r.SensorID, Time: r.Time, Group: s.labels, Interval: s.interval(r),
		Place: silence.Place{RoomID: r.RoomID, Building: r.Building, Floor: r.Floor, RoomType: r.RoomType},
	}
	s.found = s.Observe(&s.seen, s.arrived, s.found[:0])
	return s.report(found)
}

// Tick reports who is silent though nothing comes.
func (s *state) Tick(at time.Time, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	s.found = s.Detector.Tick(at, s.found[:0])
	return s.report(found)
}

func (s *state) report(found []*anomaly.Anomaly) []*anomaly.Anomaly {
	if known, missed := s.Sensors(), s.Silent(); known != s.known || missed != s.missed {
		s.show(known, missed)
	}
	for i := range s.found {
		found = append(found, anomaly.NewSilence(component, about(&s.found[i])))
	}
	return found
}

func (s *state) show(known, missed int) {
	s.known, s.missed = known, missed
	s.sensors.Set(int64(known), s.lane)
	s.silent.Set(int64(missed), s.lane)
}

// End leaves the sensors to whoever watches them now.
func (s *state) End() { s.show(0, 0) }

func about(f *silence.Finding) *anomaly.Silence {
	s := &anomaly.Silence{Together: f.Scope != silence.Alone, At: f.At}
	s.Group = strings.Join(slices.DeleteFunc(slices.Clone(f.Group), func(l string) bool { return l == "" }), ", ")
	for _, m := range f.Sensors {
		s.Sensors = append(s.Sensors, anomaly.SilentSensor{
			SensorID: m.Sensor, RoomID: m.Place.RoomID, Building: m.Place.Building, Floor: m.Place.Floor, RoomType: m.Place.RoomType,
			Last: m.Last, Usual: m.Usual, Patience: m.Patience,
		})
	}
	return s
}
