package percentile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/percentile"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// config learns one metric plainly; tests change what they are about.
func config(change func(*percentile.Config)) percentile.Config {
	c := percentile.Config{
		Scope: "room_type", Metrics: []string{"temperature"},
		Lower: 1, Upper: 99, Refresh: 5 * time.Minute, History: 24 * time.Hour,
		MinSamples: 100, MaxSamples: 1000, Margin: 0.5, MinWidth: []float64{1},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func observe(l *percentile.Learner, group string, at time.Time, values ...float64) []percentile.Finding {
	found, _ := l.Observe([]byte(group), at, values, nil)
	return found
}

func TestOf(t *testing.T) {
	f := func(percent float64, want float64, sorted ...float64) {
		t.Helper()
		assert.InDelta(t, want, percentile.Of(sorted, percent), 1e-12)
	}

	// By hand: rank p/100·(n-1), as numpy.percentile does by default.
	f(1, 7, 7)
	f(50, 2.5, 1, 2, 3, 4)
	f(25, 1.75, 1, 2, 3, 4)
	f(99, 3.97, 1, 2, 3, 4)
	f(90, 4.6, 1, 2, 3, 4, 5)
	f(100, 5, 1, 2, 3, 4, 5)
	// The example of numpy's documentation of percentile: a = [[10, 7, 4], [3, 2, 1]], 50 % is 3.5.
	f(50, 3.5, 1, 2, 3, 4, 7, 10)
	f(50, 0, -math.MaxFloat64, math.MaxFloat64)
}

func TestConfigValidate(t *testing.T) {
	f := func(errContains string, change func(*percentile.Config)) {
		t.Helper()
		c := config(change)
		err := c.Validate()
		if errContains == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, errContains)
	}

	f("", nil)
	f("", func(c *percentile.Config) { c.Margin = 0 })
	f("lower_percentile must be between 0 and 100, got 0", func(c *percentile.Config) { c.Lower = 0 })
	f("lower_percentile must be between 0 and 100, got NaN", func(c *percentile.Config) { c.Lower = math.NaN() })
	f("upper_percentile must be between 0 and 100, got 100", func(c *percentile.Config) { c.Upper = 100 })
	f("lower_percentile 99 must be smaller than upper_percentile 99", func(c *percentile.Config) { c.Lower = 99 })
	f("refresh_interval must be positive, got 0s", func(c *percentile.Config) { c.Refresh = 0 })
	f("history 1m0s must not be shorter than refresh_interval 5m0s", func(c *percentile.Config) { c.History = time.Minute })
	f("history must be at most 8784h0m0s, got 8785h0m0s", func(c *percentile.Config) { c.History = 8785 * time.Hour })
	f("min_samples must be at least 2, got 1", func(c *percentile.Config) { c.MinSamples = 1 })
	f("samples 99 must not be smaller than min_samples 100", func(c *percentile.Config) { c.MaxSamples = 99 })
	f("margin must not be negative, got -0.1", func(c *percentile.Config) { c.Margin = -0.1 })
	f(`min_width of "temperature" must not be negative, got -1`, func(c *percentile.Config) { c.MinWidth = []float64{-1} })
	f("one MinWidth is needed for each metric", func(c *percentile.Config) { c.MinWidth = nil })
	assert.PanicsWithValue(t, "BUG: margin must not be negative, got -1", func() {
		percentile.New(config(func(c *percentile.Config) { c.Margin = -1 }))
	})
}

func TestLearnerJudgesAfterMinSamples(t *testing.T) {
	// The history is as long as the feed, so the margin has its full say.
	l := percentile.New(config(func(c *percentile.Config) { c.Refresh, c.History = 99*time.Second, 99*time.Second }))
	for i := range 100 {
		found, learning := l.Observe([]byte("Office"), start.Add(time.Duration(i)*time.Second), []float64{float64(i)}, nil)
		require.Empty(t, found)
		require.Equal(t, 1, learning)
	}
	// 0 … 99: the 1st percentile is 0.99, the 99th 98.01, the width 97.02; half of
	// it past the range are -47.52 and 146.52.
	at := start.Add(100 * time.Second)
	require.Empty(t, observe(l, "Office", at, 146.5))
	require.Empty(t, observe(l, "Office", at, -47.5))

	found, learning := l.Observe([]byte("Office"), at, []float64{150.52}, nil)
	require.Zero(t, learning)
	require.Len(t, found, 1)
	f := found[0]
	assert.InDelta(t, 0.99, f.Low, 1e-12)
	assert.InDelta(t, 98.01, f.High, 1e-12)
	assert.InDelta(t, 97.02, f.Scale, 1e-12)
	assert.InDelta(t, 4, f.Distance, 1e-9)
	assert.Equal(t, 150.52, f.Value)
	assert.True(t, f.Above())

	found = observe(l, "Office", at, -50.52)
	require.Len(t, found, 1)
	assert.InDelta(t, 3, found[0].Distance, 1e-9)
	assert.False(t, found[0].Above())
}

func TestLearnerIsCarefulWhileTheHistoryIsShort(t *testing.T) {
	f := func(history time.Duration, want float64) {
		t.Helper()
		l := percentile.New(config(func(c *percentile.Config) { c.History = history }))
		for i := range 101 {
			observe(l, "", start.Add(time.Duration(i)*6*time.Second), float64(i))
		}
		found := observe(l, "", start.Add(600*time.Second), 1000)
		require.Len(t, found, 1)
		assert.InDelta(t, want, 1000-found[0].Distance, 1e-9)
	}

	// Learned from 0 … 99 in 594 s, as above: 98.01 and 97.02. By hand: half of the
	// width when that is all of the history, twice that at its beginning.
	f(594*time.Second, 98.01+0.5*97.02)
	f(1188*time.Second, 98.01+0.75*97.02)
	f(5940*time.Second, 98.01+0.95*97.02)
}

func TestLearnerKeepsGroupsAndMetricsApart(t *testing.T) {
	l := percentile.New(config(func(c *percentile.Config) {
		c.Metrics, c.MinWidth = []string{"temperature", "co2"}, []float64{1, 100}
	}))
	for i := range 200 {
		at, x := start.Add(time.Duration(i)*time.Second), float64(i%10)
		observe(l, "Office", at, 20+x/10, 500+x)
		observe(l, "Server", at, 10+x/10, math.NaN())
	}
	at := start.Add(time.Hour)
	assert.Empty(t, observe(l, "Office", at, 20.5, 505))
	assert.Empty(t, observe(l, "Server", at, 10.5, math.NaN()))
	assert.Len(t, observe(l, "Server", at, 20.5, math.NaN()), 1)
	found := observe(l, "Office", at, 10.5, 5000)
	require.Len(t, found, 2)
	assert.Equal(t, []int{0, 1}, []int{found[0].Metric, found[1].Metric})
	_, learning := l.Observe([]byte("Server"), at, []float64{math.NaN(), 5000}, nil)
	assert.Equal(t, 1, learning, "the server rooms never reported CO₂")
	assert.Equal(t, 2, l.Groups())
}

func TestLearnerSkipsWhatIsNotFinite(t *testing.T) {
	l := percentile.New(config(nil))
	for i := range 300 {
		v := []float64{20, math.NaN(), math.Inf(1)}[i%3]
		_, learning := l.Observe(nil, start.Add(time.Duration(i)*time.Second), []float64{v}, nil)
		require.Equal(t, i%3 == 0, learning == 1)
	}
	assert.Empty(t, observe(l, "", start.Add(time.Hour), 20))
	assert.Empty(t, observe(l, "", start.Add(time.Hour), math.Inf(1)))
	assert.Len(t, observe(l, "", start.Add(time.Hour), 22), 1)
}

func TestLearnerNeedsAWidthOfItsOwnForConstants(t *testing.T) {
	f := func(minWidth, constant, quiet, loud float64) {
		t.Helper()
		l := percentile.New(config(func(c *percentile.Config) {
			c.MinWidth, c.Refresh, c.History = []float64{minWidth}, 99*time.Second, 99*time.Second
		}))
		for i := range 100 {
			observe(l, "", start.Add(time.Duration(i)*time.Second), constant)
		}
		assert.Empty(t, observe(l, "", start.Add(100*time.Second), quiet))
		assert.Len(t, observe(l, "", start.Add(101*time.Second), loud), 1)
	}

	// Half of the least width lies between the constant and its limits.
	f(10, 0, 4.9, 5.1)
	// Without one it is half of a tenth of the value.
	f(0, 200, 209, 211)
	f(0, -200, -209, -211)
	f(0, 0, 0, 0.001)
}

func TestLearnerWithoutMarginIsPlainPercentiles(t *testing.T) {
	l := percentile.New(config(func(c *percentile.Config) { c.Margin = 0; c.MaxSamples = 4000 }))
	rng := rand.New(rand.NewPCG(1, 2))
	flagged := 0
	const n, warm = 20000, 2000
	for i := range n {
		found := observe(l, "", start.Add(time.Duration(i)*10*time.Second), rng.NormFloat64())
		if i >= warm {
			flagged += len(found)
		}
	}
	// 2 % by definition; the deviation of 18,000 draws is 0.1 %, that of the sample more.
	assert.InDelta(t, 0.02, float64(flagged)/(n-warm), 0.005)
}

func TestLearnerIsQuietOnCleanValues(t *testing.T) {
	l := percentile.New(config(nil))
	rng := rand.New(rand.NewPCG(3, 4))
	flagged := 0
	const n, day = 40000, 8640
	for i := range n {
		v := 21 + 2*math.Sin(2*math.Pi*float64(i)/day) + 0.3*rng.NormFloat64()
		found := observe(l, "", start.Add(time.Duration(i)*10*time.Second), v)
		if i >= day {
			flagged += len(found)
		}
	}
	assert.Zero(t, flagged)
}

// A quarter of a width past the limit is as far as an anomaly pulls the range.
func TestLearnerTakesALastingChangeInSteps(t *testing.T) {
	c := config(func(c *percentile.Config) { c.MaxSamples = 10000 })
	l := percentile.New(c)
	rng := rand.New(rand.NewPCG(5, 6))
	at := start
	step := func(v float64) (flagged bool) {
		at = at.Add(time.Minute)
		return len(observe(l, "", at, v)) > 0
	}
	for range 1440 {
		require.False(t, step(20+rng.Float64()))
	}
	// A fault of ten minutes is 0.7 % of a day and changes nothing.
	for range 10 {
		require.True(t, step(60))
	}
	require.True(t, step(25))
	for range 100 {
		require.False(t, step(20+rng.Float64()))
	}
	// A change that lasts becomes usual, but not within the first half hour.
	flagged := 0
	for range 1440 {
		if step(60 + rng.Float64()) {
			flagged++
		}
	}
	assert.Greater(t, flagged, 30)
	assert.Less(t, flagged, 4*60)
	require.False(t, step(60.5))
}

func TestLearnerForgetsValuesAfterTheHistory(t *testing.T) {
	l := percentile.New(config(func(c *percentile.Config) { c.History = time.Hour }))
	at := start
	for range 720 {
		at = at.Add(10 * time.Second)
		observe(l, "", at, 20)
	}
	for range 720 { // two hours a little higher, which is within the limits
		at = at.Add(10 * time.Second)
		require.Empty(t, observe(l, "", at, 20.4))
	}
	found := observe(l, "", at, 30)
	require.Len(t, found, 1)
	assert.Equal(t, 20.4, found[0].Low)
	assert.Equal(t, 20.4, found[0].High)
}

func TestLearnerJudgesByTheOldLimitsAfterASilence(t *testing.T) {
	l := percentile.New(config(nil))
	for i := range 200 {
		observe(l, "", start.Add(time.Duration(i)*time.Second), 20)
	}
	at := start.Add(72 * time.Hour)
	found, learning := l.Observe(nil, at, []float64{25}, nil)
	assert.Len(t, found, 1)
	assert.Zero(t, learning)
}

func TestLearnerDoesNotLearnWhatIsOlderThanTheHistory(t *testing.T) {
	l, same := percentile.New(config(nil)), percentile.New(config(nil))
	for i := range 200 {
		for _, x := range []*percentile.Learner{l, same} {
			observe(x, "", start.Add(time.Duration(i)*time.Second), 20+float64(i%10)/10)
		}
	}
	for range 50 {
		assert.Len(t, observe(l, "", start.Add(-25*time.Hour), 40), 1)
	}
	assert.Equal(t, marshal(t, same), marshal(t, l))
}

func TestLearnerForgetsSilentGroups(t *testing.T) {
	l := percentile.New(config(nil))
	observe(l, "old", start, 20)
	for day := range 15 { // seven histories of silence, found by the next sweep
		observe(l, "regular", start.Add(time.Duration(day)*24*time.Hour), 20)
	}
	require.Equal(t, 2, l.Groups())
	observe(l, "new", start.Add(15*24*time.Hour), 20)
	assert.Equal(t, 2, l.Groups())
}

func TestLearnerForgetsHalfOfTooManyGroups(t *testing.T) {
	l := percentile.New(config(nil))
	for i := range percentile.MaxGroups + 1 {
		observe(l, fmt.Sprint(i), start.Add(time.Duration(i)*time.Millisecond), 20)
	}
	assert.Equal(t, percentile.MaxGroups/2+1, l.Groups())
}

// A sample of 1,000 stands for 100,000 values: the rank of its 1st percentile has
// a deviation of √(0.01·0.99/1000) = 0.3 %, the average of 20 of them 0.07 %.
func TestLearnerSamplesEvenly(t *testing.T) {
	var low, high float64
	const runs = 20
	for run := range runs {
		rng := rand.New(rand.NewPCG(uint64(run), 7))
		l := percentile.New(config(func(c *percentile.Config) { c.Margin = 10 }))
		// Ten sensors that report in turn, each with a tenth of the values.
		for i := range 100_000 {
			observe(l, "", start.Add(time.Duration(i)*500*time.Millisecond), float64(i%10)+rng.Float64())
		}
		found := observe(l, "", start.Add(14*time.Hour), 1e6)
		require.Len(t, found, 1)
		low, high = low+found[0].Low/runs, high+found[0].High/runs
	}
	assert.InDelta(t, 0.1, low, 0.03)
	assert.InDelta(t, 9.9, high, 0.03)
}

// Two sensors that report in turn fill each pair of values; to keep the first of
// each would keep one sensor.
func TestLearnerSamplesEvenlyWhenItFirstFills(t *testing.T) {
	l := percentile.New(config(func(c *percentile.Config) { c.Refresh = time.Second }))
	for i := range 1003 {
		observe(l, "", start.Add(time.Duration(i)*time.Second), 20+float64(i%2))
	}
	found := observe(l, "", start.Add(time.Hour), 1e6)
	require.Len(t, found, 1)
	assert.Equal(t, []float64{20, 21}, []float64{found[0].Low, found[0].High})
}

// A feed that slows down gets a finer sample again, or its limits would come from
// a handful of values.
func TestLearnerSamplesMoreOfASlowerFeed(t *testing.T) {
	l := percentile.New(config(nil))
	at := start
	feed := func(n int, every time.Duration) {
		for i := range n {
			at = at.Add(every)
			observe(l, "", at, 20+float64(i%10)/10)
		}
	}
	feed(100_000, 800*time.Millisecond)
	feed(3*1440, time.Minute)
	// Eleven bytes a value; 1,440 values lie in the history, of which a fourth of
	// the bound of 1,000 is the least.
	assert.Greater(t, len(marshal(t, l)), 250*11)
}

func TestLearnerIsDeterministic(t *testing.T) {
	a, b := percentile.New(config(nil)), percentile.New(config(nil))
	for _, l := range []*percentile.Learner{a, b} {
		feed(l, 1, 0, 30_000)
	}
	assert.Equal(t, marshal(t, a), marshal(t, b))
}

// A clock that jumps ahead and back must not empty the sample.
func TestLearnerSurvivesAClockThatIsAhead(t *testing.T) {
	l := percentile.New(config(nil))
	for i := range 1000 {
		at := start.Add(time.Duration(i) * 10 * time.Second)
		if i%50 == 0 {
			at = at.Add(time.Hour)
		}
		observe(l, "", at, 20+float64(i%10)/10)
	}
	assert.Empty(t, observe(l, "", start.Add(3*time.Hour), 20.5))
	assert.Len(t, observe(l, "", start.Add(3*time.Hour), 25), 1)
}

// feed is a day's curve of some rooms in two groups with a fault now and then.
func feed(l *percentile.Learner, seed uint64, from, to int) []percentile.Finding {
	rng := rand.New(rand.NewPCG(seed, 8))
	var all []percentile.Finding
	for i := range to {
		v := 21 + math.Sin(2*math.Pi*float64(i)/8640) + 0.3*rng.NormFloat64()
		if rng.IntN(500) == 0 {
			v += 20
		}
		group := []string{"Office", "Lobby"}[rng.IntN(2)]
		if i >= from {
			all = append(all, observe(l, group, start.Add(time.Duration(i)*10*time.Second), v)...)
		}
	}
	return all
}

func marshal(t testing.TB, l *percentile.Learner) []byte {
	t.Helper()
	data, err := l.MarshalBinary()
	require.NoError(t, err)
	return data
}

func TestLearnerContinuesAfterARestart(t *testing.T) {
	whole := percentile.New(config(nil))
	want := feed(whole, 9, 0, 20_000)
	require.Greater(t, len(want), 20)

	for _, cut := range []int{1, 50, 150, 5_000, 19_999} {
		before := percentile.New(config(nil))
		got := feed(before, 9, 0, cut)
		after := percentile.New(config(nil))
		require.NoError(t, after.UnmarshalBinary(marshal(t, before)))
		got = append(got, feed(after, 9, cut, 20_000)...)
		assert.Equal(t, want, got, "restart after %d", cut)
		assert.Equal(t, marshal(t, whole), marshal(t, after))
	}
}

func TestLearnerRestoresUnderAnotherConfiguration(t *testing.T) {
	old := percentile.New(config(func(c *percentile.Config) {
		c.Metrics, c.MinWidth = []string{"temperature", "co2"}, []float64{1, 100}
		c.History = 5 * time.Minute
	}))
	for i := range 900 {
		observe(old, "", start.Add(time.Duration(i)*time.Second), 20, 500)
	}
	l := percentile.New(config(func(c *percentile.Config) {
		c.Metrics, c.MinWidth = []string{"humidity", "co2"}, []float64{10, 100}
		c.Margin, c.MaxSamples, c.History = 2, 150, 5*time.Minute
	}))
	require.NoError(t, l.UnmarshalBinary(marshal(t, old)))
	found, learning := l.Observe(nil, start.Add(15*time.Minute), []float64{40, 690}, nil)
	assert.Empty(t, found, "margin 2 of a width of 100 lets 700 pass")
	assert.Equal(t, 1, learning, "humidity is new")
	found, _ = l.Observe(nil, start.Add(15*time.Minute), []float64{40, 710}, nil)
	assert.Len(t, found, 1)
}

func TestLearnerRefusesStates(t *testing.T) {
	good := percentile.New(config(nil))
	feed(good, 1, 0, 500)
	data := marshal(t, good)
	f := func(data []byte, errContains string) {
		t.Helper()
		l := percentile.New(config(nil))
		feed(l, 2, 0, 300)
		before := marshal(t, l)
		require.ErrorContains(t, l.UnmarshalBinary(data), errContains)
		assert.Equal(t, before, marshal(t, l), "a refused state changes nothing")
	}

	f(nil, "ends too early")
	f(data[:len(data)-1], "ends too early")
	f(append(slices.Clone(data), 0), "goes on for 1 bytes")
	newer := slices.Clone(data)
	newer[len("percentile")+1]++
	f(newer, "it has version 2, want version 1")
	other := percentile.New(config(func(c *percentile.Config) { c.Scope = "sensor_id" }))
	f(marshal(t, other), `it was learned for "sensor_id", want "room_type"`)
}
