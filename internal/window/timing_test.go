package window_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// feed makes a batch of readings of as many sensors, in as many groups, that all
// say something at that second.
func feed(n, groups int, second int64) []*reading.Reading {
	readings := make([]*reading.Reading, n)
	for i := range readings {
		r := at(fmt.Sprint("sensor-", i), second, 20+float64(i%10))
		r.Building, r.Floor = fmt.Sprint("Building ", i%groups/10), fmt.Sprint("Floor ", i%groups%10)
		r.Values = [reading.NumMetrics]float64{20, 40, 600, 3, 1.5}
		readings[i] = r
	}
	return readings
}

func five(c *window.Config) {
	c.Spec.Metrics = reading.MetricNames()
	c.Lateness, c.Memory = 10*time.Second, 1<<30
}

// BenchmarkAdd is the cost of a reading: a second of event time passes with each
// batch, so that windows open, become final and are forgotten as in life.
func BenchmarkAdd(b *testing.B) {
	for _, groups := range []int{12, 1000, 100_000} {
		size := max(5000, groups)
		b.Run(fmt.Sprintf("groups=%d/batch=%d", groups, size), func(b *testing.B) {
			w := tumbling(b, five)
			readings := feed(size, groups, 0)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += size {
				b.StopTimer()
				batch := make([]*reading.Reading, size)
				for j, r := range readings {
					c := *r
					c.Time = time.Unix(int64(i/size), 0)
					batch[j] = &c
				}
				b.StartTimer()
				w.Add(window.Source{}, batch, noon)
			}
		})
	}
}

// BenchmarkMemory is what is held for each distinct reading of an open window.
func BenchmarkMemory(b *testing.B) {
	for _, groups := range []int{12, 100_000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			const n = 1_000_000
			for b.Loop() {
				readings := feed(n, groups, 0)
				w := tumbling(b, five)
				before := heap()
				for i := 0; i < n; i += 5000 {
					w.Add(window.Source{}, readings[i:i+5000], noon)
				}
				b.ReportMetric(float64(heap()-before)/n, "B/reading")
				runtime.KeepAlive(readings)
				runtime.KeepAlive(w)
			}
		})
	}
}

// The figure that the documentation gives: windows of 100,000 groups and five
// metrics, with one reading each in the open one and in the final one before it.
func TestMemoryOfGroups(t *testing.T) {
	const groups = 100_000
	w := tumbling(t, five)
	before := heap()
	for second := int64(0); second <= 60; second += 30 {
		for batch := range slices.Chunk(feed(groups, groups, second), 5000) {
			w.Add(window.Source{}, batch, noon)
		}
	}
	each := float64(heap()-before) / groups
	t.Logf("%.0f B for a group of %d metrics", each, reading.NumMetrics)
	require.Less(t, each, 2000.0)
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPanes is the cost of 400 readings of which one was known.
func BenchmarkPanes(b *testing.B) {
	w := tumbling(b, five)
	pane := w.Add(window.Source{}, feed(400, 1, 0), noon).Rows[0].Pane
	b.ReportAllocs()
	for b.Loop() {
		pane.Spec.Panes(pane.Members[1:])
	}
}
