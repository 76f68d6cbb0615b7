package limits_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/limits"
	"buildmon/internal/testheap"
)

var metrics = []string{"temperature", "humidity", "co2", "occupancy", "energy_consumption"}

// BenchmarkObserve tells the time for a value, of which a reading has five: of one
// sensor, and of as many as do not fit into a cache.
func BenchmarkObserve(b *testing.B) {
	for _, sensors := range []int{1, 20_000} {
		b.Run(fmt.Sprintf("sensors=%d", sensors), func(b *testing.B) {
			d := limits.New(limits.Config{Metrics: metrics, Threshold: limits.Normal})
			ids := make([]string, sensors)
			for i := range ids {
				ids[i] = "sensor-" + strconv.Itoa(i)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			rows := make([][]float64, 1000)
			for i := range rows {
				rows[i] = []float64{20 + rng.NormFloat64(), 40 + rng.NormFloat64(), 600 + 50*rng.NormFloat64(), float64(rng.IntN(5)), 3 + rng.NormFloat64()}
			}
			scores := make([]limits.Score, len(metrics))
			found := make([]limits.Finding, 0, 100)
			at := start
			see := func(i int) {
				if i%sensors == 0 {
					at = at.Add(time.Minute)
				}
				found, _ = d.Observe(ids[i%sensors], at, rows[i%len(rows)], scores, found[:0])
			}
			n := 0
			for range 30*sensors + 10_000 {
				see(n)
				n++
			}
			b.ReportAllocs()
			for b.Loop() {
				see(n)
				n++
			}
			perValue := float64(b.Elapsed().Nanoseconds()) / float64(b.N*len(metrics))
			b.ReportMetric(perValue, "ns/value")
			b.ReportMetric(1e9/perValue, "values/s")
		})
	}
}

// BenchmarkRestore tells how long it takes to go on with what was learned, after two
// days of a reading a minute.
func BenchmarkRestore(b *testing.B) {
	for _, sensors := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("sensors=%d", sensors), func(b *testing.B) {
			d := limits.New(limits.Config{Metrics: metrics, Threshold: limits.Normal})
			rng := rand.New(rand.NewPCG(1, 2))
			scores := make([]limits.Score, len(metrics))
			for minute := 0; minute < 2*24*60; minute += 20 {
				for i := range sensors {
					values := []float64{20 + rng.NormFloat64(), 40 + rng.NormFloat64(), 600 + 50*rng.NormFloat64(), float64(rng.IntN(5)), 3 + rng.NormFloat64()}
					d.Observe("sensor-"+strconv.Itoa(i), start.Add(time.Duration(minute)*time.Minute), values, scores, nil)
				}
			}
			data, err := d.AppendBinary(nil)
			require.NoError(b, err)
			began := time.Now()
			for range 3 {
				_, _ = d.AppendBinary(nil)
			}
			saving := time.Since(began) / 3
			for b.Loop() {
				require.NoError(b, d.UnmarshalBinary(data))
			}
			b.ReportMetric(float64(len(data))/float64(sensors), "B/sensor")
			b.ReportMetric(float64(saving.Nanoseconds())/float64(sensors), "ns/sensor-saved")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(sensors), "ns/sensor-restored")
		})
	}
}

// The figures that the documentation gives: of sensors that have not said enough to be
// known, that have, and that were known for hours and for weeks.
func TestMemory(t *testing.T) {
	for _, test := range []struct {
		readings int
		interval time.Duration
		most     float64
	}{{7, time.Minute, 300}, {50, time.Minute, 3500}, {300, time.Minute, 6500}, {4500, 5 * time.Minute, 8800}} {
		const sensors = 100
		values, scores := make([]float64, len(metrics)), make([]limits.Score, len(metrics))
		each := testheap.Bytes(func() *limits.Detector {
			d := limits.New(limits.Config{Metrics: metrics, Threshold: limits.Normal})
			for n := range test.readings {
				for i := range sensors {
					d.Observe("sensor-"+strconv.Itoa(i), start.Add(time.Duration(n)*test.interval), values, scores, nil)
				}
			}
			return d
		}) / sensors
		t.Logf("%.1f KB for a sensor of %d metrics with %d readings, one every %s", each/1000, len(metrics), test.readings, test.interval)
		assert.Less(t, each, test.most)
	}
}
