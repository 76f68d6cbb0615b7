package spike_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/spike"
)

// changes is where Observe writes what no test of findings looks at.
var changes [5]spike.Change

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// config has one metric whose spikes begin 5 off the median.
func config(change func(*spike.Config)) spike.Config {
	c := spike.Config{Window: 5, Metrics: []spike.Metric{{Name: "temperature", Delta: 5}}}
	if change != nil {
		change(&c)
	}
	return c
}

func observe(d *spike.Detector, at time.Time, v float64) []spike.Finding {
	found, _ := d.Observe("s1", at, []float64{v}, changes[:], nil)
	return found
}

// spikes feeds values ten seconds apart and returns the places of the reported.
func spikes(d *spike.Detector, values ...float64) []int {
	var places []int
	for i, v := range values {
		if len(observe(d, start.Add(time.Duration(i)*10*time.Second), v)) > 0 {
			places = append(places, i)
		}
	}
	return places
}

func TestConfigValidate(t *testing.T) {
	f := func(errContains string, change func(*spike.Config)) {
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
	f("window must be between 2 and 1000 readings, got 1", func(c *spike.Config) { c.Window = 1 })
	f("window must be between 2 and 1000 readings, got 1001", func(c *spike.Config) { c.Window = 1001 })
	f(`deltas of "temperature" must not be negative, got -5`, func(c *spike.Config) { c.Metrics[0].Delta = -5 })
	f(`deviations of "temperature" must not be negative, got NaN`, func(c *spike.Config) { c.Metrics[0].Deviations = math.NaN() })
	f(`resolution of "temperature" must not be negative, got -1`, func(c *spike.Config) { c.Metrics[0].Resolution = -1 })
	f(`deltas or deviations of "temperature" must be positive`, func(c *spike.Config) { c.Metrics[0].Delta = 0 })
	assert.Panics(t, func() { spike.New(spike.Config{}) })
}

func TestDetectorSaysWhatItFound(t *testing.T) {
	d := spike.New(config(nil))
	require.Empty(t, spikes(d, 20, 21.5, 20.5, 22, 21))
	// The median of 20, 20.5, 21, 21.5, 22 is 21.
	found := observe(d, start.Add(52*time.Second), 27)
	require.Len(t, found, 1)
	assert.Equal(t, spike.Finding{Value: 27, Median: 21, Limit: 5, Min: 20, Max: 22, Within: 12 * time.Second}, found[0])
	assert.Equal(t, 6.0, found[0].Distance())
}

func TestDetectorWarmsUp(t *testing.T) {
	d := spike.New(config(nil))
	for i, v := range []float64{20, 90, -40, 300, 20} {
		found, tally := d.Observe("s1", start.Add(time.Duration(i)*10*time.Second), []float64{v}, changes[:], nil)
		require.Empty(t, found)
		require.Equal(t, spike.Tally{Learning: 1}, tally)
	}
	_, tally := d.Observe("s1", start.Add(time.Minute), []float64{20}, changes[:], nil)
	require.Equal(t, spike.Tally{}, tally)
}

func TestDetectorLimits(t *testing.T) {
	f := func(delta, deviations, resolution, wantLimit float64, values ...float64) {
		t.Helper()
		d := spike.New(spike.Config{Window: len(values), Metrics: []spike.Metric{
			{Name: "temperature", Delta: delta, Deviations: deviations, Resolution: resolution},
		}})
		require.Empty(t, spikes(d, values...))
		at := start.Add(time.Duration(len(values)) * 10 * time.Second)
		found := observe(d, at, 1e9)
		require.Len(t, found, 1)
		assert.InDelta(t, wantLimit, found[0].Limit, 1e-9)

		for _, past := range []float64{-1.001, -0.999, 0.999, 1.001} {
			d := spike.New(spike.Config{Window: len(values), Metrics: []spike.Metric{
				{Name: "temperature", Delta: delta, Deviations: deviations, Resolution: resolution},
			}})
			spikes(d, values...)
			require.Equal(t, math.Abs(past) > 1, len(observe(d, at, found[0].Median+past*wantLimit)) > 0)
		}
	}

	f(5, 0, 0, 5, 20, 20, 20, 20, 20)
	// Median 3, distances 2 1 0 1 2, MAD 1; by hand.
	f(0, 6, 0.1, 6*1.4826, 1, 2, 3, 4, 5)
	// Median 5, distances 4 3 2 2 3 95, MAD 3; by hand.
	f(0, 2, 0.1, 2*1.4826*3, 1, 2, 3, 7, 8, 100)
	// Median 4, distances 3 2 2 6, MAD (2+3)/2; by hand.
	f(0, 1, 0.1, 1.4826*2.5, 1, 2, 6, 10)
	// A window of equal values has the resolution.
	f(0, 6, 0.5, 3, 20, 20, 20, 20, 20)
	// Without one, a hundredth of the median.
	f(0, 6, 0, 6*0.2, 20, 20, 20, 20, 20)
	f(0, 6, 0, 6*0.2, -20, -20, -20, -20, -20)
	// Either rule makes a spike.
	f(5, 6, 0.5, 3, 20, 20, 20, 20, 20)
	f(5, 6, 0.5, 5, 1, 2, 3, 4, 5)
}

func TestDetectorDoesNotFireOnEqualValues(t *testing.T) {
	c := config(func(c *spike.Config) { c.Metrics[0] = spike.Metric{Name: "x", Deviations: 6} })
	for _, v := range []float64{0, -7, 5e-324, math.MaxFloat64, -math.MaxFloat64} {
		assert.Empty(t, spikes(spike.New(c), slices.Repeat([]float64{v}, 20)...))
	}
}

func TestDetectorReportsAnEventOnce(t *testing.T) {
	f := func(what string, want []int, values ...float64) {
		t.Helper()
		d := spike.New(config(nil))
		assert.Equal(t, want, spikes(d, append([]float64{20, 20, 20, 20, 20}, values...)...), what)
	}

	f("quiet", nil, 21, 22, 21, 20)
	f("one peak", []int{5}, 30, 20, 20, 20, 20, 20, 20)
	f("a peak of four", []int{5}, 30, 30, 30, 30, 20, 20, 20, 20)
	f("two peaks", []int{5, 8}, 30, 20, 20, 30, 20, 20)
	f("a new level", []int{5}, 30, 30, 30, 30, 30, 30, 30, 30, 30)
	f("a new level and back", []int{5}, 30, 30, 30, 30, 30, 30, 30, 20, 20, 20, 20, 20, 20, 20)
	f("there, back and there again", []int{5, 17}, 30, 30, 30, 30, 30, 30, 20, 20, 20, 20, 20, 20, 30, 30, 30, 30, 30)
	f("a worse turn", []int{5, 8}, 30, 31, 39, 41, 42, 42, 20, 20)
	f("a return that goes too far", []int{5, 12}, 30, 30, 30, 30, 30, 30, 30, 10, 10, 10, 10, 10)
	f("a return that goes too far later", []int{5, 14}, 30, 30, 30, 30, 30, 30, 30, 20, 20, 9, 9, 9, 9)
	f("a peak on a new level, then back", []int{5, 11}, 30, 30, 30, 30, 30, 30, 40, 20, 20)
	f("the other way", []int{5}, 10, 10, 10, 20, 20)
}

func TestDetectorExpectsAReturnOnce(t *testing.T) {
	f := func(what string, want []int, values ...[]float64) {
		t.Helper()
		assert.Equal(t, want, spikes(spike.New(config(nil)), slices.Concat(values...)...), what)
	}
	low, high := slices.Repeat([]float64{20}, 5), slices.Repeat([]float64{30}, 500)
	slope := []float64{29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 20, 20, 20, 20}

	f("at once", []int{5}, low, high, low)
	f("at once, and up again", []int{5, 510}, low, high, low, high)
	f("slowly", []int{5}, low, high, slope)
	f("slowly, and up again", []int{5, 519}, low, high, slope, high)
	f("slowly down, slowly up, and down at once", []int{5, 534}, low, high, slope, []float64{21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, high[:5], low)
	f("slowly, and up and down again", []int{5, 519}, low, high, slope, high, low)
}

func TestDetectorEmptiesTheWindowAfterAGap(t *testing.T) {
	d := spike.New(config(nil))
	require.Empty(t, spikes(d, 20, 20, 20, 20, 20, 20))
	last := start.Add(50 * time.Second)

	// Ten intervals are no gap yet.
	same := spike.New(config(nil))
	require.Empty(t, spikes(same, 20, 20, 20, 20, 20, 20))
	require.Len(t, observe(same, last.Add(100*time.Second), 40), 1)

	found, tally := d.Observe("s1", last.Add(101*time.Second), []float64{40}, changes[:], nil)
	assert.Empty(t, found)
	assert.Equal(t, spike.Tally{Learning: 1, Gaps: 1}, tally)
	for i := range 4 {
		require.Empty(t, observe(d, last.Add(101*time.Second+time.Duration(i+1)*10*time.Second), 40))
	}
	require.Len(t, observe(d, last.Add(200*time.Second), 20), 1, "the window is full again, nothing from before the gap is left")
}

func TestDetectorMeasuresGapsByTheMedianInterval(t *testing.T) {
	d := spike.New(config(nil))
	// Intervals of 1, 60, 60 and 60 s: the shortest would call 60 s a gap.
	at := start
	for _, s := range []int{0, 1, 60, 60, 60, 60, 60, 590} {
		at = at.Add(time.Duration(s) * time.Second)
		_, tally := d.Observe("s1", at, []float64{20}, changes[:], nil)
		if s == 60 && at.Equal(start.Add(61*time.Second)) {
			// With one interval of a second the next one is a gap.
			require.Equal(t, 1, tally.Gaps)
			continue
		}
		require.Zero(t, tally.Gaps, "%s", at)
	}
}

func TestDetectorLateReadings(t *testing.T) {
	d := spike.New(config(nil))
	require.Empty(t, spikes(d, 20, 20, 20, 20, 20, 20, 20))
	before := marshal(t, d)

	late := func(after time.Duration, v float64) []spike.Finding {
		t.Helper()
		found, tally := d.Observe("s1", start.Add(after), []float64{v}, changes[:], nil)
		require.Equal(t, spike.Tally{Late: 1}, tally)
		require.Equal(t, before, marshal(t, d), "a late reading is not learned")
		return found
	}
	assert.Empty(t, late(45*time.Second, 21))
	assert.Empty(t, late(60*time.Second, 20), "a repeated timestamp")
	found := late(45*time.Second, 40)
	require.Len(t, found, 1)
	assert.Equal(t, spike.Finding{Value: 40, Median: 20, Limit: 5, Min: 20, Max: 20}, found[0])
	assert.Empty(t, late(15*time.Second, 40), "before the window")
}

func TestDetectorReportsARepeatedReadingAgain(t *testing.T) {
	d := spike.New(config(nil))
	values := []float64{20, 20, 20, 20, 20, 30, 30, 30}
	want := []int{5}
	require.Equal(t, want, spikes(d, values...))
	require.Equal(t, want, spikes(d, values...), "the batch comes again")
	restored := spike.New(config(nil))
	require.NoError(t, restored.UnmarshalBinary(marshal(t, d)))
	require.Equal(t, want, spikes(restored, values...), "and again after a restart")
}

// What was said before an event must not look like a spike against the level
// after it.
func TestDetectorDoesNotJudgeWhatIsOlderThanTheWindow(t *testing.T) {
	d := spike.New(config(nil))
	values := []float64{20, 20, 20, 20, 20, 30, 30, 30, 30, 30, 30}
	require.Equal(t, []int{5}, spikes(d, values...))
	require.Equal(t, []int{5}, spikes(d, values...))
}

func TestDetectorKeepsSensorsAndMetricsApart(t *testing.T) {
	d := spike.New(config(func(c *spike.Config) {
		c.Metrics = append(c.Metrics, spike.Metric{Name: "co2", Delta: 400})
	}))
	var found []spike.Finding
	for i := range 20 {
		at := start.Add(time.Duration(i) * 10 * time.Second)
		found, _ = d.Observe("a", at, []float64{20, 600}, changes[:], found)
		found, _ = d.Observe("b", at, []float64{math.NaN(), 1600}, changes[:], found)
		found, _ = d.Observe("c", at, []float64{math.Inf(1), math.NaN()}, changes[:], found)
	}
	require.Empty(t, found)
	require.Equal(t, 3, d.Sensors())
	found, _ = d.Observe("a", start.Add(time.Hour), []float64{20, 600}, changes[:], nil)
	require.Empty(t, found)
	at := start.Add(200 * time.Second)
	d = spike.New(config(func(c *spike.Config) { c.Metrics = append(c.Metrics, spike.Metric{Name: "co2", Delta: 400}) }))
	for i := range 20 {
		d.Observe("a", start.Add(time.Duration(i)*10*time.Second), []float64{20, 600}, changes[:], nil)
	}
	found, _ = d.Observe("a", at, []float64{30, 1600}, changes[:], nil)
	require.Len(t, found, 2)
	assert.Equal(t, []int{0, 1}, []int{found[0].Metric, found[1].Metric})
}

func TestDetectorForgetsSilentSensors(t *testing.T) {
	d := spike.New(config(nil))
	for i := range 100 {
		d.Observe(fmt.Sprint(i), start, []float64{20}, changes[:], nil)
	}
	d.Observe("new", start.Add(spike.ForgetAfter+time.Second), []float64{20}, changes[:], nil)
	assert.Equal(t, 1, d.Sensors())
}

// feed is the noisy curve of some sensors with jumps, late and repeated readings
// and outages.
func feed(d *spike.Detector, seed uint64, from, to int) []spike.Finding {
	rng := rand.New(rand.NewPCG(seed, 3))
	var all []spike.Finding
	level, at := 20.0, start
	for i := range to {
		switch rng.IntN(100) {
		case 0:
			level += 12
		case 1:
			level -= 12
		case 2:
			at = at.Add(time.Hour)
		case 3:
			at = at.Add(-20 * time.Second)
		}
		at = at.Add(time.Duration(rng.IntN(10)) * time.Second)
		v := level + rng.NormFloat64()
		if rng.IntN(30) == 0 {
			v += 9
		}
		id := fmt.Sprint(rng.IntN(3))
		if i >= from {
			all, _ = d.Observe(id, at, []float64{v}, changes[:], all)
		}
	}
	return all
}

func marshal(t testing.TB, d *spike.Detector) []byte {
	t.Helper()
	data, err := d.AppendBinary(nil)
	require.NoError(t, err)
	return data
}

func TestDetectorContinuesAfterARestart(t *testing.T) {
	c := config(func(c *spike.Config) { c.Metrics[0].Deviations, c.Metrics[0].Resolution = 8, 0.5 })
	whole := spike.New(c)
	want := feed(whole, 4, 0, 3000)
	require.Greater(t, len(want), 50)
	for cut := 1; cut < 3000; cut += 41 {
		before := spike.New(c)
		got := feed(before, 4, 0, cut)
		after := spike.New(c)
		require.NoError(t, after.UnmarshalBinary(marshal(t, before)))
		got = append(got, feed(after, 4, cut, 3000)...)
		require.Equal(t, want, got, "restart after %d", cut)
		require.Equal(t, marshal(t, whole), marshal(t, after))
	}
}

func TestDetectorRestoresUnderAnotherConfiguration(t *testing.T) {
	old := spike.New(config(func(c *spike.Config) {
		c.Metrics = append(c.Metrics, spike.Metric{Name: "co2", Delta: 400})
	}))
	for i := range 8 {
		old.Observe("s1", start.Add(time.Duration(i)*10*time.Second), []float64{20, float64(600 + i)}, changes[:], nil)
	}
	at := start.Add(80 * time.Second)

	smaller := spike.New(spike.Config{Window: 3, Metrics: []spike.Metric{{Name: "humidity", Delta: 15}, {Name: "co2", Delta: 400}}})
	require.NoError(t, smaller.UnmarshalBinary(marshal(t, old)))
	found, tally := smaller.Observe("s1", at, []float64{45, 1600}, changes[:], nil)
	require.Len(t, found, 1)
	assert.Equal(t, spike.Finding{Metric: 1, Value: 1600, Median: 606, Limit: 400, Min: 605, Max: 607, Within: 10 * time.Second}, found[0])
	assert.Equal(t, 1, tally.Learning)

	larger := spike.New(spike.Config{Window: 6, Metrics: []spike.Metric{{Name: "co2", Delta: 400}}})
	require.NoError(t, larger.UnmarshalBinary(marshal(t, old)))
	_, tally = larger.Observe("s1", at, []float64{600}, changes[:], nil)
	assert.Equal(t, 1, tally.Learning, "five of six values are there")
	_, tally = larger.Observe("s1", at.Add(10*time.Second), []float64{600}, changes[:], nil)
	assert.Zero(t, tally.Learning)
}

func TestDetectorRefusesStates(t *testing.T) {
	good := spike.New(config(nil))
	feed(good, 1, 0, 500)
	data := marshal(t, good)
	f := func(data []byte, errContains string) {
		t.Helper()
		d := spike.New(config(nil))
		feed(d, 2, 0, 300)
		before := marshal(t, d)
		require.ErrorContains(t, d.UnmarshalBinary(data), errContains)
		assert.Equal(t, before, marshal(t, d), "a refused state changes nothing")
	}

	f(nil, "ends too early")
	f(data[:len(data)-1], "ends too early")
	f(append(slices.Clone(data), 0), "goes on for 1 bytes")
	newer := slices.Clone(data)
	newer[len("spike")+1]++
	f(newer, "it has version 2, want version 1")
	wide := slices.Clone(data)
	wide[len("spike")+2] = 1
	f(wide, "a window of 1 values cannot be")
}

// The figure to beat is silence: a smooth day with the noise of a real sensor.
func TestDetectorIsQuietOnACleanDay(t *testing.T) {
	d := spike.New(spike.Config{Window: 5, Metrics: []spike.Metric{
		{Name: "temperature", Delta: 5, Deviations: 6, Resolution: 0.5},
		{Name: "co2", Delta: 400, Deviations: 6, Resolution: 50},
	}})
	rng := rand.New(rand.NewPCG(1, 1))
	var found []spike.Finding
	for i := range 8640 {
		day := math.Sin(2 * math.Pi * float64(i) / 8640)
		found, _ = d.Observe("s1", start.Add(time.Duration(i)*10*time.Second),
			[]float64{21 + 2*day + 0.2*rng.NormFloat64(), 700 + 300*day + 20*rng.NormFloat64()}, changes[:], found)
	}
	assert.Empty(t, found)
}

func TestScores(t *testing.T) {
	d := spike.New(spike.Config{Window: 5, Metrics: []spike.Metric{{Name: "temperature", Delta: 4}}})
	f := func(second int, v, want float64) {
		t.Helper()
		d.Observe("s1", start.Add(time.Duration(second)*time.Second), []float64{v}, changes[:], nil)
		assert.InDelta(t, want, changes[0].Score(), 1e-12)
	}

	for i := range 5 {
		f(i, 20, 0) // learning
	}
	f(5, 20, 0)
	f(6, 22, 1-math.Sqrt(0.5)) // half of what counts
	f(7, 24, 0.5)
	f(8, 28, 0.15*0.75) // the same event
	f(9, 36, 1-1.0/16)  // four times what counts, and so worse
	f(10, math.NaN(), 0)
	f(11, 20, 0)
}
