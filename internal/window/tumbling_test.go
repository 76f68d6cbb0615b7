package window_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// config is a valid one: windows of 30 s per building and floor, and no
// lateness.
func config() window.Config {
	return window.Config{
		Spec: window.Spec{
			Size: 30 * time.Second, GroupBy: []string{"building", "floor"},
			Metrics: []string{"temperature", "co2"},
		},
		Idle: time.Minute, Late: window.Update, Memory: 1000,
	}
}

func tumbling(t testing.TB, change func(*window.Config)) *window.Tumbling {
	t.Helper()
	cfg := config()
	if change != nil {
		change(&cfg)
	}
	w, err := window.NewTumbling(cfg)
	require.NoError(t, err)
	return w
}

// noon is a processing time; event times have nothing to do with it.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func TestConfig(t *testing.T) {
	f := func(errContains string, change func(*window.Config)) {
		t.Helper()
		cfg := config()
		change(&cfg)
		_, err := window.NewTumbling(cfg)
		if errContains == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, errContains)
	}

	f("", func(*window.Config) {})
	f("", func(c *window.Config) { c.Spec.GroupBy = nil })
	f("window size must be positive, got 0s", func(c *window.Config) { c.Spec.Size = 0 })
	f("window size must be whole microseconds, got 1.5µs", func(c *window.Config) { c.Spec.Size = 1500 })
	f("allowed lateness must not be negative, got -1s", func(c *window.Config) { c.Lateness = -time.Second })
	f("idle timeout must be positive, got 0s", func(c *window.Config) { c.Idle = 0 })
	f(`unknown late policy "keep", want update or drop`, func(c *window.Config) { c.Late = "keep" })
	f("remembered readings must be positive, got 0", func(c *window.Config) { c.Memory = 0 })
	f("metrics to summarize must not be empty", func(c *window.Config) { c.Spec.Metrics = nil })
	f("metric 2 of 2 must not be empty", func(c *window.Config) { c.Spec.Metrics = []string{"co2", ""} })
	f(`metric "co2" is named twice`, func(c *window.Config) { c.Spec.Metrics = []string{"co2", "co2"} })
	f(`label to group by "floor" is named twice`, func(c *window.Config) { c.Spec.GroupBy = []string{"floor", "building", "floor"} })
}

func TestTumblingAlignsToTheEpoch(t *testing.T) {
	// f checks the start of the window of an instant, both in seconds.
	f := func(size time.Duration, at, want float64) {
		t.Helper()
		w := tumbling(t, func(c *window.Config) { c.Spec.Size = size })
		r := &reading.Reading{SensorID: "a", Time: time.UnixMicro(int64(at * 1e6)).UTC(), Values: reading.Absent()}
		pane := w.Add(window.Source{}, []*reading.Reading{r}, noon).Rows[0].Pane
		require.Equal(t, time.UnixMicro(int64(want*1e6)).UTC(), pane.Start)
		require.Equal(t, pane.Start.Add(size), pane.End)
		require.Equal(t, size, pane.Size)
	}

	f(30*time.Second, 0, 0)
	f(30*time.Second, 29.999999, 0)
	f(30*time.Second, 30, 30) // a boundary belongs to the later window
	f(30*time.Second, -0.000001, -30)
	f(30*time.Second, -30, -30)
	f(30*time.Second, -30.000001, -60)
	f(time.Microsecond, 1.5, 1.5)

	// 7 m and 7 h do not divide a day, and the zero time of Go lies no whole
	// number of them before the epoch. By hand: 1767605400 s is
	// 2026-01-05T09:30:00Z; 1767605400 = 4208584·420 + 120 = 70143·25200 + 1800.
	f(7*time.Minute, 1767605400, 1767605280)
	f(7*time.Hour, 1767605400, 1767603600)
}

func TestTumblingGroups(t *testing.T) {
	group := func(building, floor string) *reading.Reading {
		r := at("a", 1, 20)
		r.Building, r.Floor, r.SensorID = building, floor, building+"/"+floor
		return r
	}
	readings := []*reading.Reading{
		group("AB", "C"), group("A", "BC"), group("", "ABC"), group("ABC", ""), group("AB", "C"), group("", ""),
	}

	var groups [][]string
	for _, row := range tumbling(t, nil).Add(window.Source{}, readings, noon).Rows {
		groups = append(groups, row.Pane.Group)
	}
	require.Equal(t, [][]string{{"AB", "C"}, {"A", "BC"}, {"", "ABC"}, {"ABC", ""}, {"", ""}}, groups)

	one := tumbling(t, func(c *window.Config) { c.Spec.GroupBy = nil }).Add(window.Source{}, readings, noon).Rows
	require.Len(t, one, 1)
	require.Equal(t, int64(6), one[0].Pane.Count)
	require.Equal(t, int64(5), one[0].Count, "a reading that comes twice counts once")
}

