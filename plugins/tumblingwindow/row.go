package tumblingwindow

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// The functions of a metric, as configurations name them.
const (
	avg   = "avg"
	total = "sum"
	least = "min"
	most  = "max"
)

// metric is what a configuration asks of one metric.
type metric struct {
	name      string
	functions []string
}

// defaultMetrics are the well-known metrics, with what is worth to be known of
// each: nobody asks for a sum of temperatures.
func defaultMetrics() []any {
	of := func(m reading.Metric, functions ...any) any {
		return map[string]any{fieldName: m.String(), fieldFunctions: functions}
	}
	return []any{
		of(reading.Temperature, avg, least, most),
		of(reading.Humidity, avg, least, most),
		of(reading.CO2, avg, least, most),
		of(reading.Occupancy, total, most),
		of(reading.Energy, total, least, most),
	}
}

// encoder writes rows as JSON.
type encoder struct {
	groups [][]byte // quoted names of the labels
	values []value
}

// value is one function of one metric.
type value struct {
	quoted   []byte // name of the column
	metric   int    // index in window.Spec.Metrics
	function string
}

// newEncoder refuses functions it does not know and columns that would have the
// same name.
func newEncoder(groupBy []string, metrics []metric) (*encoder, error) {
	e := &encoder{}
	names := []string{"window_start", "window_end", "reading_count", "final", "partial"}
	quote := func(name string) ([]byte, error) {
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("column %q is named twice", name)
		}
		names = append(names, name)
		return jsontext.AppendQuote(nil, name)
	}

	for _, name := range groupBy {
		quoted, err := quote(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fieldGroupBy, err)
		}
		e.groups = append(e.groups, quoted)
	}
	for i, m := range metrics {
		for _, function := range m.functions {
			name, err := column(m.name, function)
			if err != nil {
				return nil, err
			}
			quoted, err := quote(name)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", fieldMetrics, m.name, err)
			}
			e.values = append(e.values, value{quoted: quoted, metric: i, function: function})
		}
	}
	return e, nil
}

// column is the name of a function of a metric.
func column(metric, function string) (string, error) {
	if metric == reading.Energy.String() {
		metric = "energy"
	}
	switch function {
	case avg, least, most:
		return function + "_" + metric, nil
	case total:
		return "total_" + metric, nil
	}
	return "", fmt.Errorf("unknown function %q, want %s, %s, %s or %s", function, avg, total, least, most)
}

// append adds a row to dst. What a row does not have is null, so that all rows
// have the same columns.
func (e *encoder) append(dst []byte, row *window.Row) []byte {
	p := row.Pane
	dst = append(dst, `{"window_start":"`...)
	dst = p.Start.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","window_end":"`...)
	dst = p.End.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	for i, quoted := range e.groups {
		dst = append(append(append(dst, ','), quoted...), ':')
		if p.Group[i] == "" {
			dst = append(dst, "null"...)
			continue
		}
		dst, _ = jsontext.AppendQuote(dst, p.Group[i]) // what is not UTF-8 is replaced
	}
	dst = append(dst, `,"reading_count":`...)
	dst = strconv.AppendInt(dst, row.Count, 10)
	for _, v := range e.values {
		dst = append(append(append(dst, ','), v.quoted...), ':')
		dst = v.append(dst, &row.Stats[v.metric])
	}
	dst = append(dst, `,"final":`...)
	dst = strconv.AppendBool(dst, row.Final)
	dst = append(dst, `,"partial":`...)
	dst = strconv.AppendBool(dst, row.Partial)
	return append(dst, '}')
}

func (v *value) append(dst []byte, s *window.Stats) []byte {
	if s.Count == 0 {
		return append(dst, "null"...)
	}
	var x float64
	switch v.function {
	case avg:
		x = s.Mean()
	case total:
		x = s.Sum
	case least:
		x = s.Min
	case most:
		x = s.Max
	}
	return appendNumber(dst, x)
}

// appendNumber writes a number as JSON does. Sums of absurdly large values may
// exceed what a number can be; JSON has no word for that but null.
func appendNumber(dst []byte, x float64) []byte {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if magnitude := math.Abs(x); magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, x, format, -1, 64)
}
