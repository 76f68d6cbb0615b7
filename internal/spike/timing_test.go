package spike_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/spike"
	"buildmon/internal/testheap"
)

// full is a detector of five metrics whose windows are full, and the next readings
// of its sensors.
func full(sensors, window int) func() int {
	d := spike.New(spike.Config{Window: window, Metrics: []spike.Metric{
		{Name: "temperature", Delta: 5, Deviations: 6, Resolution: 0.5},
		{Name: "humidity", Delta: 15, Deviations: 6, Resolution: 2},
		{Name: "co2", Delta: 400, Deviations: 6, Resolution: 50},
		{Name: "occupancy", Delta: 100},
		{Name: "energy_consumption", Delta: 50},
	}})
	ids := make([]string, sensors)
	for i := range ids {
		ids[i] = fmt.Sprint("bldg-a-f1-office-", i)
	}
	i, found, values := 0, []spike.Finding(nil), make([]float64, 5)
	next := func() int {
		x := float64(i * 7919 % 100)
		values[0], values[1], values[2], values[3], values[4] = 20+x/100, 40+x/50, 500+x, x/10, 30+x/10
		found, _ = d.Observe(ids[i%sensors], start.Add(time.Duration(i/sensors)*10*time.Second), values, changes[:], found[:0])
		i++
		return len(found)
	}
	for range 3 * window * sensors {
		next()
	}
	return next
}

func TestDetectorDoesNotAllocateWhenQuiet(t *testing.T) {
	next := full(10, 5)
	require.Zero(t, testing.AllocsPerRun(20_000, func() { next() }))
}

func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct{ sensors, window int }{{100, 5}, {20_000, 5}, {100, 60}} {
		b.Run(fmt.Sprintf("sensors=%d/window=%d", c.sensors, c.window), func(b *testing.B) {
			next := full(c.sensors, c.window)
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}

// The figures that the documentation gives, with the metrics and the window that the
// processor has by default: of sensors that are new, and that are known.
func TestMemory(t *testing.T) {
	var metrics []spike.Metric
	for _, name := range []string{"temperature", "humidity", "co2", "energy_consumption"} {
		metrics = append(metrics, spike.Metric{Name: name, Deviations: 6})
	}
	values, changes := make([]float64, 4), make([]spike.Change, 4)
	for _, test := range []struct {
		readings int
		most     float64
	}{{2, 500}, {10, 700}} {
		const sensors = 2000
		each := testheap.Bytes(func() *spike.Detector {
			d := spike.New(spike.Config{Metrics: metrics, Window: 5})
			for minute := range test.readings {
				for i := range sensors {
					d.Observe(fmt.Sprintf("sensor-%d", i), time.Unix(int64(60*minute), 0), values, changes, nil)
				}
			}
			return d
		}) / sensors
		t.Logf("%.2f KB for a sensor of %d metrics with %d readings", each/1000, len(metrics), test.readings)
		require.Less(t, each, test.most)
	}
}
