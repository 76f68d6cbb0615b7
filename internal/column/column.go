// Package column finds the metrics of readings without looking for their names each time,
// which would take longer than most of what is done with the values.
package column

import (
	"math"

	"buildmon/internal/reading"
)

// Column is where readings keep a metric.
type Column struct {
	known  bool // it is a well-known metric
	metric reading.Metric
	extra  string // else its name
}

// Of returns the columns of metrics.
func Of(metrics []string) []Column {
	columns := make([]Column, len(metrics))
	for i, name := range metrics {
		m, known := reading.ParseMetric(name)
		columns[i] = Column{known: known, metric: m, extra: name}
	}
	return columns
}

// Value is that of a reading, or NaN if it has none.
func (c *Column) Value(r *reading.Reading) float64 {
	if c.known {
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
