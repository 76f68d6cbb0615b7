package iforest_test

import (
	"math"
	"math/rand/v2"
	"slices"
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
	c.Threshold, c.Quantile = 0, 0.995
	require.NoError(t, c.Validate())
	c.Quantile, c.AlertsPerDay = 0, 2
	require.NoError(t, c.Validate())

	f(func(c *iforest.DetectorConfig) { c.Forest.Trees = -1 }, "trees must be 1 to 1000, got -1")
	f(func(c *iforest.DetectorConfig) { c.Features = 0 }, "features must be 1 to 4096, got 0 and 0")
	f(func(c *iforest.DetectorConfig) { c.RetrainInterval = 0 }, "retrain_interval must be positive, got 0s")
	f(func(c *iforest.DetectorConfig) { c.History = time.Minute }, "history 1m0s must not be smaller than retrain_interval 1h0m0s")
	f(func(c *iforest.DetectorConfig) { c.MinSamples = 1 }, "min_samples must be at least 2, got 1")
	f(func(c *iforest.DetectorConfig) { c.MaxHistory = 255 }, "max_history 255 must not be smaller than min_samples 256")
	f(func(c *iforest.DetectorConfig) { c.Contamination = 0.51 }, "contamination must be above 0 and at most 0.5, got 0.51")
	f(func(c *iforest.DetectorConfig) { c.Contamination = -0.1 }, "contamination must be above 0 and at most 0.5, got -0.1")
	f(func(c *iforest.DetectorConfig) { c.Contamination = math.NaN() }, "contamination must be above 0 and at most 0.5, got NaN")
	f(func(c *iforest.DetectorConfig) { c.Contamination = 0 }, "one of quantile, alerts_per_day, contamination and threshold must be set")
	f(func(c *iforest.DetectorConfig) { c.Contamination, c.Quantile = 0, 0.4 }, "quantile must be at least 0.5 and below 1, got 0.4")
	f(func(c *iforest.DetectorConfig) { c.Contamination, c.AlertsPerDay = 0, -1 }, "alerts_per_day must be above 0, got -1")
	f(func(c *iforest.DetectorConfig) { c.WarmUp = 25 * time.Hour }, "warm_up must be 0s to history 24h0m0s, got 25h0m0s")
	f(func(c *iforest.DetectorConfig) { c.Contamination, c.Threshold = 0, 1 }, "threshold must be above 0 and below 1, got 1")
	f(func(c *iforest.DetectorConfig) { c.Threshold = 0.6 }, "contamination and threshold exclude each other, set one of them")
}

