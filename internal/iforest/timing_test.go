package iforest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
)

// cloud is n points of normal distribution.
func cloud(n, features int, seed uint64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, features)
		for j := range points[i] {
			points[i][j] = rng.NormFloat64()
		}
	}
	return points
}

func fit(tb testing.TB, points [][]float64, seed uint64) *iforest.Forest {
	tb.Helper()
	f, err := iforest.Fit(points, iforest.DefaultConfig, rand.New(rand.NewPCG(seed, 0)))
	require.NoError(tb, err)
	return f
}

func BenchmarkFit(b *testing.B) {
	for _, bench := range []struct {
		name           string
		rows, features int
	}{{"256x5", 256, 5}, {"2048x5", 2048, 5}, {"2048x15", 2048, 15}} {
		b.Run(bench.name, func(b *testing.B) {
			points := cloud(bench.rows, bench.features, 1)
			b.ReportAllocs()
			for b.Loop() {
				fit(b, points, 1)
			}
		})
	}
}

func BenchmarkScore(b *testing.B) {
	for _, bench := range []struct {
		name     string
		features int
	}{{"5", 5}, {"15", 15}} {
		b.Run(bench.name, func(b *testing.B) {
			points := cloud(4096, bench.features, 1)
			f := fit(b, points, 1)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				f.Score(points[i&4095])
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	points := cloud(4096, 5, 1)
	f := fit(b, points, 1)
	credits := make([]float64, 5)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f.Explain(points[i&4095], credits)
		i++
	}
}

func BenchmarkMonitorObserve(b *testing.B) {
	cfg := iforest.MonitorConfig{
		Detector: detectorConfig(), Metrics: 5, Kinds: features.Default, Quiet: time.Hour, MaxGroups: 10,
	}
	cfg.Detector.MaxHistory = 2048
	m := newMonitor(b, cfg)
	rng := rand.New(rand.NewPCG(1, 0))
	sensors := make([]string, 1000)
	points := make([][]float64, 4096)
	for i := range sensors {
		sensors[i] = fmt.Sprint("sensor-", i)
	}
	for i := range points {
		points[i] = append(around(rng, 0)(), rng.NormFloat64(), rng.NormFloat64())
	}
	b.ReportAllocs()
	i := 0
	office := []byte("Office")
	// A thousand sensors with a reading every ten seconds.
	for b.Loop() {
		m.Observe(sensors[i%1000], office, start.Add(time.Duration(i)*10*time.Millisecond), points[i&4095])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// A refit with a full history of 5 metrics, each with 3 features.
func BenchmarkDetectorRefit(b *testing.B) {
	cfg := detectorConfig()
	cfg.Features, cfg.Kept, cfg.MaxHistory = 15, 5, 2048
	cfg.Contamination, cfg.Quantile = 0, 0.999
	d := iforest.NewDetector(cfg)
	for i, p := range cloud(cfg.MaxHistory, 20, 1) {
		at := start.Add(time.Duration(i) * time.Second)
		d.Learn(at, at, p, iforest.Judgement{Score: 0.4})
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Refit()
	}
}

func BenchmarkShapley(b *testing.B) {
	f := fit(b, cloud(2048, 15, 1), 1)
	far := cloud(1, 15, 2)[0]
	far[3], far[4] = 6, 6
	credits := make([]float64, 5)
	for b.Loop() {
		f.Shapley(far, credits)
	}
}

// Learning a row when the sample is full and has rows of all of its time.
func BenchmarkDetectorLearn(b *testing.B) {
	cfg := detectorConfig()
	cfg.Features, cfg.Kept, cfg.MaxHistory, cfg.RetrainInterval = 15, 5, 2048, cfg.History
	d := iforest.NewDetector(cfg)
	points := cloud(4096, 20, 1)
	at := start
	for i := range 100_000 {
		at = at.Add(time.Second)
		d.Learn(at, at, points[i&4095], iforest.Judgement{})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at = at.Add(time.Millisecond)
		d.Learn(at, at, points[i&4095], iforest.Judgement{})
		i++
	}
}
