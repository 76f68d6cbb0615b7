// Package isolationforest registers the isolation_forest processor, which finds
// readings whose metrics are unusual together.
package isolationforest

import (
	"fmt"
	"math"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/column"
	"buildmon/internal/iforest"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/step"
)

const (
	component   = "isolation_forest"
	anomalyType = anomaly.Multivariate

	// groupSeparator stands between the labels that make a group.
	groupSeparator = 0x1f
)

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// judge is what the states of all lanes share.
type judge struct {
	metrics []string
	groupBy []string

	scored, fits, skipped *service.MetricCounter
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	j := &judge{
		scored:  res.Metrics().NewCounter("buildmon_isolation_forest_readings_scored_total"),
		fits:    res.Metrics().NewCounter("buildmon_isolation_forest_fits_total"),
		skipped: res.Metrics().NewCounter("buildmon_isolation_forest_readings_skipped_total", "reason"),
	}
	cfg, err := j.parse(conf)
	if err != nil {
		return nil, err
	}
	if cfg.Scores, err = detect.ScoresAsked(conf); err != nil {
		return nil, err
	}
	return detect.New(component, conf, res, func() *state { return newState(j, cfg) })
}

// state is what was learned from one lane, and scratch.
type state struct {
	*iforest.Monitor
	*judge
	columns []column.Column
	values  []float64
	group   []byte
	score   float64 // of the last reading
	seen    seen
}

// seen counts readings since the metrics were moved last.
type seen struct{ scored, incomplete, learning, crowded int64 }

var (
	_ detect.Preparer = (*state)(nil)
	_ detect.Scorer   = (*state)(nil)
	_ detect.Counter  = (*state)(nil)
)

func newState(j *judge, cfg iforest.MonitorConfig) *state {
	m, err := iforest.NewMonitor(cfg)
	if err != nil {
		panic(fmt.Sprintf("BUG: isolation_forest: a valid configuration was refused: %v", err))
	}
	return &state{Monitor: m, judge: j, columns: column.Of(j.metrics), values: make([]float64, len(j.metrics))}
}

// Score is how unusual the last reading was, from 0 to 1, if that is asked for.
func (s *state) Score() float64 { return s.score }

// Prepare describes readings that Judge is asked about next, in this order.
func (s *state) Prepare(readings []*reading.Reading) {
	for _, r := range readings {
		s.group = s.group[:0]
		for _, label := range s.groupBy {
			s.group = append(append(s.group, r.Label(label)...), groupSeparator)
		}
		s.Monitor.Prepare(r.SensorID, s.group, r.Time, s.valuesOf(r))
	}
}

// valuesOf are the values of the metrics, NaN where one is missing, until the next call.
func (s *state) valuesOf(r *reading.Reading) []float64 {
	for i := range s.columns {
		s.values[i] = s.columns[i].Value(r)
	}
	return s.values
}

// Judge reports a reading once, if its metrics are unusual together.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	v := s.Monitor.Judge()
	s.score = v.Score
	if v.Fitted {
		s.fits.Incr(1)
	}
	switch v.Outcome {
	case iforest.Incomplete:
		s.seen.incomplete++
	case iforest.Learning:
		s.seen.learning++
	case iforest.Crowded:
		s.seen.crowded++
	case iforest.Usual:
		s.seen.scored++
	case iforest.Anomalous:
		s.seen.scored++
		found = append(found, s.anomaly(r, v))
	}
	return found
}

// Count moves the metrics.
func (s *state) Count() {
	s.scored.Incr(s.seen.scored)
	s.skipped.Incr(s.seen.incomplete, "incomplete")
	s.skipped.Incr(s.seen.learning, "learning")
	s.skipped.Incr(s.seen.crowded, "too_many_groups")
	s.seen = seen{}
}

func (s *state) anomaly(r *reading.Reading, v iforest.Verdict) *anomaly.Anomaly {
	a := &anomaly.Anomaly{
		Reading: r, Detector: component, Type: anomalyType, Metric: anomaly.MultipleMetrics, Continues: v.Continues,
		Strength: v.Score, Value: math.NaN(), Low: math.NaN(), High: math.NaN(),
	}
	if v.Reasons == nil {
		return a
	}
	parts, values := make([]part, len(s.metrics)), s.valuesOf(r)
	for i, name := range s.metrics {
		p := part{metric: name, value: values[i], Reason: v.Reasons[i]}
		if p.Share >= 0.5 {
			a.Metric, a.Value, a.Low, a.High = name, p.value, p.Usual.Low, p.Usual.High
		}
		parts[i] = p
	}
	a.Explanation = explain(parts, s.whose(r))
	return a
}

// whose names the group of a reading: "Building A, Office rooms", or nothing.
func (s *state) whose(r *reading.Reading) string {
	var names []string
	for _, label := range s.groupBy {
		name := r.Label(label)
		if name != "" && label == "room_type" {
			name += " rooms"
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
