// Package spikedetector registers the spike_detector processor, which finds
// sudden changes of a sensor against its own last readings.
package spikedetector

import (
	"fmt"
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/column"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
	"buildmon/internal/spike"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

const (
	component = "spike_detector"
	kind      = "sudden_change"
)

const (
	fieldWindow     = "window"
	fieldDeltas     = "deltas"
	fieldDeviations = "deviations"
	fieldResolution = "resolution"
)

const (
	windowRange = `root = if this < 2 || this > 1000 { [ "must be between 2 and 1000, got %v".format(this) ] }`
	// The host calls the rule of a map for the whole and for each element.
	notNegative = `root = if this.type() == "object" { this.key_values().filter(e -> e.value < 0).map_each(e -> "%v must not be negative, got %v".format(e.key, e.value)) }`
	something   = `root = if this.deltas.or({"temperature": 5}).values().filter(v -> v > 0).length() == 0 && this.deviations.or({"temperature": 6}).values().filter(v -> v > 0).length() == 0 { [ "deltas and deviations are both empty, so nothing would be judged" ] }`
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Detection").
		Summary("Finds sudden changes of a sensor against its own last readings.").
		Description(`
Each value is compared with the median of the last `+"`window`"+` values of the same sensor and metric, before it is added to them. It is a sudden change when it lies at least its `+"`deltas`"+` away, or at least `+"`deviations`"+` times the robust standard deviation of the window, which is 1.4826 times the median absolute deviation, but never less than `+"`resolution`"+`.

Readings pass untouched. An anomaly of the type `+"`sudden_change`"+` is appended to the batch of its reading, as a message with the metadata `+"`buildmon_kind: anomaly`"+`, one for each metric.
`+detect.Scale+`The strength is 1 - 2^-r for a change of r times the smallest that counts: 0.5 for that, 0.75 for twice as much, towards 1 beyond.

== One event, one anomaly

While values stay off the window they belong to one event, which is reported once, and once more each time a value lies more than twice as far off as what was reported. If the values come back, the event was a peak and leaves no trace in the window. If as many as the window holds stay off, they are the new level, which later values are compared with; the way back to the level before is not reported.

== Time

Time is the time of the readings. The first `+"`window`"+` values of a sensor are not judged. After a gap of more than ten of the median intervals of the window, learning starts again: what a sensor says after an outage is no sudden change. A late value, or one of a time that was there before, is judged if the window reaches back that far, and not learned. An absent metric is skipped.

== Delivery guarantees

No message is dropped or changed. Messages that are no acceptable readings pass untouched. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once. With a `+"`state`"+` cache, windows and open events survive a restart, and the next reading is judged as it would have been.

== Memory

About 60 bytes, and 16 for each reading of the window, for each sensor and metric it reports, in each lane (a Kafka partition): 0.6 KB a sensor of four metrics with the default window, and 0.45 KB with up to two readings. A sensor is forgotten after seven days of silence; of a million sensors in a lane, the half that was silent longest is.`).
		Fields(
			service.NewIntField(fieldWindow).Default(5).
				Description("How many of its own last values a value is compared with, 2 to 1000. A larger window is calmer, takes longer to learn and follows a slow change later, so that a steady slope comes to look sudden.").
				LintRule(windowRange),
			service.NewFloatMapField(fieldDeltas).
				Default(map[string]any{"temperature": 5.0, "humidity": 15.0, "co2": 400.0, "energy_consumption": 50.0}).
				Description("The change of each metric that is sudden, in the unit of the metric, for any numeric members of the readings. They suit readings that are seconds to minutes apart; sensors that report once an hour change more between two readings.").
				LintRule(notNegative),
			service.NewFloatMapField(fieldDeviations).
				Default(map[string]any{"temperature": 6.0, "humidity": 6.0, "co2": 6.0}).
				Description("The change of each metric that is sudden, in robust standard deviations of the window. Larger values report less. A metric may be named here, in `deltas`, or in both: then the smaller change counts. 0 is the same as not naming it.").
				LintRule(notNegative),
			service.NewFloatMapField(fieldResolution).
				Default(map[string]any{"temperature": 0.5, "humidity": 2.0, "co2": 50.0}).
				Description("The least standard deviation that `deviations` are counted in, in the unit of the metric: what the sensor trembles by when nothing happens. Without it a window of equal values would make noise look sudden. Metrics not named here have a hundredth of the median of the window.").
				LintRule(notNegative),
			detect.ScoreField(component),
			lanes.Field(component),
		).
		LintRule(something).
		Example("Climate of rooms", "Only temperature and CO₂ are judged, by fixed changes. Windows are kept across restarts in a file.", `
pipeline:
  processors:
    - spike_detector:
        deltas: { temperature: 4, co2: 500 }
        deviations: {}
        state: { cache: learned }

cache_resources:
  - label: learned
    file:
      directory: /var/lib/buildmon
`).
		Example("A metric of your own", "Vibration is judged by how much the sensor usually varies; nothing below six times 0.02 mm/s is reported.", `
pipeline:
  processors:
    - spike_detector:
        window: 20
        deltas: {}
        deviations: { vibration: 6 }
        resolution: { vibration: 0.02 }
`)
}

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// judge is the configuration that the states of all lanes share, and counters.
type judge struct {
	cfg                  spike.Config
	learning, late, gaps *service.MetricCounter
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	cfg, err := parse(conf)
	if err != nil {
		return nil, err
	}
	j := &judge{
		cfg:      cfg,
		learning: res.Metrics().NewCounter("buildmon_spike_detector_learning_total"),
		late:     res.Metrics().NewCounter("buildmon_spike_detector_late_total"),
		gaps:     res.Metrics().NewCounter("buildmon_spike_detector_gaps_total"),
	}
	return detect.New(component, conf, res, func() *state { return newState(j) })
}

func parse(conf *service.ParsedConfig) (c spike.Config, err error) {
	if c.Window, err = conf.FieldInt(fieldWindow); err != nil {
		return c, err
	}
	deltas, err := conf.FieldFloatMap(fieldDeltas)
	if err != nil {
		return c, err
	}
	deviations, err := conf.FieldFloatMap(fieldDeviations)
	if err != nil {
		return c, err
	}
	resolution, err := conf.FieldFloatMap(fieldResolution)
	if err != nil {
		return c, err
	}
	var names []string
	for _, m := range []map[string]float64{deltas, deviations} {
		for name, v := range m {
			if v != 0 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return c, fmt.Errorf("%s and %s are both empty, so nothing would be judged", fieldDeltas, fieldDeviations)
	}
	// The order of maps is random; findings come in the order of names.
	slices.Sort(names)
	for _, name := range names {
		c.Metrics = append(c.Metrics, spike.Metric{
			Name: name, Delta: deltas[name], Deviations: deviations[name], Resolution: resolution[name],
		})
	}
	return c, c.Validate()
}

// state is what is known of the sensors of one lane, and scratch.
type state struct {
	*spike.Detector
	*judge
	columns []column.Column
	values  []float64
	changes []spike.Change
	found   []spike.Finding
	seen    spike.Tally // since the metrics were moved last
}

var (
	_ detect.Scorer  = (*state)(nil)
	_ detect.Counter = (*state)(nil)
)

func newState(j *judge) *state {
	n := len(j.cfg.Metrics)
	names := make([]string, n)
	for i := range names {
		names[i] = j.cfg.Metrics[i].Name
	}
	return &state{Detector: spike.New(j.cfg), judge: j, columns: column.Of(names), values: make([]float64, n), changes: make([]spike.Change, n)}
}

// Score is how sudden the last reading was, from 0 to 1.
func (s *state) Score() (most float64) {
	for _, c := range s.changes {
		most = max(most, c.Score())
	}
	return most
}

// Judge reports sudden changes in the order of the names of metrics.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	for m := range s.columns {
		s.values[m] = s.columns[m].Value(r)
	}
	var tally spike.Tally
	s.found, tally = s.Observe(r.SensorID, r.Time, s.values, s.changes, s.found[:0])
	s.seen.Add(tally)
	for i := range s.found {
		found = append(found, s.anomaly(r, &s.found[i]))
	}
	return found
}

// Count moves the metrics.
func (s *state) Count() {
	s.learning.Incr(int64(s.seen.Learning))
	s.late.Incr(int64(s.seen.Late))
	s.gaps.Incr(int64(s.seen.Gaps))
	s.seen = spike.Tally{}
}

func (j *judge) anomaly(r *reading.Reading, f *spike.Finding) *anomaly.Anomaly {
	metric := j.cfg.Metrics[f.Metric].Name
	return &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kind, Metric: metric,
		Strength: f.Score(),
		Value:    f.Value, Low: f.Median - f.Limit, High: f.Median + f.Limit,
		Explanation: j.explain(metric, f),
	}
}

func (j *judge) explain(metric string, f *spike.Finding) string {
	verb, within := "rose", ""
	if f.Value < f.Median {
		verb = "fell"
	}
	if f.Within > 0 {
		within = " within " + phrase.Duration(f.Within)
	}
	return fmt.Sprintf("%s %s by %s to %s%s; its last %d readings lay %s.", phrase.Metric(metric), verb,
		phrase.Value(metric, f.Distance()), phrase.Value(metric, f.Value), within,
		j.cfg.Window, phrase.Between(metric, f.Min, f.Max))
}
