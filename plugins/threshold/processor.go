// Package threshold registers the threshold processor, which finds values past
// what is usual for a sensor and past fixed limits, and sensors that are stuck.
package threshold

import (
	"fmt"
	"math"
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/codec"
	"buildmon/internal/column"
	"buildmon/internal/limits"
	"buildmon/internal/reading"
	"buildmon/internal/recent"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

const component = "threshold"

const (
	fieldMetrics     = "metrics"
	fieldSensitivity = "sensitivity"
	fieldResolution  = "resolution"
)

// sensitivities are the scores from which on values are reported.
var sensitivities = map[string]float64{"low": limits.Low, "normal": limits.Normal, "high": limits.High}

const (
	// The host calls the rule of a list for the whole and for each element.
	different = `root = if this.type() == "array" && (this.contains("") || this.unique().length() < this.length()) { [ "must be different names, got %v".format(this) ] }`

	notNegative = `root = if this.type() == "object" { this.key_values().filter(e -> e.value < 0).map_each(e -> "%v must not be negative, got %v".format(e.key, e.value)) }`

	something = `root = if this.metrics.or(["temperature"]).length() == 0 && this.limits.or([]).length() == 0 && this.limits_file.or("") == "" { [ "metrics, limits and limits_file are all empty, so nothing would be judged" ] }`
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Detection").
		Summary("Finds values past what is usual for a sensor, values past fixed limits, and sensors that are stuck.").
		Description(`
Each metric of a sensor is compared with its own past: its level, its level at this hour of the day, its short average and how restless it is. The limits of each are the second largest and second smallest of the last eight days, or of the last 4,000 values if these go back farther. A metric that usually moves and repeats one value about twice as often in a row as it ever did is stuck. Fixed `+"`limits`"+` hold from the first reading on.

Readings pass untouched. An anomaly is appended to the batch of its reading, as a message with the metadata `+"`buildmon_kind: anomaly`"+`, at most one for each metric; a metric past a fixed limit is reported for that alone. A reading that only continues what was reported is followed by a message of the kind `+"`continuation`"+` instead, which makes the event in the database longer.
`+detect.Scale+`For a learned limit the strength is s/(1 + s), where s is how far the value lies past the limit in scales; a scale is twice the mean absolute deviation of the metric, but at least its `+"`resolution`"+` and at least as much as the limit lies past what most of the last days reached. So one scale past the limit is medium and some two and a half are high; s itself approaches 10. A fixed limit has a strength of 0.5 at the limit and 0.9 at the severe one. Without a severe one, 0.75 is a quarter of the limit past it, or 1 if the limit is 0.

== One event, one anomaly

After an anomaly, the metric is reported again when s is one and a half times as large as it was, or when the last has faded, by one percent with each reading. A fixed limit is reported when it is passed and when the severe one is, until the value is back by `+"`hysteresis`"+`. A stuck sensor is reported once.

== What is learned

A value far past its limits is learned as if it lay nearer, so that a short fault does not become usual; a lasting change is usual within hours. 100 values must have been seen before any is judged. In the first three days of a sensor little is reported, since what was not seen in half a day may come every afternoon; the hour of the day is used from the fourth day on, its mean from the fourth work day or day of a weekend on, and only for metrics that repeat every day.

Time is the time of the readings. A reading that is late or repeats a time is judged and not learned. After a gap of more than ten usual intervals the short averages start anew. An absent metric is skipped.

== Delivery guarantees

No message is dropped or changed. Messages that are no acceptable readings pass untouched. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once. With a `+"`state`"+` cache, what was learned survives a restart, and the next reading is judged as it would have been. A state of a version before 0.2.0 is refused with a warning, and learned anew.

== Memory

For each metric that a sensor says, in each lane (a Kafka partition), 0.6 KB in its first hour, 1.2 KB after it, and 1.6 KB after eight days: 8.2 KB for a sensor of five metrics, 164 MB for 20,000 of them; and 0.2 KB for one with less than eight readings. A state is about half as large. A sensor is forgotten after thirty days of silence; of a million sensors in a lane, the half that was silent longest is.`).
		Fields(
			service.NewStringListField(fieldMetrics).Default(anyList(reading.MetricNames())).
				Description("The metrics that are compared with their own past: any numeric members of the readings. With an empty list only fixed limits are judged.").
				LintRule(different),
			service.NewStringEnumField(fieldSensitivity, "low", "normal", "high").Default("normal").
				Description("How far past its own limits a value must lie to be reported: 1.4 scales, 0.7, or 0.35. High finds more and raises about twice as many false alarms as normal."),
			service.NewFloatMapField(fieldResolution).
				Default(map[string]any{"temperature": 0.5, "humidity": 2.0, "co2": 75.0, "occupancy": 3.0}).
				Description("The least scale of metrics, in their units: a value that is past its own limits by less than a good half of it is not reported, however regular the metric is. Metrics not named here have none.").
				LintRule(notNegative),
			limitsField(),
			service.NewStringField(fieldLimitsFile).Default("").
				Description("The path of a YAML file with a list `limits` of the same form. Empty reads none.").
				Example("configs/limits.yaml"),
			detect.ScoreField(component),
			lanes.Field(component),
		).
		LintRule(something).
		Example("What is usual for each sensor", "What was learned is kept across restarts in a file.", `
pipeline:
  processors:
    - threshold:
        state: { cache: learned }

cache_resources:
  - label: learned
    file:
      directory: /var/lib/buildmon
`).
		Example("Fixed limits only", "The first limit that fits a reading counts, so special ones come first.", `
pipeline:
  processors:
    - threshold:
        metrics: []
        limits:
          - { metric: temperature, max: 27, severe_max: 32, hysteresis: 0.5, where: { room_type: Server Room } }
          - { metric: temperature, min: 17, max: 30 }
          - { metric: co2, max: 1000, severe_max: 2000, hysteresis: 100 }
`).
		Example("A score for every reading", "Each line has a sensor_id, a timestamp and a value; the score is added to it.", `
input:
  stdin: {}
pipeline:
  threads: 1
  processors:
    - threshold:
        metrics: [ value ]
        emit_scores: true
    - mapping: |
        root = if @buildmon_kind == null { this.merge({ "score": @buildmon_threshold_score }) } else { deleted() }
output:
  stdout: {}
`)
}

// anyList is what rules see of a default.
func anyList(names []string) []any {
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return list
}

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// judge is the configuration that the states of all lanes share, and counters.
type judge struct {
	cfg     limits.Config
	limits  []limit
	limited []string // metrics that have limits
	metrics []string // those that are learned, then those that only have limits

	learning, late, invalid *service.MetricCounter
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	j := &judge{
		learning: res.Metrics().NewCounter("buildmon_threshold_learning_total"),
		late:     res.Metrics().NewCounter("buildmon_threshold_late_total"),
		invalid:  res.Metrics().NewCounter("buildmon_threshold_invalid_total"),
	}
	if err := j.parse(conf, res); err != nil {
		return nil, err
	}
	return detect.New(component, conf, res, func() *state { return newState(j) })
}

func (j *judge) parse(conf *service.ParsedConfig, res *service.Resources) (err error) {
	if j.cfg.Metrics, err = conf.FieldStringList(fieldMetrics); err != nil {
		return err
	}
	for i, name := range j.cfg.Metrics {
		if name == "" || slices.Contains(j.cfg.Metrics[:i], name) {
			return fmt.Errorf("%s must be different names, got %q", fieldMetrics, j.cfg.Metrics)
		}
	}
	sensitivity, err := conf.FieldString(fieldSensitivity)
	if err != nil {
		return err
	}
	var ok bool
	if j.cfg.Threshold, ok = sensitivities[sensitivity]; !ok {
		return fmt.Errorf("%s must be low, normal or high, got %q", fieldSensitivity, sensitivity)
	}
	resolution, err := conf.FieldFloatMap(fieldResolution)
	if err != nil {
		return err
	}
	for _, name := range j.cfg.Metrics {
		j.cfg.Least = append(j.cfg.Least, resolution[name])
	}
	if err := j.cfg.Validate(); err != nil {
		return err
	}
	if j.limits, err = parseLimits(conf, res.FS()); err != nil {
		return err
	}
	if len(j.cfg.Metrics) == 0 && len(j.limits) == 0 {
		return fmt.Errorf("%s, %s and %s are all empty, so nothing would be judged", fieldMetrics, fieldLimits, fieldLimitsFile)
	}
	j.metrics = slices.Clone(j.cfg.Metrics)
	for _, l := range j.limits {
		if !slices.Contains(j.limited, l.metric) {
			j.limited = append(j.limited, l.metric)
		}
		if !slices.Contains(j.metrics, l.metric) {
			j.metrics = append(j.metrics, l.metric)
		}
	}
	return nil
}

// state is what was learned from one lane, and scratch.
type state struct {
	*judge
	learner *limits.Detector
	bands   *recent.Map[bands]

	columns  []column.Column // of all metrics
	values   []float64
	scores   []limits.Score
	found    []limits.Finding
	strength float64      // of what was found on the last reading
	seen     limits.Tally // since the metrics were moved last
}

// bands are where the values of a sensor lie among their fixed limits.
type bands struct {
	last int64 // time of the newest reading
	of   []limits.Band
}

var (
	_ detect.Scorer  = (*state)(nil)
	_ detect.Counter = (*state)(nil)
)

func newState(j *judge) *state {
	return &state{
		judge: j, learner: limits.New(j.cfg), bands: recent.New[bands](limits.ForgetAfter, limits.MaxSensors),
		columns: column.Of(j.metrics), values: make([]float64, len(j.cfg.Metrics)), scores: make([]limits.Score, len(j.cfg.Metrics)),
	}
}

func (s *state) fresh() bands {
	return bands{last: math.MinInt64, of: make([]limits.Band, len(s.limited))}
}

// Judge reports each metric at most once: for its fixed limit if it is past that,
// or else for what is farthest from usual.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	s.observe(r)
	if len(s.limited) == 0 && len(s.found) == 0 {
		return found
	}
	var known *bands
	late := false
	if len(s.limited) > 0 {
		known = s.bands.Get(r.SensorID, r.Time.UnixMicro(), s.fresh)
		late = r.Time.UnixMicro() <= known.last
		known.last = max(known.last, r.Time.UnixMicro())
	}
	next := 0
	for m, metric := range s.metrics {
		var a *anomaly.Anomaly
		outside := false
		if i := slices.Index(s.limited, metric); i >= 0 {
			a, outside = s.fixed(r, metric, s.columns[m].Value(r), &known.of[i], late)
		}
		for ; next < len(s.found) && s.found[next].Metric == m; next++ {
			if f := &s.found[next]; !outside && (a == nil || worthier(f, a)) {
				a = learned(r, metric, f)
			}
		}
		if a != nil {
			if !a.Continues {
				s.strength = max(s.strength, a.Strength)
			}
			found = append(found, a)
		}
	}
	return found
}

