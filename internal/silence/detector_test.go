package silence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/silence"
)

var (
	monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	usual  = silence.Config{Intervals: 5, Least: 5 * time.Minute}
)

// later is when the readings come: long after all of them.
var later = monday.AddDate(1, 0, 0)

// spoken is a reading of a sensor on a floor.
type spoken struct {
	sensor, floor string
	at            time.Duration // since monday
}

func (s spoken) reading() *silence.Reading {
	return &silence.Reading{
		Sensor: s.sensor, Time: monday.Add(s.at), Group: []string{s.floor},
		Place: silence.Place{Building: "HQ", Floor: s.floor},
	}
}

// regular makes a sensor report at an interval in [from, to).
func regular(sensor, floor string, interval, from, to time.Duration) (all []spoken) {
	for at := from; at < to; at += interval {
		all = append(all, spoken{sensor, floor, at})
	}
	return all
}

func inOrder(feeds ...[]spoken) []spoken {
	all := slices.Concat(feeds...)
	slices.SortStableFunc(all, func(a, b spoken) int { return int(a.at - b.at) })
	return all
}

func observe(d *silence.Detector, feed []spoken) (found []silence.Finding) {
	for _, s := range feed {
		found = d.Observe(s.reading(), later, found)
	}
	return found
}

func say(found []silence.Finding) (said []string) {
	for _, f := range found {
		var names []string
		for _, s := range f.Sensors {
			names = append(names, fmt.Sprintf("%s@%s", s.Sensor, s.Last.Sub(monday)))
		}
		said = append(said, fmt.Sprint(f.Scope, f.Group, strings.Join(names, " ")))
	}
	return said
}

// floor is n sensors that report each ten seconds, one after the other.
func floor(name string, n int, from, to time.Duration) (all []spoken) {
	for i := range n {
		all = append(all, regular(fmt.Sprintf("%s-%d", name, i), name, 10*time.Second, from+time.Duration(i)*time.Second, to)...)
	}
	return all
}

const hour = time.Hour

func TestASensorIsSilentAfterFiveIntervals(t *testing.T) {
	for interval, silent := range map[time.Duration]time.Duration{
		10 * time.Second: 5 * time.Minute, // the least
		time.Minute:      5 * time.Minute,
		10 * time.Minute: 50 * time.Minute,
		hour:             5 * hour,
	} {
		d := silence.New(usual)
		last := 20 * interval
		feed := inOrder(regular("dead", "1", interval, 0, last+1), regular("alive", "1", 10*time.Second, 0, last+silent+hour), regular("well", "1", 10*time.Second, 0, last+silent+hour))
		var found []silence.Finding
		for _, s := range feed {
			before := len(found)
			if found = d.Observe(s.reading(), later, found); len(found) > before {
				// Two others have passed it then.
				require.InDelta(t, last+silent, s.at, float64(10*time.Second), interval.String())
			}
		}
		require.Equal(t, []string{fmt.Sprint(silence.Alone, []string(nil), "dead@", last)}, say(found), interval.String())
		require.Equal(t, interval, found[0].Sensors[0].Usual)
		require.Equal(t, silent, found[0].Sensors[0].Patience)
		require.Equal(t, 1, d.Silent())

		require.Empty(t, observe(d, regular("dead", "1", interval, last+silent+hour, last+silent+hour+1)))
		require.Zero(t, d.Silent(), "it is back")
	}
}

func TestConfiguredIntervals(t *testing.T) {
	d := silence.New(usual)
	var found []silence.Finding
	for _, s := range inOrder(regular("dead", "1", hour, 0, 1), floor("1", 2, 0, 2*hour)) {
		r := s.reading()
		if s.sensor == "dead" {
			r.Interval = 20 * time.Minute
		}
		found = d.Observe(r, later, found)
	}
	require.Len(t, found, 1, "it was judged from its first reading on")
	require.Equal(t, 100*time.Minute, found[0].Sensors[0].Patience)
}

func TestAFloorIsOneFinding(t *testing.T) {
	d := silence.New(usual)
	found := observe(d, inOrder(floor("1", 8, 0, hour), floor("2", 8, 0, 3*hour)))
	require.Len(t, found, 1)
	assert.Equal(t, silence.Group, found[0].Scope)
	assert.Equal(t, []string{"1"}, found[0].Group)
	assert.Len(t, found[0].Sensors, 8)
	assert.Equal(t, 8, d.Silent())
}

func TestSlowSensorsOfASilentFloorFollow(t *testing.T) {
	d := silence.New(usual)
	found := observe(d, inOrder(floor("1", 4, 0, 4*hour), regular("slow", "1", 10*time.Minute, 0, 4*hour), floor("2", 8, 0, 6*hour)))
	require.Equal(t, []silence.Scope{silence.Group, silence.Group}, []silence.Scope{found[0].Scope, found[1].Scope})
	require.Len(t, found[0].Sensors, 4)
	require.Len(t, found[1].Sensors, 1)
	require.Equal(t, "slow", found[1].Sensors[0].Sensor)
}

