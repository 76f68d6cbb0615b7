package limits_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/limits"
)

// A Monday.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// sensor is a detector of one metric of one sensor, with a value a minute.
type sensor struct {
	*limits.Detector
	at     time.Time
	scores [1]limits.Score
}

func newSensor() *sensor {
	return &sensor{Detector: limits.New(limits.Config{Metrics: []string{"temperature"}, Threshold: limits.Normal}), at: start}
}

func (s *sensor) see(v float64) []limits.Finding {
	s.at = s.at.Add(time.Minute)
	found, _ := s.Observe("101", s.at, []float64{v}, s.scores[:], nil)
	found = reports(found)
	return found
}

// noise is 20 and a little, evenly spread between 19 and 21.
func noise(rng *rand.Rand) float64 { return 19 + 2*rng.Float64() }

// learned has seen days of noise, which must not be reported.
func learned(t *testing.T, days int, level func(at time.Time, rng *rand.Rand) float64) (*sensor, *rand.Rand) {
	t.Helper()
	s, rng := newSensor(), rand.New(rand.NewPCG(1, 2))
	for range days * 1440 {
		found := s.see(level(s.at.Add(time.Minute), rng))
		require.Empty(t, found, "%s", s.at)
	}
	return s, rng
}

func flat(_ time.Time, rng *rand.Rand) float64 { return noise(rng) }

// daily is noise by night and ten degrees more from eight to five.
func daily(at time.Time, rng *rand.Rand) float64 {
	v := noise(rng)
	if h := at.Hour(); h >= 8 && h < 17 {
		v += 10
	}
	return v
}

func TestConfigValidate(t *testing.T) {
	f := func(threshold float64, errContains string) {
		t.Helper()
		c := limits.Config{Threshold: threshold}
		err := c.Validate()
		if errContains == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, errContains)
	}

	f(limits.High, "")
	f(limits.Low, "")
	f(0.1, "threshold must be more than 0.1 and less than 10, got 0.1")
	f(math.NaN(), "got NaN")
	f(math.Inf(1), "got +Inf")
	assert.PanicsWithValue(t, "BUG: threshold must be more than 0.1 and less than 10, got 0", func() { limits.New(limits.Config{}) })
}

func TestAValuePastTheLimitsIsFoundOnce(t *testing.T) {
	s, rng := learned(t, 3, flat)
	found := s.see(26)
	require.Len(t, found, 1)
	f := found[0]
	assert.Equal(t, limits.Level, f.View)
	assert.Equal(t, 26.0, f.Value)
	assert.InDelta(t, 19, f.Low, 0.01)
	assert.InDelta(t, 21, f.High, 0.01)
	// The mean absolute deviation of values evenly spread over 2 is 0.5, and a scale is
	// two of them: five past the limit is five scales.
	// Scores approach 10: 5/(1 + 5/10) is 10/3, and 10/13 as a share.
	assert.InDelta(t, 10.0/13, f.Score, 0.01)
	assert.Equal(t, f.Score, s.scores[0].Past)

	assert.Empty(t, s.see(26), "the same event")
	assert.Less(t, s.scores[0].Past, 0.15)
	assert.Len(t, s.see(35), 1, "it got worse")
	for i := range 30 {
		assert.Empty(t, s.see(26+0.01*float64(i)))
	}
	for range 500 {
		s.see(noise(rng))
	}
	assert.Len(t, s.see(14), 1, "another event")
}

func TestAShortFaultDoesNotBecomeNormal(t *testing.T) {
	s, rng := learned(t, 2, flat)
	for range 5 { // five scales a value at most
		for range 2 {
			s.see(1000)
		}
		for range 700 {
			s.see(noise(rng))
		}
		require.Len(t, s.see(1000), 1)
		for range 700 {
			s.see(noise(rng))
		}
	}
}

func TestANewLevelBecomesNormal(t *testing.T) {
	s, rng := learned(t, 2, flat)
	require.Len(t, s.see(31), 1)
	reports := 0
	for range 2000 {
		reports += len(s.see(11 + noise(rng)))
	}
	assert.Less(t, reports, 5)
	for range 500 {
		assert.Empty(t, s.see(11+noise(rng)))
	}
}