// worthier prefers what is reported to what goes on, and then the stronger.
func worthier(f *limits.Finding, a *anomaly.Anomaly) bool {
	if f.Continues != a.Continues {
		return a.Continues
	}
	return f.Score > a.Strength
}

// observe asks what is usual.
func (s *state) observe(r *reading.Reading) {
	for m := range s.values {
		s.values[m] = s.columns[m].Value(r)
	}
	var tally limits.Tally
	s.found, tally = s.learner.Observe(r.SensorID, r.Time, s.values, s.scores, s.found[:0])
	s.strength = 0
	s.seen.Add(tally)
}

// Count moves the metrics.
func (s *state) Count() {
	s.learning.Incr(int64(s.seen.Learning))
	s.late.Incr(int64(s.seen.Late))
	s.invalid.Incr(int64(s.seen.Invalid))
	s.seen = limits.Tally{}
}

// Score is how unusual the last reading was, from 0 to 1.
func (s *state) Score() float64 {
	most := s.strength
	for _, score := range s.scores {
		most = max(most, score.Past, score.Stuck)
	}
	return most
}

// fixed judges a metric by the first limit that fits, and tells whether it is past
// that.
func (s *state) fixed(r *reading.Reading, metric string, v float64, band *limits.Band, late bool) (*anomaly.Anomaly, bool) {
	if math.IsNaN(v) {
		return nil, false
	}
	for i := range s.limits {
		l := &s.limits[i]
		if !l.fits(r, metric) {
			continue
		}
		to, report := l.Next(*band, v)
		if !late {
			*band = to
		}
		if to == limits.Within {
			return nil, false
		}
		a := l.past(r, v, to)
		a.Continues = !report
		return a, true
	}
	return nil, false
}