func TestSomeOfAFloorAreSeveral(t *testing.T) {
	d := silence.New(usual)
	found := observe(d, inOrder(floor("1", 8, 0, hour)[:3*360], floor("1", 8, 0, 3*hour)[3*1080:]))
	require.Len(t, found, 3)
	for _, f := range found {
		require.Equal(t, silence.Alone, f.Scope)
	}
}

// When all stops it is one finding, by the clock of the world, and when it goes on
// again without anybody having waited, the same ones are found.
func TestEverythingStops(t *testing.T) {
	feed := inOrder(floor("1", 6, 0, hour), floor("2", 6, 0, hour))
	d := silence.New(usual)
	require.Empty(t, observe(d, feed))
	now := later
	var found []silence.Finding
	for range 29 {
		now = now.Add(10 * time.Second)
		found = d.Tick(now, found)
	}
	require.Empty(t, found, "not yet five minutes")
	for range 10 {
		now = now.Add(10 * time.Second)
		found = d.Tick(now, found)
	}
	require.Len(t, found, 1)
	require.Equal(t, silence.Source, found[0].Scope)
	require.Len(t, found[0].Sensors, 12)
	require.Empty(t, observe(d, inOrder(floor("1", 6, 2*hour, 3*hour), floor("2", 6, 2*hour, 3*hour))))
	require.Zero(t, d.Silent())

	again := silence.New(usual)
	observe(again, feed)
	found = observe(again, inOrder(floor("1", 6, 2*hour, 3*hour), floor("2", 6, 2*hour, 3*hour)))
	var names []string
	for _, f := range found {
		require.Equal(t, silence.Source, f.Scope)
		for _, s := range f.Sensors {
			names = append(names, s.Sensor)
		}
	}
	slices.Sort(names)
	require.Len(t, slices.Compact(names), 12)
	require.LessOrEqual(t, len(found), 2, "the first to come back speaks for itself")
	require.Zero(t, again.Silent())
}

func TestWhoDoesNotComeBackWithTheOthersIsFoundAlone(t *testing.T) {
	d := silence.New(usual)
	found := observe(d, inOrder(floor("1", 8, 0, hour), floor("1", 7, 2*hour, 3*hour), floor("2", 8, 0, 3*hour)))
	require.Len(t, found, 2)
	require.Equal(t, silence.Group, found[0].Scope)
	require.Equal(t, silence.Alone, found[1].Scope)
	require.Equal(t, "1-7", found[1].Sensors[0].Sensor)
	require.Equal(t, 1, d.Silent())
}

// A sensor whose clock is wrong is itself well, and makes nobody else look silent.
func TestClocksThatAreWrong(t *testing.T) {
	for _, off := range []time.Duration{-2 * hour, 50 * time.Minute, -10 * time.Minute} {
		d := silence.New(usual)
		wrong := floor("3", 1, 0, 3*hour)
		for i := range wrong {
			wrong[i].at += off
		}
		var feed []spoken
		right := inOrder(floor("1", 4, 0, 3*hour), floor("2", 4, 0, 3*hour))
		for i, s := range right {
			if feed = append(feed, s); i%8 == 7 && i/8 < len(wrong) {
				feed = append(feed, wrong[i/8])
			}
		}
		require.Empty(t, say(observe(d, feed)), off.String())
	}
}

func TestAClockThatLeaps(t *testing.T) {
	d := silence.New(usual)
	feed := inOrder(floor("1", 4, 0, 2*hour), floor("2", 4, 0, 2*hour))
	feed = slices.Insert(feed, len(feed)/2, spoken{"1-0", "1", 10 * hour})
	for _, f := range observe(d, feed) {
		require.Len(t, f.Sensors, 1, "it says so of itself only")
		require.Equal(t, "1-0", f.Sensors[0].Sensor)
	}
}

// Doors are opened by day, at random, and never at night or at weekends.
func TestSensorsThatReportOnChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var doors []spoken
	for n := range 28 {
		if n%7 >= 5 {
			continue
		}
		for door := range 10 {
			at := time.Duration(n)*24*hour + 8*hour
			for at < time.Duration(n)*24*hour+18*hour {
				doors = append(doors, spoken{fmt.Sprint("door-", door), "1", at})
				at += time.Duration(rng.ExpFloat64() * float64(6*time.Minute))
			}
		}
	}
	d := silence.New(usual)
	found := observe(d, inOrder(doors, regular("a", "2", time.Minute, 0, 28*24*hour), regular("b", "2", time.Minute, 0, 28*24*hour)))
	require.Empty(t, say(found))
}

