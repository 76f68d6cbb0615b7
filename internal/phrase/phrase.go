// Package phrase writes metrics, values and spans of time the way a person reads
// them, for the sentences that explain anomalies: "CO₂", "1,250 ppm",
// "590–640 ppm", "1m30s".
package phrase

import (
	"math"
	"strconv"
	"strings"
	"time"

	"buildmon/internal/reading"
)

// More decimals than these say nothing about a room; other metrics have no fixed
// number, see number.
var wellKnown = [reading.NumMetrics]struct {
	name     string
	decimals int
}{
	reading.Temperature: {"Temperature", 1},
	reading.Humidity:    {"Humidity", 1},
	reading.CO2:         {"CO₂", 0},
	reading.Occupancy:   {"Occupancy", 0},
	reading.Energy:      {"Energy", 1},
}

// Metric is the name of a metric at the start of a sentence. A metric that is
// not well known keeps the name it has in the messages.
func Metric(metric string) string {
	if m, ok := reading.ParseMetric(metric); ok {
		return wellKnown[m].name
	}
	return metric
}

// Value is a value with its unit. It has as many decimals as the metric deserves,
// and as many more as it takes to tell it from each of the others it is compared
// with in the same sentence.
func Value(metric string, v float64, others ...float64) string {
	n := number(metric, v, others)
	return n + unit(metric, n)
}

// Range is a range of values with their unit, or one value if both ends read the
// same.
func Range(metric string, low, high float64) string {
	l, h := number(metric, low, nil), number(metric, high, nil)
	switch {
	case l == h:
		return h + unit(metric, h)
	case strings.HasPrefix(l, "-") || strings.HasPrefix(h, "-"):
		return l + " to " + h + unit(metric, h)
	}
	return l + "–" + h + unit(metric, h)
}

// Between is a range of values with their unit after the word "between", or one
// value after the word "at" if both ends read the same.
func Between(metric string, low, high float64) string {
	l, h := number(metric, low, nil), number(metric, high, nil)
	if l == h {
		return "at " + h + unit(metric, h)
	}
	return "between " + l + " and " + h + unit(metric, h)
}

// Duration is a span of time without its zero parts: "10s", "1h30m", "5m".
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// unit is that of a number as it is written.
func unit(metric, number string) string {
	m, ok := reading.ParseMetric(metric)
	switch {
	case !ok:
		return ""
	case m == reading.Occupancy && number == "1":
		return " person"
	}
	return " " + m.Unit()
}

// Large and small numbers of unknown metrics are written with an exponent.
const (
	mostDecimals = 9
	tooLarge     = 1e15
	significant  = 4
)

func number(metric string, v float64, others []float64) string {
	m, ok := reading.ParseMetric(metric)
	if abs := math.Abs(v); math.IsInf(v, 0) || math.IsNaN(v) || abs >= tooLarge {
		return strconv.FormatFloat(v, 'g', significant, 64)
	} else if !ok && abs > 0 && abs < 1e-4 {
		return strconv.FormatFloat(v, 'g', significant, 64)
	}
	decimals := 0
	if ok {
		decimals = wellKnown[m].decimals
	} else if v != 0 {
		decimals = min(max(significant-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), mostDecimals)
	}
	s := fixed(v, decimals)
	for _, o := range others {
		for v != o && s == fixed(o, decimals) && decimals < mostDecimals {
			decimals++
			s = fixed(v, decimals)
		}
	}
	return s
}

// fixed writes v with at most that many decimals and with commas between
// thousands.
func fixed(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = strings.TrimRight(fraction, "0")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	if whole == "0" && fraction == "" {
		return "0"
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}