// run feeds a detector a point a minute and returns how many it called unusual.
func run(d *iforest.Detector, from, n int, point func() []float64) (unusual int) {
	var j iforest.Judgement
	for i := range n {
		p := point()
		at := start.Add(time.Duration(from+i) * time.Minute)
		if d.Ready() {
			if j = d.Judge(at, p, j); j.Unusual {
				unusual++
			}
		}
		d.Learn(at, at, p, j)
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
	for i := range 1440 {
		at := start.Add(time.Duration(i) * time.Minute)
		// First with 256 rows; then 256 after a fit began, which is when half as many
		// have come as are kept: with 512 and with 1,024.
		want := i == 255 || i == 511+256 || i == 1023+256
		require.Equal(t, want, d.Learn(at, at, point(), iforest.Judgement{}), "row %d", i)
		require.Equal(t, i >= 255, d.Ready())
	}
}

// However fast time passes, and however slowly, fits are few.
func TestDetectorBoundsFits(t *testing.T) {
	for _, interval := range []time.Duration{time.Millisecond, time.Minute, time.Hour} {
		cfg := detectorConfig()
		cfg.History = 30 * 24 * time.Hour
		d := iforest.NewDetector(cfg)
		point := around(rand.New(rand.NewPCG(1, 0)), 0)
		fits := 0
		const rows = 20_000
		for i := range rows {
			at := start.Add(time.Duration(i) * interval)
			if d.Learn(at, at, point(), iforest.Judgement{}) {
				fits++
			}
		}
		require.LessOrEqual(t, fits, rows/300, "a reading every %s", interval)
		require.GreaterOrEqual(t, fits, 1)
	}
}

// After a gap that is longer than the history, the forest from before it is used until
// there is enough for another.
func TestDetectorKeepsItsForestThroughAGap(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	normal := around(rand.New(rand.NewPCG(1, 0)), 0)
	run(d, 0, 1000, normal)
	for i := range 255 {
		at := start.Add(1000*time.Hour + time.Duration(i)*time.Minute)
		require.False(t, d.Learn(at, at, normal(), iforest.Judgement{}))
	}
	require.True(t, d.Judge(start, []float64{12, 12, 12}, iforest.Judgement{}).Unusual)
}

// A contamination of a half, and all of them unusual.
func TestDetectorAlwaysHasRowsToFit(t *testing.T) {
	cfg := detectorConfig()
	cfg.Contamination = 0.5
	d := iforest.NewDetector(cfg)
	normal := around(rand.New(rand.NewPCG(1, 0)), 0)
	for i := range 1440 {
		at := start.Add(time.Duration(i) * time.Minute)
		d.Learn(at, at, normal(), iforest.Judgement{Score: 0.9, Sustained: 0.9, Unusual: true})
	}
	require.True(t, d.Ready())
}

func TestDetectorCallsItsShareUnusual(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	normal := around(rand.New(rand.NewPCG(1, 0)), 0)
	run(d, 0, 3000, normal)
	// 1 % of new rows of the same kind, give or take what 5,000 rows vary.
	require.InDelta(t, 50, run(d, 3000, 5000, normal), 40)

	j := d.Judge(start, []float64{9, 9, 9}, iforest.Judgement{})
	require.True(t, j.Unusual)
	require.Greater(t, j.Score, 0.6)
	require.Less(t, d.Probability(j), 0.001)
	require.Greater(t, iforest.Shares(d.Explain([]float64{0, 9, 0}))[1], 0.9)
	require.Greater(t, iforest.Shares(d.Shapley([]float64{0, 9, 0}, 3))[1], 0.9)
	require.Zero(t, d.Explain([]float64{9, math.NaN(), 9})[1])
}

// A quantile is about kept by readings that are like those before, and so is a budget
// of alerts: forests differ, and what is left out of them makes them narrower.
func TestDetectorKeepsItsQuantileAndBudget(t *testing.T) {
	const rows = 10_000
	f := func(change func(c *iforest.DetectorConfig), want float64) {
		t.Helper()
		cfg := detectorConfig()
		cfg.Contamination = 0
		change(&cfg)
		d := iforest.NewDetector(cfg)
		normal := around(rand.New(rand.NewPCG(1, 0)), 0)
		run(d, 0, 3000, normal)
		got := float64(run(d, 3000, rows, normal)) / rows
		require.Greater(t, got, want/10)
		require.Less(t, got, want*4)
	}

	f(func(c *iforest.DetectorConfig) { c.Quantile = 0.99 }, 0.01)
	f(func(c *iforest.DetectorConfig) { c.Quantile = 0.998 }, 0.002)
	f(func(c *iforest.DetectorConfig) { c.AlertsPerDay = 5 }, 5.0/1440)
}

func TestDetectorWarmsUp(t *testing.T) {
	cfg := detectorConfig()
	cfg.WarmUp = 10 * time.Hour
	d := iforest.NewDetector(cfg)
	rng := rand.New(rand.NewPCG(1, 0))
	run(d, 0, 300, around(rng, 0))
	require.Zero(t, run(d, 300, 300, around(rng, 12)), "in the first ten hours")
	d = iforest.NewDetector(cfg)
	run(d, 0, 600, around(rng, 0))
	require.Equal(t, 10, run(d, 600, 10, around(rng, 12)))
}

// The value of a sensor is high at noon; the range of noon is that of noon.
func TestUsualIsOfTheHour(t *testing.T) {
	cfg := detectorConfig()
	cfg.Kept, cfg.History, cfg.MaxHistory = 1, 7*24*time.Hour, 2048
	d := iforest.NewDetector(cfg)
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range 6 * 1440 { // Monday to Saturday
		at := start.Add(time.Duration(i) * time.Minute)
		v := rng.NormFloat64()
		if at.Hour() == 12 {
			v += 100
		}
		if at.Weekday() == time.Saturday {
			v -= 50
		}
		p := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), v}
		d.Learn(at, at, p, iforest.Judgement{})
	}
	// The 1st and 99th percentile of a normal distribution lie at ±2.33; at noon those
	// of an hour earlier and later are in it.
	usual := d.Usual(0, start.Add(4*time.Hour))
	require.InDelta(t, -2.33, usual.Low, 0.7)
	require.InDelta(t, 2.33, usual.High, 0.7)
	usual = d.Usual(0, start.Add(12*time.Hour))
	require.InDelta(t, -2.33, usual.Low, 0.7)
	require.InDelta(t, 102.33, usual.High, 0.7)
	// There are few rows of a Saturday night: all nights count.
	usual = d.Usual(0, start.Add((5*24+4)*time.Hour))
	require.InDelta(t, 2.33, usual.High, 0.7)
	require.InDelta(t, -52, usual.Low, 3)
}

