package threshold

import (
	"fmt"
	"math"

	"buildmon/internal/anomaly"
	"buildmon/internal/limits"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
)

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

// learned is the report of what the sensor's own past says of a value.
func learned(r *reading.Reading, metric string, f *limits.Finding) *anomaly.Anomaly {
	above := f.Seen > f.High
	a := &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kindOf(metric, above), Metric: metric,
		Strength: f.Score, Value: f.Value, Low: f.Low, High: f.High, Continues: f.Continues,
	}
	name, usual := phrase.Metric(metric), phrase.Range(metric, f.Low, f.High)
	seen := phrase.Value(metric, f.Seen, f.Low, f.High)
	switch f.View {
	case limits.Level:
		a.Explanation = fmt.Sprintf("%s %s is %s the usual %s of this sensor.", name, seen, side(above), usual)
	case limits.Hour, limits.Daily:
		a.Explanation = fmt.Sprintf("%s %s is %s the usual %s of this sensor at this hour.", name, seen, side(above), usual)
	case limits.Average:
		a.Explanation = fmt.Sprintf("%s of the last 24 readings is %s on average, %s the usual %s of this sensor.", name, seen, side(above), usual)
	case limits.Rest:
		a.Type, a.Low, a.High = metric+"_restless", math.NaN(), math.NaN()
		if !above {
			a.Type = metric + "_too_calm"
		}
		a.Explanation = fmt.Sprintf("%s changes by %s from one reading to the next, %s the usual %s of this sensor.", name, seen, side(above), usual)
	case limits.Stuck:
		a.Type, a.Low, a.High = metric+"_stuck", math.NaN(), math.NaN()
		before := "it hardly ever repeated a value before"
		if f.Longest > 0 {
			before = fmt.Sprintf("before, it repeated a value at most %d times in a row", f.Longest)
		}
		a.Explanation = fmt.Sprintf("%s has been exactly %s for %s, in %d readings; %s. The sensor may be stuck.",
			name, phrase.Value(metric, f.Value), phrase.Duration(f.For), f.Run, before)
	}
	return a
}
