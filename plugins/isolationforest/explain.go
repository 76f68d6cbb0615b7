package isolationforest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

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
	band   iforest.Band
	share  float64
}

// explain writes a sentence such as "CO₂ 1,820 ppm (usually 420–900 ppm) and
// temperature 31.2 °C (usually 20–24 °C) are unusual together for Office rooms
// (72 % / 21 %)." It sorts parts.
func explain(parts []part, group string) string {
	if group != "" {
		group = " for " + group
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.share, a.share) })
	var names, shares []string
	sum := 0.0
	for _, p := range parts {
		if len(names) == most || sum >= enough || p.share <= 0 {
			break
		}
		sum += p.share
		names = append(names, p.describe(len(names) == 0))
		shares = append(shares, fmt.Sprintf("%.0f %%", 100*p.share))
	}
	switch len(names) {
	case 0:
		return "The metrics are unusual together" + group + "."
	case 1:
		if p := parts[0]; p.value >= p.band.Low && p.value <= p.band.High {
			return names[0] + " is unusual beside the other metrics" + group + "."
		}
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
	if math.IsNaN(p.band.Low) {
		return fmt.Sprintf("%s %s", name, phrase.Value(p.metric, p.value))
	}
	return fmt.Sprintf("%s %s (usually %s)", name,
		phrase.Value(p.metric, p.value, p.band.Low, p.band.High), phrase.Range(p.metric, p.band.Low, p.band.High))
}
