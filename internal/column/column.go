// Package column finds the metrics of readings without looking for their names each time,
// which would take longer than most of what is done with the values.
package column

import (
	"math"

	"buildmon/internal/reading"
)

// Column is where readings keep a metric.
type Column struct {
	metric reading.Metric
	extra  string // name among the extra fields, or "" for a well-known metric
}

// Of returns the columns of metrics.
func Of(metrics []string) []Column {
	columns := make([]Column, len(metrics))
	for i, name := range metrics {
		if m, ok := reading.ParseMetric(name); ok {
			columns[i].metric = m
		} else {
			columns[i].extra = name
		}
	}
	return columns
}

// Value is that of a reading, or NaN if it has none.
func (c *Column) Value(r *reading.Reading) float64 {
	if c.extra == "" {
		return r.Values[c.metric]
	}
	return c.other(r)
}

func (c *Column) other(r *reading.Reading) float64 {
	if v, ok := r.Value(c.extra); ok {
		return v
	}
	return math.NaN()
}
