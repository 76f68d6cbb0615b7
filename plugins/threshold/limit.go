package threshold

import (
	"fmt"
	"math"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
)

const (
	fieldLimits = "limits"
	fieldMetric = "metric"
	fieldMin    = "min"
	fieldMax    = "max"
	fieldWhere  = "where"
)

func limitsField() *service.ConfigField {
	return service.NewObjectListField(fieldLimits,
		service.NewStringField(fieldMetric).
			Description("The metric, any numeric member of the readings."),
		service.NewFloatField(fieldMin).Optional().
			Description("The smallest value that is no anomaly, in the unit of the metric."),
		service.NewFloatField(fieldMax).Optional().
			Description("The largest value that is no anomaly, in the unit of the metric."),
		service.NewStringMapField(fieldWhere).Default(map[string]any{}).
			Description("Text members that a reading must have for the limit to fit. Empty fits all readings.").
			Example(map[string]any{"room_type": "Server Room"}),
	).Default([]any{}).
		Description("Fixed limits, which hold from the first reading on. For each metric the first limit that fits a reading counts.").
		LintRule(`root = match {
  this.type() != "object" => [],
  this.metric.or("") == "" => [ "metric must not be empty" ],
  this.min.or(null) == null && this.max.or(null) == null => [ "limit of %v needs min or max".format(this.metric) ],
  this.min.or(null) != null && this.max.or(null) != null && this.min >= this.max => [ "limit of %v: min %v must be smaller than max %v".format(this.metric, this.min, this.max) ],
}`)
}

// limit is a fixed limit; NaN stands for an open end.
type limit struct {
	metric   string
	min, max float64
	where    map[string]string
}

func parseLimits(conf *service.ParsedConfig) ([]limit, error) {
	list, err := conf.FieldObjectList(fieldLimits)
	if err != nil {
		return nil, err
	}
	limits := make([]limit, len(list))
	for i, c := range list {
		l := limit{min: math.NaN(), max: math.NaN()}
		if l.metric, err = c.FieldString(fieldMetric); err != nil {
			return nil, err
		}
		if c.Contains(fieldMin) {
			if l.min, err = c.FieldFloat(fieldMin); err != nil {
				return nil, err
			}
		}
		if c.Contains(fieldMax) {
			if l.max, err = c.FieldFloat(fieldMax); err != nil {
				return nil, err
			}
		}
		if l.where, err = c.FieldStringMap(fieldWhere); err != nil {
			return nil, err
		}
		switch {
		case l.metric == "":
			return nil, fmt.Errorf("metric must not be empty in limit %d", i)
		case math.IsNaN(l.min) && math.IsNaN(l.max):
			return nil, fmt.Errorf("limit of %s needs min or max", l.metric)
		case l.min >= l.max:
			return nil, fmt.Errorf("limit of %s: min %v must be smaller than max %v", l.metric, l.min, l.max)
		}
		limits[i] = l
	}
	return limits, nil
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

// fixed judges a metric by the first limit that fits.
func (j *judge) fixed(r *reading.Reading, metric string) *anomaly.Anomaly {
	for i := range j.limits {
		l := &j.limits[i]
		if !l.fits(r, metric) {
			continue
		}
		switch v := value(r, metric); {
		case v > l.max:
			return l.past(r, v, l.max, true)
		case v < l.min:
			return l.past(r, v, l.min, false)
		}
		return nil
	}
	return nil
}

func (l *limit) past(r *reading.Reading, v, bound float64, above bool) *anomaly.Anomaly {
	scale := math.Abs(bound) / 4
	if scale == 0 {
		scale = 1
	}
	return &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kindOf(l.metric, above), Metric: l.metric,
		Score: anomaly.ScoreBeyond(math.Abs(v-bound), scale), Value: v, Low: l.min, High: l.max,
		Explanation: fmt.Sprintf("%s %s is %s the fixed limit of %s.", phrase.Metric(l.metric), phrase.Value(l.metric, v, bound),
			side(above), phrase.Value(l.metric, bound)),
	}
}

// value is NaN for an absent metric.
func value(r *reading.Reading, metric string) float64 {
	if v, ok := r.Value(metric); ok {
		return v
	}
	return math.NaN()
}

func side(above bool) string {
	if above {
		return "above"
	}
	return "below"
}

// kindOf is the type of an anomaly, by names that users of dashboards know.
func kindOf(metric string, above bool) string {
	switch {
	case metric == reading.CO2.String() && above:
		return "co2_dangerous"
	case metric == reading.Energy.String() && above:
		return "energy_excessive"
	case metric == reading.Energy.String():
		return "energy_too_low"
	case above:
		return metric + "_too_high"
	}
	return metric + "_too_low"
}
