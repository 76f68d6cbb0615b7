// Package threshold registers the threshold processor, which finds values past
// what is usual for a group of sensors and past fixed limits.
package threshold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/percentile"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
)

const component = "threshold"

const (
	fieldMetrics    = "metrics"
	fieldGroupBy    = "group_by"
	fieldLower      = "lower_percentile"
	fieldUpper      = "upper_percentile"
	fieldMargin     = "margin"
	fieldMinWidth   = "min_width"
	fieldRefresh    = "refresh_interval"
	fieldHistory    = "history"
	fieldMinSamples = "min_samples"
	fieldSamples    = "samples"
)

const (
	percent  = `root = if this <= 0 || this >= 100 { [ "must be between 0 and 100, got %v".format(this) ] }`
	positive = `root = if this.parse_duration() <= 0 { [ "must be positive, got %s".format(this) ] }`
	natural  = `root = if this < 2 { [ "must be at least 2, got %v".format(this) ] }`
	zeroOrUp = `root = if this < 0 { [ "must not be negative, got %v".format(this) ] }`
	history  = `root = match {
  this.parse_duration() <= 0 => [ "must be positive, got %s".format(this) ],
  this.parse_duration() > "8784h".parse_duration() => [ "must be at most 8784h, got %s".format(this) ],
}`

	// The host calls the rule of a list or map for the whole and for each element.
	different = `root = if this.type() == "array" && (this.contains("") || this.unique().length() < this.length()) { [ "must be different names, got %v".format(this) ] }`
	widths    = `root = if this.type() == "object" { this.key_values().filter(e -> e.value < 0).map_each(e -> "%v must not be negative, got %v".format(e.key, e.value)) }`

	order = `root = match {
  this.lower_percentile.or(1) >= this.upper_percentile.or(99) => [ "lower_percentile %v must be smaller than upper_percentile %v".format(this.lower_percentile.or(1), this.upper_percentile.or(99)) ],
  this.samples.or(1000) < this.min_samples.or(100) => [ "samples %v must not be smaller than min_samples %v".format(this.samples.or(1000), this.min_samples.or(100)) ],
  this.history.or("24h").parse_duration() < this.refresh_interval.or("5m").parse_duration() => [ "history %v must not be shorter than refresh_interval %v".format(this.history.or("24h"), this.refresh_interval.or("5m")) ],
  this.metrics.or(["temperature"]).length() == 0 && this.limits.or([]).length() == 0 => [ "metrics and limits are both empty, so nothing would be judged" ],
}`
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Detection").
		Summary("Finds values past what is usual for a group of sensors, and values past fixed limits.").
		Description(`
For each group and metric the processor learns two percentiles of the last `+"`history`"+`, the usual range, and reports values that lie past it by more than `+"`margin`"+` times its width. It knows nothing at first: a metric of a group is judged when `+"`min_samples`"+` values of it were seen. Fixed `+"`limits`"+` hold from the first reading on.

Readings pass untouched. An anomaly is appended to the batch of its reading, as a message with the metadata `+"`buildmon_kind: anomaly`"+`, one for each metric at fault; a metric past a fixed limit is reported for that alone. The score is 1 - 0.5 * 2^(-d/s) for a value at distance d past the limit: 0.5 at the limit, 0.75 at s past it, towards 1 beyond. For a learned limit s is the width of the usual range, or `+"`min_width`"+` if that is more; for a fixed one a quarter of the limit, or 1 if the limit is 0.

== The margin

The plain 1st and 99th percentile, which a `+"`margin`"+` of 0 gives, flag 2 % of perfectly good values for ever: that is what a percentile is. With the default of half a width, normally distributed values are flagged once in some hundred thousand. While less than a `+"`history`"+` is known the margin is wider, twice as wide at first, since a group that was only seen at night does not know the day.

== What becomes usual

A value past a limit is learned as if it lay a quarter of the width past it. So a short fault changes nothing, however strange its values; one that makes up more than 1 % of the history (a quarter of an hour of a day, if all sensors of the group have it) widens the range by a step, and by further ones as it lasts. A lasting change is usual within hours.

Time is the time of the readings. A reading older than the history is judged and not learned. A group that was silent for longer is judged by its last limits until enough new values came. An absent metric is skipped.

== Delivery guarantees

No message is dropped or changed. Messages that are no acceptable readings pass untouched. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once. With a `+"`state`"+` cache, what was learned survives a restart, and the next reading is judged as it would have been.

== Memory

At most `+"`samples`"+` values of 16 bytes for each group and metric, in each lane (a Kafka partition): about 100 KB a group of five metrics with the defaults. A group is forgotten after seven histories of silence; of 100,000 groups in a lane, the half that was silent longest is.`).
		Fields(
			service.NewStringListField(fieldMetrics).Default(anyList(reading.MetricNames())).
				Description("The metrics whose usual range is learned: any numeric members of the readings. With an empty list only fixed limits are judged.").
				LintRule(different),
			service.NewStringListField(fieldGroupBy).Default([]any{"room_type"}).
				Description("The text members of readings that tell apart what has a usual range of its own. With an empty list all readings share one; `[ sensor_id ]` gives one to each sensor, which takes memory for each sensor and more time to learn.").
				Example([]any{"sensor_id"}).Example([]any{"building", "room_type"}).
				LintRule(different),
			service.NewFloatField(fieldLower).Default(1.0).
				Description("The percentile that is the lower end of the usual range, in percent.").
				LintRule(percent),
			service.NewFloatField(fieldUpper).Default(99.0).
				Description("The percentile that is the upper end of the usual range, in percent.").
				LintRule(percent),
			service.NewFloatField(fieldMargin).Default(0.5).
				Description("How far past the usual range a value must lie to be an anomaly, in widths of the range. Larger values report less. 0 reports everything past the percentiles, 2 % of good readings with the default ones.").
				LintRule(zeroOrUp),
			service.NewFloatMapField(fieldMinWidth).
				Default(map[string]any{"temperature": 2.0, "humidity": 10.0, "co2": 200.0, "occupancy": 20.0, "energy_consumption": 20.0}).
				Description("The least width that the margin is a share of, in the unit of the metric. It keeps a metric that hardly ever moves from being reported for its first small move. Metrics not named here have a tenth of the larger end of their range.").
				LintRule(widths),
			service.NewDurationField(fieldRefresh).Default("5m").
				Description("How much time of readings passes before the range of a group and metric is computed again. Larger values cost less and adapt later.").
				LintRule(positive),
			service.NewDurationField(fieldHistory).Default("24h").
				Description("How far back the readings reach that the range is learned from. Less than a day makes every morning an anomaly. At most 8784h.").
				LintRule(history),
			service.NewIntField(fieldMinSamples).Default(100).
				Description("How many values of a metric a group must have seen within the history before any is judged. Fewer give earlier and less certain limits.").
				LintRule(natural),
			service.NewIntField(fieldSamples).Default(1000).Advanced().
				Description("How many values of a group and metric are kept. When the history has more, an even sample of it is kept, of at least half this many. More give steadier limits and take more memory.").
				LintRule(natural),
			limitsField(),
			lanes.Field(component),
		).
		LintRule(order).
		Example("What is usual for a kind of room", "Offices, server rooms and cafeterias each get limits of their own, which are kept across restarts in a file.", `
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
          - { metric: temperature, max: 27, where: { room_type: Server Room } }
          - { metric: temperature, min: 17, max: 30 }
          - { metric: co2, max: 1500 }
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

func init() {
	service.MustRegisterBatchProcessor(component, spec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
			return newFromConfig(conf, res)
		})
}

// judge is the configuration that the states of all lanes share.
type judge struct {
	learn    percentile.Config
	groupBy  []string
	metrics  []string // those that are learned, then those that only have limits
	limits   []limit
	learning *service.MetricCounter
}

func newFromConfig(conf *service.ParsedConfig, res *service.Resources) (*detect.Processor[*state], error) {
	j := &judge{learning: res.Metrics().NewCounter("buildmon_threshold_learning_total")}
	if err := j.parse(conf); err != nil {
		return nil, err
	}
	return detect.New(component, conf, res, func() *state {
		return &state{Learner: percentile.New(j.learn), judge: j, values: make([]float64, len(j.learn.Metrics))}
	})
}

func (j *judge) parse(conf *service.ParsedConfig) (err error) {
	c := &j.learn
	if c.Metrics, err = conf.FieldStringList(fieldMetrics); err != nil {
		return err
	}
	if j.groupBy, err = conf.FieldStringList(fieldGroupBy); err != nil {
		return err
	}
	if c.Lower, err = conf.FieldFloat(fieldLower); err != nil {
		return err
	}
	if c.Upper, err = conf.FieldFloat(fieldUpper); err != nil {
		return err
	}
	if c.Margin, err = conf.FieldFloat(fieldMargin); err != nil {
		return err
	}
	if c.Refresh, err = conf.FieldDuration(fieldRefresh); err != nil {
		return err
	}
	if c.History, err = conf.FieldDuration(fieldHistory); err != nil {
		return err
	}
	if c.MinSamples, err = conf.FieldInt(fieldMinSamples); err != nil {
		return err
	}
	if c.MaxSamples, err = conf.FieldInt(fieldSamples); err != nil {
		return err
	}
	least, err := conf.FieldFloatMap(fieldMinWidth)
	if err != nil {
		return err
	}
	for _, m := range c.Metrics {
		c.MinWidth = append(c.MinWidth, least[m])
	}
	c.Scope = strings.Join(j.groupBy, ",")
	if err := c.Validate(); err != nil {
		return err
	}
	if j.limits, err = parseLimits(conf); err != nil {
		return err
	}
	if len(c.Metrics) == 0 && len(j.limits) == 0 {
		return fmt.Errorf("%s and %s are both empty, so nothing would be judged", fieldMetrics, fieldLimits)
	}
	for name, list := range map[string][]string{fieldMetrics: c.Metrics, fieldGroupBy: j.groupBy} {
		for i, v := range list {
			if v == "" || slices.Contains(list[:i], v) {
				return fmt.Errorf("%s must be different names, got %q", name, list)
			}
		}
	}
	j.metrics = slices.Clone(c.Metrics)
	for _, l := range j.limits {
		if !slices.Contains(j.metrics, l.metric) {
			j.metrics = append(j.metrics, l.metric)
		}
	}
	return nil
}

// state is what was learned from one lane, and scratch.
type state struct {
	*percentile.Learner
	*judge
	key    []byte
	values []float64
	found  []percentile.Finding
}

// Judge reports each metric once: for its fixed limit if it is past that.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	s.observe(r)
	next := 0
	for m, metric := range s.metrics {
		a := s.fixed(r, metric)
		if next < len(s.found) && s.found[next].Metric == m {
			if a == nil {
				a = s.learned(r, metric, &s.found[next])
			}
			next++
		}
		if a != nil {
			found = append(found, a)
		}
	}
	return found
}

func (s *state) observe(r *reading.Reading) {
	s.key = s.key[:0]
	for i, label := range s.groupBy {
		if i > 0 {
			s.key = append(s.key, 0x1f)
		}
		s.key = append(s.key, r.Label(label)...)
	}
	for m, metric := range s.learn.Metrics {
		s.values[m] = value(r, metric)
	}
	var learning int
	if s.found, learning = s.Observe(s.key, r.Time, s.values, s.found[:0]); learning > 0 {
		s.learning.Incr(int64(learning))
	}
}

func (s *state) learned(r *reading.Reading, metric string, f *percentile.Finding) *anomaly.Anomaly {
	return &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kindOf(metric, f.Above()), Metric: metric,
		Score: anomaly.ScoreBeyond(f.Distance, f.Scale), Value: f.Value, Low: f.Low, High: f.High,
		Explanation: fmt.Sprintf("%s %s is %s the usual %s of %s.", phrase.Metric(metric), phrase.Value(metric, f.Value, f.Low, f.High),
			side(f.Above()), phrase.Range(metric, f.Low, f.High), s.group(r)),
	}
}

// group names the sensors that share a range with the one of the reading.
func (s *state) group(r *reading.Reading) string {
	if len(s.groupBy) == 0 {
		return "all sensors"
	}
	var names []string
	for _, label := range s.groupBy {
		switch v := r.Label(label); {
		case label == "sensor_id":
			return "this sensor"
		case v == "":
			names = append(names, "no "+label)
		case label == "room_type":
			names = append(names, v+" rooms")
		default:
			names = append(names, v)
		}
	}
	return strings.Join(names, ", ")
}
