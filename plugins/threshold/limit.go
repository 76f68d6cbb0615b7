package threshold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	"buildmon/internal/anomaly"
	"buildmon/internal/limits"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
)

const (
	fieldLimits     = "limits"
	fieldLimitsFile = "limits_file"
	fieldMetric     = "metric"
	fieldMin        = "min"
	fieldMax        = "max"
	fieldSevereMin  = "severe_min"
	fieldSevereMax  = "severe_max"
	fieldHysteresis = "hysteresis"
	fieldWhere      = "where"
)

func limitsField() *service.ConfigField {
	return service.NewObjectListField(fieldLimits,
		service.NewStringField(fieldMetric).
			Description("The metric, any numeric member of the readings."),
		service.NewFloatField(fieldMin).Optional().
			Description("The smallest value that is no anomaly, in the unit of the metric."),
		service.NewFloatField(fieldMax).Optional().
			Description("The largest value that is no anomaly, in the unit of the metric."),
		service.NewFloatField(fieldSevereMin).Optional().
			Description("A value below this is critical. Smaller than `min`."),
		service.NewFloatField(fieldSevereMax).Optional().
			Description("A value above this is critical. Larger than `max`."),
		service.NewFloatField(fieldHysteresis).Default(0.0).
			Description("How far a value must be back within a limit for the event to end, in the unit of the metric. It keeps a value that trembles around a limit from being reported again and again."),
		service.NewStringMapField(fieldWhere).Default(map[string]any{}).
			Description("Text members that a reading must have for the limit to fit. Empty fits all readings.").
			Example(map[string]any{"room_type": "Server Room"}),
	).Default([]any{}).
		Description("Fixed limits, which hold from the first reading on. For each metric the first limit that fits a reading counts; those of `limits_file` come after these.").
		LintRule(`root = match {
  this.type() != "object" => [],
  this.metric.or("") == "" => [ "metric must not be empty" ],
  this.min.or(null) == null && this.max.or(null) == null => [ "limit of %v: min or max is needed".format(this.metric) ],
  this.min.or(null) != null && this.max.or(null) != null && this.min >= this.max => [ "limit of %v: min %v must be smaller than max %v".format(this.metric, this.min, this.max) ],
  this.severe_min.or(null) != null && (this.min.or(null) == null || this.severe_min >= this.min) => [ "limit of %v: severe_min %v must be smaller than min %v".format(this.metric, this.severe_min, this.min.or("NaN")) ],
  this.severe_max.or(null) != null && (this.max.or(null) == null || this.severe_max <= this.max) => [ "limit of %v: severe_max %v must be larger than max %v".format(this.metric, this.severe_max, this.max.or("NaN")) ],
  this.hysteresis.or(0) < 0 => [ "limit of %v: hysteresis must not be negative, got %v".format(this.metric, this.hysteresis) ],
  this.min.or(null) != null && this.max.or(null) != null && this.hysteresis.or(0) >= this.max - this.min => [ "limit of %v: hysteresis %v must be smaller than the distance %v of min and max".format(this.metric, this.hysteresis, this.max - this.min) ],
}`)
}

// limit is a fixed limit and what it is for.
type limit struct {
	limits.Fixed
	metric string
	where  map[string]string
}

func parseLimits(conf *service.ParsedConfig, files fs.FS) ([]limit, error) {
	list, err := conf.FieldObjectList(fieldLimits)
	if err != nil {
		return nil, err
	}
	all := make([]limit, len(list))
	for i, c := range list {
		if all[i], err = parseLimit(c); err != nil {
			return nil, err
		}
	}
	path, err := conf.FieldString(fieldLimitsFile)
	if err != nil || path == "" {
		return all, err
	}
	more, err := readLimits(files, path)
	if err != nil {
		return nil, fmt.Errorf("reading limits from %q: %w", path, err)
	}
	return append(all, more...), nil
}

func parseLimit(c *service.ParsedConfig) (l limit, err error) {
	if l.metric, err = c.FieldString(fieldMetric); err != nil {
		return l, err
	}
	for name, bound := range map[string]*float64{
		fieldMin: &l.Min, fieldMax: &l.Max, fieldSevereMin: &l.SevereMin, fieldSevereMax: &l.SevereMax, fieldHysteresis: &l.Hysteresis,
	} {
		*bound = math.NaN()
		if c.Contains(name) {
			if *bound, err = c.FieldFloat(name); err != nil {
				return l, err
			}
		}
	}
	if l.where, err = c.FieldStringMap(fieldWhere); err != nil {
		return l, err
	}
	return l, l.validate()
}

func (l *limit) validate() error {
	if l.metric == "" {
		return errors.New("metric must not be empty in a limit")
	}
	if err := l.Validate(); err != nil {
		return fmt.Errorf("limit of %s: %w", l.metric, err)
	}
	return nil
}

// readLimits reads a file with a list of limits of the form of the field.
func readLimits(files fs.FS, path string) ([]limit, error) {
	raw, err := fs.ReadFile(files, path)
	if err != nil {
		return nil, err
	}
	var content struct {
		Limits []struct {
			Metric     string
			Min, Max   *float64
			SevereMin  *float64 `yaml:"severe_min"`
			SevereMax  *float64 `yaml:"severe_max"`
			Hysteresis float64
			Where      map[string]string
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&content); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(content.Limits) == 0 {
		return nil, errors.New("it has no limits")
	}
	orNaN := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	all := make([]limit, len(content.Limits))
	for i, c := range content.Limits {
		all[i] = limit{
			Fixed: limits.Fixed{
				Min: orNaN(c.Min), Max: orNaN(c.Max), SevereMin: orNaN(c.SevereMin), SevereMax: orNaN(c.SevereMax),
				Hysteresis: c.Hysteresis,
			},
			metric: c.Metric, where: c.Where,
		}
		if err := all[i].validate(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *limit) fits(r *reading.Reading, metric string) bool {
	if l.metric != metric {
		return false
	}
	for label, want := range l.where {
		if r.Label(label) != want {
			return false
		}
	}
	return true
}

// past is the report of a value past a limit.
func (l *limit) past(r *reading.Reading, v float64, band limits.Band) *anomaly.Anomaly {
	above := band > limits.Within
	bound := l.Min
	if above {
		bound = l.Max
	}
	severe := ""
	if band == limits.SeverelyHigh || band == limits.SeverelyLow {
		severe = "far "
	}
	return &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kindOf(l.metric, above), Metric: l.metric,
		Strength: l.Strength(v), Value: v, Low: l.Min, High: l.Max,
		Explanation: fmt.Sprintf("%s %s is %s%s the fixed limit of %s.", phrase.Metric(l.metric), phrase.Value(l.metric, v, bound),
			severe, side(above), phrase.Value(l.metric, bound)),
	}
}