func TestTumblingCarriesProgress(t *testing.T) {
	w := tumbling(t, func(c *window.Config) { c.Lateness = 10 * time.Second })
	f := func(seconds, watermark int64) {
		t.Helper()
		for _, row := range w.Add(window.Source{Name: "sensors/3"}, []*reading.Reading{at("a", seconds, 20)}, noon).Rows {
			require.Equal(t, "sensors/3", row.Pane.Source)
			require.Equal(t, time.Unix(watermark, 0).UTC(), row.Pane.Watermark)
			require.Equal(t, time.Minute, row.Pane.Idle)
		}
	}

	f(100, 90)
	f(130, 120)
	f(40, 120) // it never moves backwards
	f(131, 121)
}

// A source that comes back was elsewhere meanwhile; its watermark starts anew,
// so readings that another process took for late, or not, are judged again.
func TestTumblingEpoch(t *testing.T) {
	w := tumbling(t, func(c *window.Config) { c.Late = window.Drop })
	add := func(epoch string, seconds int64) window.Result {
		return w.Add(window.Source{Name: "sensors/0", Epoch: epoch}, []*reading.Reading{at("a", seconds, 20)}, noon)
	}

	require.Zero(t, add("1", 100).Late)
	require.Equal(t, 1, add("1", 10).Late)
	back := add("2", 10)
	require.Zero(t, back.Late)
	require.True(t, back.Rows[0].Partial)
	require.Equal(t, time.Unix(10, 0).UTC(), back.Rows[0].Pane.Watermark)
}

// What a batch gave is not changed by later ones, and the empty batch changes
// nothing.
func TestTumblingResultsAreKept(t *testing.T) {
	w := tumbling(t, nil)
	first := w.Add(window.Source{}, []*reading.Reading{at("a", 1, 20), at("b", 2, 22)}, noon).Rows[0]
	require.Equal(t, window.Result{}, w.Add(window.Source{}, nil, noon))
	second := w.Add(window.Source{}, []*reading.Reading{at("c", 3, 30)}, noon).Rows[0]

	require.Equal(t, []window.Stats{{Count: 2, Sum: 42, Min: 20, Max: 22}, {}}, first.Stats)
	require.Equal(t, first.Stats, first.Pane.Stats)
	require.Len(t, first.Pane.Members, 2)
	require.Equal(t, []window.Stats{{Count: 3, Sum: 72, Min: 20, Max: 30}, {}}, second.Stats)
	require.Equal(t, []window.Stats{{Count: 1, Sum: 30, Min: 30, Max: 30}, {}}, second.Pane.Stats)
}

func TestTumblingMemory(t *testing.T) {
	w := tumbling(t, func(c *window.Config) { c.Memory = 100; c.Lateness = time.Hour })
	forgotten := 0
	for i := range int64(1000) {
		res := w.Add(window.Source{}, []*reading.Reading{at("a", i, 20)}, noon)
		rows := res.Rows
		forgotten += res.Forgotten
		require.Len(t, rows, 1)
		require.Equal(t, i%30+1, rows[0].Count, "open windows that are in use are not forgotten")
		require.LessOrEqual(t, w.Remembered(), 101)
		require.LessOrEqual(t, w.Open(), 5)
	}

	require.Equal(t, 34, forgotten+w.Open(), "no window goes unnoticed")

	// A window that was forgotten starts again, and says so.
	rows := w.Add(window.Source{}, []*reading.Reading{at("b", 700, 20)}, noon).Rows
	require.Equal(t, int64(1), rows[0].Count)
	require.True(t, rows[0].Partial)

	// A batch is never cut: all of its windows are there while it is handled.
	var big []*reading.Reading
	for i := range int64(500) {
		big = append(big, at("c", 2000+i, 20))
	}
	require.Len(t, w.Add(window.Source{}, big, noon).Rows, 18) // 66·30 = 1980 to 83·30 = 2490
}

// A source that sends old readings only, long after it showed a new one, must
// not fill the memory with windows that nobody closes.
func TestTumblingForgetsWhatIsLate(t *testing.T) {
	w := tumbling(t, nil)
	w.Add(window.Source{}, []*reading.Reading{at("a", 900_000, 20)}, noon)
	w.Add(window.Source{}, []*reading.Reading{at("a", 1_000_000, 20)}, noon)
	for i := range int64(500) {
		res := w.Add(window.Source{}, []*reading.Reading{at("a", i*30, 20)}, noon)
		require.Equal(t, 1, res.Late)
		require.Len(t, res.Rows, 1)
		require.True(t, res.Rows[0].Partial)
	}
	require.Equal(t, 1, w.Open())
	require.LessOrEqual(t, w.Remembered(), 2)
}

// A source that goes silent may have made windows final; they are not held for
// its sake.
func TestTumblingForgetsForIdleSources(t *testing.T) {
	w := tumbling(t, nil)
	add := func(source string, seconds int64, after time.Duration) {
		w.Add(window.Source{Name: source}, []*reading.Reading{at(source, seconds, 20)}, noon.Add(after))
	}

	add("p1", 0, 0)
	add("p1", 40, 0)
	add("p0", 40, 0)
	require.Equal(t, 3, w.Remembered())
	for i := range int64(5) {
		add("p1", 70+30*i, time.Duration(i+1)*time.Minute)
	}
	require.Equal(t, 2, w.Remembered(), "the window that is open, and the one that the last batch made final")
}
