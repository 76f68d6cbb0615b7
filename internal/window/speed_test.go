package window_test

import (
	"testing"
	"time"

	"buildmon/internal/reading"
	"buildmon/internal/testspeed"
	"buildmon/internal/window"
)

// Measured: 2.1. The plain way keeps sums in a map of structs and knows what it has seen, but has no
// watermarks, no panes, no late readings and forgets nothing by itself.
func TestAddTakesThriceAMapOfStructs(t *testing.T) {
	type key struct {
		start           int64
		building, floor string
	}
	type sums struct {
		count int64
		stats [reading.NumMetrics]window.Stats
	}
	const size = 1000
	readings := feed(size, 12, 0)
	// The next second of the same sensors.
	advance := func(second int64) []*reading.Reading {
		for _, r := range readings {
			r.Time = time.Unix(second, 0)
		}
		return readings
	}
	var second, other int64
	w := tumbling(t, five)
	rows, seen := map[key]*sums{}, map[reading.Identity]struct{}{}
	testspeed.RequireRatio(t, 3, func() {
		second++
		w.Add(window.Source{}, advance(second), noon)
	}, func() {
		other++
		if other%30 == 0 {
			clear(rows)
			clear(seen)
		}
		for _, r := range advance(other) {
			if _, again := seen[r.Identity()]; again {
				continue
			}
			seen[r.Identity()] = struct{}{}
			k := key{r.Time.Unix() / 30, r.Building, r.Floor}
			s := rows[k]
			if s == nil {
				s = &sums{}
				rows[k] = s
			}
			s.count++
			for m, v := range r.Values {
				s.stats[m].Add(v)
			}
		}
	})
}
