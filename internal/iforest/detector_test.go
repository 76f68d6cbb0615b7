package iforest_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/iforest"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func detectorConfig() iforest.DetectorConfig {
	return iforest.DetectorConfig{
		Forest: iforest.DefaultConfig, Features: 3, MinSamples: 256, MaxHistory: 1024,
		History: 24 * time.Hour, RetrainInterval: time.Hour, Contamination: 0.01, Seed: 1,
	}
}

func TestDetectorConfigValidate(t *testing.T) {
	f := func(change func(c *iforest.DetectorConfig), errContains string) {
		t.Helper()
		c := detectorConfig()
		change(&c)
		require.ErrorContains(t, c.Validate(), errContains)
	}

	c := detectorConfig()
	require.NoError(t, c.Validate())
	c.Contamination, c.Threshold = 0, 0.6
	require.NoError(t, c.Validate())

	f(func(c *iforest.DetectorConfig) { c.Forest.Trees = -1 }, "trees must be 1 to 1000, got -1")
	f(func(c *iforest.DetectorConfig) { c.Features = 0 }, "metrics must be 1 to 4096, got 0")
	f(func(c *iforest.DetectorConfig) { c.RetrainInterval = 0 }, "retrain_interval must be positive, got 0s")
	f(func(c *iforest.DetectorConfig) { c.History = time.Minute }, "history 1m0s must not be smaller than retrain_interval 1h0m0s")
	f(func(c *iforest.DetectorConfig) { c.MinSamples = 1 }, "min_samples must be at least 2, got 1")
	f(func(c *iforest.DetectorConfig) { c.MaxHistory = 255 }, "max_history 255 must not be smaller than min_samples 256")
	f(func(c *iforest.DetectorConfig) { c.Contamination = 0.51 }, "contamination must be above 0 and at most 0.5, got 0.51")
	f(func(c *iforest.DetectorConfig) { c.Contamination = -0.1 }, "contamination must be above 0 and at most 0.5, got -0.1")
	f(func(c *iforest.DetectorConfig) { c.Contamination = math.NaN() }, "contamination must be above 0 and at most 0.5, got NaN")
	f(func(c *iforest.DetectorConfig) { c.Contamination = 0 }, "threshold must be above 0 and below 1, got 0")
	f(func(c *iforest.DetectorConfig) { c.Contamination, c.Threshold = 0, 1 }, "threshold must be above 0 and below 1, got 1")
	f(func(c *iforest.DetectorConfig) { c.Threshold = 0.6 }, "contamination 0.01 and threshold 0.6 exclude each other")
}

// run feeds a detector a point a minute and returns how many it called unusual.
func run(d *iforest.Detector, from, n int, point func() []float64) (unusual int) {
	for i := range n {
		p := point()
		odd := false
		if d.Ready() {
			if _, odd = d.Judge(p); odd {
				unusual++
			}
		}
		at := start.Add(time.Duration(from+i) * time.Minute)
		d.Learn(at, at, p, odd)
	}
	return unusual
}

func around(rng *rand.Rand, centre float64) func() []float64 {
	return func() []float64 {
		return []float64{centre + rng.NormFloat64(), centre + rng.NormFloat64(), centre + rng.NormFloat64()}
	}
}

func TestDetectorFitsWhenItHasEnough(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	point := around(rand.New(rand.NewPCG(1, 0)), 0)
	for i := range 600 {
		at := start.Add(time.Duration(i) * time.Minute)
		// First with 256 rows, then each hour.
		want := i == 255 || i == 315 || i == 375 || i == 435 || i == 495 || i == 555
		require.Equal(t, want, d.Learn(at, at, point(), false), "row %d", i)
		require.Equal(t, i >= 255, d.Ready())
	}
}

func TestDetectorCallsItsShareUnusual(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	normal := around(rand.New(rand.NewPCG(1, 0)), 0)
	run(d, 0, 3000, normal)
	// 1 % of new rows of the same kind, give or take what 5,000 rows vary.
	require.InDelta(t, 50, run(d, 3000, 5000, normal), 40)

	score, unusual := d.Judge([]float64{9, 9, 9})
	require.True(t, unusual)
	require.Greater(t, score, 0.6)
	require.Greater(t, d.Explain([]float64{0, 9, 0})[1], 0.9)
	require.Zero(t, d.Explain([]float64{9, math.NaN(), 9})[1])
	// The 1st and 99th percentile of a normal distribution lie at ±2.33.
	require.InDelta(t, -2.33, d.Band(1).Low, 0.5)
	require.InDelta(t, 2.33, d.Band(1).High, 0.5)
}

func TestDetectorDoesNotLearnAShortFault(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	rng := rand.New(rand.NewPCG(1, 0))
	run(d, 0, 2000, around(rng, 0))
	// 8 minutes are well under 1 % of a day.
	require.Equal(t, 8, run(d, 2000, 8, around(rng, 12)))
	before, _ := d.Judge([]float64{12, 12, 12})
	run(d, 2008, 100, around(rng, 0))
	after, _ := d.Judge([]float64{12, 12, 12})
	require.InDelta(t, before, after, 0.02)
	require.Equal(t, 5, run(d, 2108, 5, around(rng, 12)))
}

func TestDetectorAdaptsToANewState(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		cfg := detectorConfig()
		if fixed {
			cfg.Contamination, cfg.Threshold = 0, 0.65
		}
		d := iforest.NewDetector(cfg)
		rng := rand.New(rand.NewPCG(1, 0))
		run(d, 0, 2000, around(rng, 0))
		require.Greater(t, run(d, 2000, 30, around(rng, 12)), 25)
		run(d, 2030, 600, around(rng, 12))
		require.Less(t, run(d, 2630, 300, around(rng, 12)), 30, "fixed threshold: %v", fixed)
	}
}

func TestDetectorOfOneFeature(t *testing.T) {
	cfg := detectorConfig()
	cfg.Features = 1
	for seed := range uint64(10) {
		cfg.Seed = seed
		d := iforest.NewDetector(cfg)
		rng := rand.New(rand.NewPCG(seed, 0))
		run(d, 0, 2000, func() []float64 { return []float64{rng.NormFloat64()} })
		for _, far := range []float64{-9, 9} {
			_, unusual := d.Judge([]float64{far})
			require.True(t, unusual, "%v with seed %d", far, seed)
		}
	}
}

func TestDetectorOfConstantReadingsIsSilent(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	require.Zero(t, run(d, 0, 1000, func() []float64 { return []float64{1, 2, math.NaN()} }))
	require.True(t, math.IsNaN(d.Band(2).Low))
}
