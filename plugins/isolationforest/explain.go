package isolationforest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
)

// Metrics are named until they make up this share of what is unusual, but no more
// than three.
const (
	enough = 0.8
	most   = 3
)

// part is what one metric adds to an anomaly.
type part struct {
	metric string
	value  float64
	iforest.Reason
}

// explain writes a sentence such as "CO₂ 1,820 ppm (usually 420–900 ppm) and
// temperature 31.2 °C (usually 20–24 °C) are unusual together for Office rooms at this
// hour (72 % / 21 %)." It sorts parts.
func explain(parts []part, group string) string {
	if group != "" {
		group = " for " + group
	}
	group += " at this hour"
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.Share, a.Share) })
	var names, shares []string
	sum := 0.0
	for _, p := range parts {
		if len(names) == most || sum >= enough || p.Share <= 0 {
			break
		}
		sum += p.Share
		names = append(names, p.describe(len(names) == 0))
		shares = append(shares, fmt.Sprintf("%.0f %%", 100*p.Share))
	}
	switch len(names) {
	case 0:
		return "The metrics are unusual together" + group + "."
	case 1:
		return names[0] + " is unusual" + group + "."
	}
	last := len(names) - 1
	return fmt.Sprintf("%s and %s are unusual together%s (%s).",
		strings.Join(names[:last], ", "), names[last], group, strings.Join(shares, " / "))
}

func (p *part) describe(first bool) string {
	name := phrase.Metric(p.metric)
	if _, known := reading.ParseMetric(p.metric); known && !first && p.metric != reading.CO2.String() {
		name = strings.ToLower(name)
	}
	if math.IsNaN(p.value) {
		return name + " (missing)"
	}
	value := name + " " + phrase.Value(p.metric, p.value, p.Usual.Low, p.Usual.High)
	off := phrase.Value(p.metric, math.Abs(p.Off), 0)
	outside := p.value < p.Usual.Low || p.value > p.Usual.High
	switch {
	case outside || p.Kind == features.Value || p.Off == 0 || math.IsNaN(p.Off):
		if math.IsNaN(p.Usual.Low) {
			return value
		}
		return fmt.Sprintf("%s (usually %s)", value, phrase.Range(p.metric, p.Usual.Low, p.Usual.High))
	case p.Kind == features.Step:
		return fmt.Sprintf("%s (%s %s than the reading before)", value, off, p.word("more", "less"))
	case p.Kind == features.Recent:
		return fmt.Sprintf("%s (%s %s its last half hour)", value, off, p.word("above", "below"))
	}
	return fmt.Sprintf("%s (%s %s what it usually is)", value, off, p.word("above", "below"))
}

func (p *part) word(up, down string) string {
	if p.Off > 0 {
		return up
	}
	return down
}