func TestDetectorDoesNotLearnAShortFault(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	rng := rand.New(rand.NewPCG(1, 0))
	run(d, 0, 2000, around(rng, 0))
	// 8 minutes are well under 1 % of a day.
	require.Equal(t, 8, run(d, 2000, 8, around(rng, 12)))
	before := d.Judge(start, []float64{12, 12, 12}, iforest.Judgement{}).Score
	run(d, 2008, 100, around(rng, 0))
	after := d.Judge(start, []float64{12, 12, 12}, iforest.Judgement{}).Score
	require.InDelta(t, before, after, 0.02)
	require.Equal(t, 5, run(d, 2108, 5, around(rng, 12)))
}

func TestDetectorAdaptsToANewState(t *testing.T) {
	for _, change := range []func(c *iforest.DetectorConfig){
		func(*iforest.DetectorConfig) {},
		func(c *iforest.DetectorConfig) { c.Contamination, c.Threshold = 0, 0.65 },
		func(c *iforest.DetectorConfig) { c.Contamination, c.Quantile = 0, 0.999 },
	} {
		cfg := detectorConfig()
		change(&cfg)
		d := iforest.NewDetector(cfg)
		rng := rand.New(rand.NewPCG(1, 0))
		run(d, 0, 2000, around(rng, 0))
		require.Greater(t, run(d, 2000, 30, around(rng, 12)), 25)
		run(d, 2030, 1200, around(rng, 12))
		require.Less(t, run(d, 3230, 300, around(rng, 12)), 30, "%+v", cfg)
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
			require.True(t, d.Judge(start, []float64{far}, iforest.Judgement{}).Unusual, "%v with seed %d", far, seed)
		}
	}
}

func TestDetectorOfConstantReadingsIsSilent(t *testing.T) {
	d := iforest.NewDetector(detectorConfig())
	require.Zero(t, run(d, 0, 1000, func() []float64 { return []float64{1, 2, math.NaN()} }))
}

// What is told apart without looking for probabilities is told apart as they would.
func TestPlainScoresAreNotImprobable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	draw := func(n int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = 0.3 + 0.4*float64(rng.IntN(200))/200
		}
		slices.Sort(values)
		return values
	}
	unusual := 0
	for range 300 {
		n := rng.IntN(50)
		scores, means := draw(n), draw(n)
		for _, least := range []float64{0, 0.0002, 0.01, 0.2, 0.5, 0.9, 1} {
			for _, score := range append(draw(20), scores...) {
				is, want := iforest.Unusual(scores, means, least, score, draw(1)[0])
				require.Equal(t, want, is, "%d scores, least probability %v", n, least)
				if is {
					unusual++
				}
			}
		}
	}
	require.Greater(t, unusual, 1000)
}