func TestADayAtNight(t *testing.T) {
	s, _ := learned(t, 8, daily) // ends at midnight
	found := s.see(30)           // usual by day
	require.Len(t, found, 1)
	assert.Contains(t, []limits.View{limits.Hour, limits.Daily}, found[0].View)
	assert.Less(t, found[0].High, 25.0)
}

// What is usual at an hour lies within what there is at all.
func TestAFullRoomAtNoon(t *testing.T) {
	s, rng := newSensor(), rand.New(rand.NewPCG(1, 2))
	people := 0.0
	for range 10*1440 + 12*60 + 30 {
		switch at := s.at.Add(time.Minute); {
		case at.Hour() < 8 || at.Hour() >= 17:
			people = 0
		case at.Hour() == 12:
			people = 3
		case at.Minute() == 0:
			people = float64(30 + rng.IntN(10))
		}
		s.see(people)
	}
	found := s.see(38) // as at eleven
	require.Len(t, found, 1)
	assert.Equal(t, limits.Daily, found[0].View)
	assert.Zero(t, found[0].Low)
	assert.Less(t, found[0].High, 38.0)
}

// A fault of an hour is hardly what is usual at this hour on the next day, however often
// the sensor reports.
func TestTheDayAfterAFault(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} {
		d := limits.New(limits.Config{Metrics: []string{"temperature"}, Threshold: limits.Normal})
		rng := rand.New(rand.NewPCG(3, 4))
		fault := start.AddDate(0, 0, 10).Add(21 * time.Hour)
		var scores [1]limits.Score
		after := 0
		for at := start; at.Before(fault.Add(26 * time.Hour)); at = at.Add(interval) {
			v := daily(at, rng)
			if !at.Before(fault) && at.Before(fault.Add(time.Hour)) {
				v += 40
			}
			found, _ := d.Observe("101", at, []float64{v}, scores[:], nil)
			if at.After(fault.Add(2 * time.Hour)) {
				after += len(found)
			}
		}
		assert.LessOrEqual(t, after, 10, interval)
	}
}

func TestWhatCreeps(t *testing.T) {
	s, rng := learned(t, 4, flat)
	// Within the limits of single values, but never was the mean of 24 that high.
	var found []limits.Finding
	for range 60 {
		found = append(found, s.see(20.6+0.4*rng.Float64())...)
	}
	require.NotEmpty(t, found)
	assert.Equal(t, limits.Average, found[0].View)
}

func TestWhatTrembles(t *testing.T) {
	s, _ := learned(t, 4, flat)
	var found []limits.Finding
	for i := range 60 {
		found = append(found, s.see(19.1+1.8*float64(i%2))...)
	}
	require.NotEmpty(t, found)
	assert.Equal(t, limits.Rest, found[0].View)
	assert.Greater(t, found[0].Seen, found[0].High)
}

func TestAStuckSensorIsFoundOnce(t *testing.T) {
	s, rng := learned(t, 2, flat)
	var found []limits.Finding
	for range 200 {
		found = append(found, s.see(20)...)
	}
	require.NotEmpty(t, found)
	f := found[0]
	assert.Equal(t, limits.Stuck, f.View)
	assert.Equal(t, 20.0, f.Value)
	// It never repeated a value, so six in a row are too many, and that many more are worth
	// a normal threshold.
	assert.EqualValues(t, 11, f.Run)
	assert.Zero(t, f.Longest)
	assert.Equal(t, 10*time.Minute, f.For)
	for _, f := range found[1:] {
		assert.NotEqual(t, limits.Stuck, f.View)
	}
	assert.Empty(t, s.see(noise(rng)))
}

func TestWhatSeldomMovesIsNotStuck(t *testing.T) {
	s, _ := learned(t, 3, func(at time.Time, _ *rand.Rand) float64 { return float64(at.Hour() / 8) })
	for range 5000 {
		for _, f := range s.see(2) {
			require.NotEqual(t, limits.Stuck, f.View)
		}
	}
}

func TestAConstantThatChanges(t *testing.T) {
	s, _ := learned(t, 3, func(time.Time, *rand.Rand) float64 { return 5 })
	require.Len(t, s.see(5.001), 1)
	assert.LessOrEqual(t, s.scores[0].Past, 1.0)
	assert.Empty(t, s.see(5))
}