// A sensor that was often away is not away by habit.
func TestOutagesAreNoRhythm(t *testing.T) {
	d := silence.New(usual)
	var feed []spoken
	for n := range 10 {
		from := time.Duration(n) * 24 * hour
		feed = append(feed, regular("x", "1", time.Minute, from, from+22*hour)...)
	}
	found := observe(d, inOrder(feed, regular("a", "1", time.Minute, 0, 240*hour), regular("b", "1", time.Minute, 0, 240*hour)))
	require.Len(t, found, 10, "each night for two hours")
}

// A sensor that reported each hour, and has reported each minute for three times as
// long, is missed after minutes: nobody waits for the end of its old patience.
func TestPatienceIsLookedAtAgain(t *testing.T) {
	d := silence.New(usual)
	var at time.Duration
	var found []silence.Finding
	for _, s := range inOrder(regular("x", "1", hour, 0, 12*hour), regular("x", "1", time.Minute, 12*hour, 50*hour), floor("2", 2, 0, 60*hour)) {
		before := len(found)
		if found = d.Observe(s.reading(), later, found); len(found) > before {
			at = s.at
		}
	}
	require.Len(t, found, 1)
	require.InDelta(t, 50*hour+4*time.Minute, at, float64(time.Minute))
}

// Batches of ten minutes overtake one another, at random and from the start on.
func TestMessagesThatOvertakeOneAnother(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	feed := inOrder(floor("1", 4, 0, 6*hour), floor("2", 4, 0, 6*hour))
	batches := slices.Collect(slices.Chunk(feed, 8*60))
	for i := range len(batches) - 1 {
		if i < 2 || rng.IntN(4) == 0 {
			batches[i], batches[i+1] = batches[i+1], batches[i]
		}
	}
	require.Empty(t, say(observe(silence.New(usual), slices.Concat(batches...))))
}

func TestReadingsThatAreKnownChangeNothing(t *testing.T) {
	feed := inOrder(floor("1", 4, 0, hour), floor("2", 4, 0, 2*hour))
	d := silence.New(usual)
	require.Len(t, observe(d, feed), 1)
	require.Equal(t, 4, d.Silent())
	require.Empty(t, observe(d, feed))
	require.Equal(t, 4, d.Silent())
	for range 2 {
		require.Empty(t, observe(d, feed[:len(feed)/2]))
	}
}

func TestSensorsAreForgotten(t *testing.T) {
	d := silence.New(usual)
	found := observe(d, inOrder(floor("1", 4, 0, hour), regular("once", "1", hour, 0, 1), regular("a", "2", hour, 0, 40*24*hour), regular("b", "2", hour, 0, 40*24*hour)))
	require.Len(t, found, 1)
	require.Equal(t, 2, d.Sensors())
	require.Zero(t, d.Silent())
}

func TestConfigValidates(t *testing.T) {
	f := func(c silence.Config, want string) {
		t.Helper()
		require.EqualError(t, c.Validate(), want)
	}
	f(silence.Config{Intervals: 1.9, Least: 1}, "intervals must be 2 to 1000, got 1.9")
	f(silence.Config{Intervals: 1001, Least: 1}, "intervals must be 2 to 1000, got 1001")
	f(silence.Config{Intervals: 5}, "least must be positive, got 0s")
}

// A source that comes back after so long that its sensors are forgotten meets them anew,
// the one that says how late it is included.
func TestASourceComesBackAfterItsSensorsAreForgotten(t *testing.T) {
	for _, told := range []bool{false, true} {
		d := silence.New(usual)
		observe(d, inOrder(floor("1", 3, 0, hour)))
		if told {
			require.Len(t, d.Tick(later.Add(10*time.Minute), nil), 1)
			require.Equal(t, 3, d.Silent())
		}
		back := silence.ForgetAfter + 2*hour
		observe(d, inOrder(floor("1", 3, back, back+hour)))
		require.Equal(t, 3, d.Sensors())
		require.Zero(t, d.Silent())

		state, err := d.AppendBinary(nil)
		require.NoError(t, err)
		require.NoError(t, silence.New(usual).UnmarshalBinary(state))
	}
}

// What is known of one gap fades until nothing is left of it, and the state of such a
// sensor is read back.
func TestAGapThatFades(t *testing.T) {
	d := silence.New(usual)
	for _, s := range append(regular("a", "1", time.Microsecond, 0, 2*time.Microsecond), regular("a", "1", hour, hour, 1000*24*hour)...) {
		d.Observe(s.reading(), s.reading().Time, nil)
	}
	state, err := d.AppendBinary(nil)
	require.NoError(t, err)
	require.NoError(t, silence.New(usual).UnmarshalBinary(state))
}