// The kind and version of saved states.
const (
	stateKind    = "threshold"
	stateVersion = 2 // the first was that of another way to learn
)

// AppendBinary appends what was learned and which fixed limits are passed.
func (s *state) AppendBinary(b []byte) ([]byte, error) {
	b, err := codec.AppendBlock(codec.AppendHeader(b, stateKind, stateVersion), s.learner.AppendBinary)
	if err != nil {
		return nil, err
	}
	b = codec.AppendUint(b, uint64(len(s.limited)))
	for _, name := range s.limited {
		b = codec.AppendString(b, name)
	}
	return s.bands.Append(b, func(b []byte, known *bands) []byte {
		b = codec.AppendInt(b, known.last)
		for _, band := range known.of {
			b = codec.AppendInt(b, int64(band))
		}
		return b
	}), nil
}

// UnmarshalBinary replaces all that is known. Limits that are new start within.
func (s *state) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, stateKind, stateVersion)
	learned := r.Block()
	names := make([]int, r.Len(1))
	for i := range names {
		names[i] = slices.Index(s.limited, r.String())
	}
	known := recent.New[bands](limits.ForgetAfter, limits.MaxSensors)
	known.Read(r, 1+len(names), func(r *codec.Reader) bands {
		b := s.fresh()
		b.last = r.Int()
		for _, i := range names {
			band := r.Int()
			if band < int64(limits.SeverelyLow) || band > int64(limits.SeverelyHigh) {
				r.Fail("a band of %d cannot be", band)
			}
			if i >= 0 {
				b.of[i] = limits.Band(band)
			}
		}
		return b
	})
	if err := r.Close(); err != nil {
		return err
	}
	if err := s.learner.UnmarshalBinary(learned); err != nil {
		return err
	}
	s.bands = known
	return nil
}