func TestLittleIsSaidInTheFirstHours(t *testing.T) {
	s, rng := newSensor(), rand.New(rand.NewPCG(1, 2))
	tally := limits.Tally{}
	for i := range 480 {
		at := start.Add(time.Duration(i) * time.Minute)
		found, t1 := s.Observe("101", at, []float64{noise(rng)}, s.scores[:], nil)
		require.Empty(t, found)
		tally.Learning += t1.Learning
	}
	assert.Equal(t, 7+100, tally.Learning, "those before the metric is known, and a hundred")
	s.at = start.Add(8 * time.Hour)
	assert.Empty(t, s.see(25), "eight hours know nothing of the afternoon")
	for i := range 1440 {
		s.at = start.Add(time.Duration(480+i) * time.Minute)
		s.see(noise(rng))
	}
	assert.Len(t, s.see(300), 1, "but that is far off")
}

func TestLateAndRepeatedValuesAreJudgedAndNotLearned(t *testing.T) {
	s, _ := learned(t, 2, flat)
	before := marshal(t, s.Detector)
	found, tally := s.Observe("101", s.at.Add(-time.Hour), []float64{40}, s.scores[:], nil)
	require.Len(t, found, 1)
	assert.Equal(t, 1, tally.Late)
	_, tally = s.Observe("101", s.at, []float64{20}, s.scores[:], nil)
	assert.Equal(t, 1, tally.Late)
	assert.Equal(t, before, marshal(t, s.Detector))
}

func TestAfterAGapTheShortMeanStartsAnew(t *testing.T) {
	s, rng := learned(t, 4, flat)
	high := func() float64 { return 20.5 + 0.5*rng.Float64() }
	for range 14 { // not enough for the mean of 24 to be past its limits
		require.Empty(t, s.see(high()))
	}
	s.at = s.at.Add(3 * time.Hour)
	for range 23 {
		require.Empty(t, s.see(high()))
	}
	assert.Len(t, s.see(high()), 1)
}

func TestAbsentAndInvalidValues(t *testing.T) {
	s, _ := learned(t, 2, flat)
	before := marshal(t, s.Detector)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64} {
		found, tally := s.Observe("101", s.at, []float64{v}, s.scores[:], nil)
		assert.Empty(t, found)
		assert.Equal(t, limits.Score{}, s.scores[0])
		if math.IsNaN(v) {
			assert.Zero(t, tally)
		} else {
			assert.Equal(t, limits.Tally{Invalid: 1}, tally)
		}
	}
	assert.Equal(t, before, marshal(t, s.Detector))
}

func TestSensorsAndMetricsAreApart(t *testing.T) {
	d := limits.New(limits.Config{Metrics: []string{"a", "b"}, Threshold: limits.Normal})
	rng := rand.New(rand.NewPCG(1, 2))
	scores := make([]limits.Score, 2)
	at := start
	for range 3000 {
		at = at.Add(time.Minute)
		d.Observe("x", at, []float64{noise(rng), 100 * noise(rng)}, scores, nil)
		d.Observe("y", at, []float64{100 * noise(rng), noise(rng)}, scores, nil)
	}
	assert.Equal(t, 2, d.Sensors())
	at = at.Add(time.Minute)
	found, _ := d.Observe("x", at, []float64{2000, 2000}, scores, nil)
	require.Len(t, found, 1)
	assert.Equal(t, 0, found[0].Metric)
	found, _ = d.Observe("y", at, []float64{2000, 2000}, scores, nil)
	require.Len(t, found, 1)
	assert.Equal(t, 1, found[0].Metric)
}

// Shifted by whole days and scaled, a stream is as unusual as before.
func TestScoresDoNotDependOnUnits(t *testing.T) {
	a, b := newSensor(), newSensor()
	a.at = start.AddDate(-70, 0, 7*2) // before 1970, and the same day of the week
	for a.at.Weekday() != b.at.Weekday() {
		a.at = a.at.AddDate(0, 0, 1)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 6 * 1440 {
		v := daily(b.at.Add(time.Minute), rng)
		if i%1000 == 999 {
			v += 20 * rng.NormFloat64()
		}
		x, y := a.see(1000*v), b.see(v)
		require.Len(t, x, len(y), "%d", i)
		require.InDelta(t, b.scores[0].Past, a.scores[0].Past, 1e-6)
	}
}

func marshal(t testing.TB, d *limits.Detector) []byte {
	t.Helper()
	b, err := d.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

func TestRestartChangesNothing(t *testing.T) {
	c := limits.Config{Metrics: []string{"temperature", "co2"}, Threshold: limits.Normal}
	whole, parts := limits.New(c), limits.New(c)
	rng := rand.New(rand.NewPCG(5, 6))
	scores, again := make([]limits.Score, 2), make([]limits.Score, 2)
	at := start
	for i := range 9 * 1440 {
		at = at.Add(time.Minute)
		values := []float64{daily(at, rng), math.Floor(600 + 100*rng.NormFloat64())}
		if i%500 == 400 {
			values[i%2] = 0
		}
		if i%997 == 0 {
			restored := limits.New(c)
			require.NoError(t, restored.UnmarshalBinary(marshal(t, parts)))
			require.Equal(t, marshal(t, parts), marshal(t, restored))
			parts = restored
		}
		x, tx := whole.Observe(string(rune(i%3)), at, values, scores, nil)
		y, ty := parts.Observe(string(rune(i%3)), at, values, again, nil)
		require.Equal(t, x, y)
		require.Equal(t, tx, ty)
		require.Equal(t, scores, again)
	}
	require.Equal(t, marshal(t, whole), marshal(t, parts))
}

func TestUnmarshalBinary(t *testing.T) {
	s, _ := learned(t, 2, flat)
	state := marshal(t, s.Detector)

	other := limits.New(limits.Config{Metrics: []string{"co2", "temperature"}, Threshold: limits.Normal})
	require.NoError(t, other.UnmarshalBinary(state))
	found, _ := other.Observe("101", s.at.Add(time.Minute), []float64{26, 26}, make([]limits.Score, 2), nil)
	require.Len(t, found, 1, "a metric that moved is known, a new one is not")
	assert.Equal(t, 1, found[0].Metric)

	before := marshal(t, other)
	f := func(data []byte, errContains string) {
		t.Helper()
		require.ErrorContains(t, other.UnmarshalBinary(data), errContains)
		require.Equal(t, before, marshal(t, other))
	}
	f(nil, "ends too early")
	f(state[:len(state)-1], "ends too early")
	f(append(state[:len(state):len(state)], 0), "goes on for 1 bytes")
	f([]byte("\x0apercentile\x01"), `it is a state of "percentile", want "limits"`)
	f([]byte("\x06limits\x63"), "it has version 99, want version 3")
}

// One person where there never was any is no news if that is the resolution.
func TestLeastScale(t *testing.T) {
	for least, want := range map[float64]int{0: 1, 2: 0} {
		d := limits.New(limits.Config{Metrics: []string{"occupancy"}, Threshold: limits.Normal, Least: []float64{least}})
		reported := 0
		var scores [1]limits.Score
		for i := range 5000 {
			v := 0.0
			if i == 4500 {
				v = 1
			}
			found, _ := d.Observe("101", start.Add(time.Duration(i)*time.Minute), []float64{v}, scores[:], nil)
			reported += len(reports(found))
		}
		assert.Equal(t, want, reported, "least scale %v", least)
	}
	for _, c := range []limits.Config{
		{Metrics: []string{"a", "b"}, Threshold: 1, Least: []float64{1}},
		{Metrics: []string{"a"}, Threshold: 1, Least: []float64{-1}},
		{Metrics: []string{"a"}, Threshold: 1, Least: []float64{math.NaN()}},
	} {
		assert.Error(t, c.Validate())
	}
}

// Where one day is unlike another, the next may go as far again.
func TestDaysThatDiffer(t *testing.T) {
	f := func(peak func(day int) float64) *sensor {
		t.Helper()
		s, rng := newSensor(), rand.New(rand.NewPCG(5, 6))
		for i := range 9 * 1440 {
			v := noise(rng)
			if m := i % 1440; m >= 720 && m < 740 {
				v += peak(i / 1440)
			}
			s.see(v)
		}
		return s
	}

	alike := f(func(int) float64 { return 20 })
	assert.Len(t, alike.see(45), 1, "five past what every day has")
	differ := func() *sensor {
		return f(func(day int) float64 { return [...]float64{20, 4, 3, 20, 5, 3, 4, 20, 5}[day] })
	}
	assert.Empty(t, differ().see(45), "five past what days reach that lie up to 15 apart")
	assert.Len(t, differ().see(60), 1)
}
