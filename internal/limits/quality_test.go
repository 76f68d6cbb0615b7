package limits_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/evaluate"
	"buildmon/internal/limits"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// data is a folder of public data sets, or skips the test. Settings are the same
// for all of them.
func data(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("BUILDMON_DATA")
	if dir == "" {
		t.Skip("set BUILDMON_DATA")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// reports are the findings that begin an event or make it worse.
func reports(found []limits.Finding) []limits.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f limits.Finding) bool { return f.Continues })
}

// judged are the scores of the rows of a feed, and the rows that are reported.
type judged struct {
	past, stuck, row []float64
	reported, alert  int // rows after the warm-up: with a report, and with any finding
}

// least are the least scales that the processor has by default.
func least(names []string) []float64 {
	scales := map[string]float64{"temperature": 0.5, "humidity": 2, "co2": 75, "occupancy": 3}
	list := make([]float64, len(names))
	for i, name := range names {
		list[i] = scales[name]
	}
	return list
}

// warm is how many rows are not counted as false alarms: half a day of minutes.
const warm = 720

func judge(f *evaluate.Feed) judged {
	names := f.Metrics
	if names == nil {
		names = make([]string, len(f.Rows[0]))
	}
	d := limits.New(limits.Config{Metrics: names, Threshold: limits.Normal, Least: least(names)})
	var j judged
	scores := make([]limits.Score, len(names))
	for i, row := range f.Rows {
		found, _ := d.Observe("room", f.Times[i], row, scores, nil)
		if len(reports(found)) > 0 && i >= warm {
			j.reported++
		}
		if len(found) > 0 && i >= warm {
			j.alert++
		}
		var past, stuck float64
		for _, s := range scores {
			past, stuck = max(past, s.Past), max(stuck, s.Stuck)
		}
		j.past, j.stuck, j.row = append(j.past, past), append(j.stuck, stuck), append(j.row, max(past, stuck))
	}
	return j
}

func TestNumentaBenchmark(t *testing.T) {
	streams, err := evaluate.ReadNAB(data(t, "nab"))
	require.NoError(t, err)
	scores := make([][]float64, len(streams))
	for i, s := range streams {
		f := &evaluate.Feed{Metrics: []string{"value"}, Times: s.Times}
		for _, v := range s.Values {
			f.Rows = append(f.Rows, []float64{v})
		}
		scores[i] = judge(f).row
	}
	t.Log("profile               score  threshold  found   false rows  score at the default threshold")
	for _, bar := range []struct {
		evaluate.Profile
		least, atDefault float64
	}{{evaluate.Standard, 68, 58}, {evaluate.LowFP, 58, 48}, {evaluate.LowFN, 72, 62}} {
		best := evaluate.ScoreNAB(streams, scores, bar.Profile, math.NaN())
		usual := evaluate.ScoreNAB(streams, scores, bar.Profile, limits.Normal/(1+limits.Normal))
		t.Logf("%-20s  %5.1f  %9.3f  %2d/%d   %10d  %5.1f", bar.Name, best.Score, best.Threshold, best.Found, best.Windows, best.FalseRows, usual.Score)
		assert.GreaterOrEqual(t, best.Score, bar.least, bar.Name)
		assert.GreaterOrEqual(t, usual.Score, bar.atDefault, bar.Name)
	}
}

func TestRealRoomIsQuiet(t *testing.T) {
	for _, name := range []string{"datatraining.txt", "datatest.txt"} {
		f, err := evaluate.ReadOffice(data(t, "occupancy", name))
		require.NoError(t, err)
		j := judge(f)
		share := float64(j.reported) / float64(len(f.Rows)-warm)
		alert := float64(j.alert) / float64(len(f.Rows)-warm)
		t.Logf("%s: %d of %d readings reported, %.2f %%; %d in events, %.2f %%", name, j.reported, len(f.Rows)-warm, 100*share, j.alert, 100*alert)
		assert.LessOrEqual(t, share, 0.003)
		assert.LessOrEqual(t, alert, 0.003)
	}
}

// Ten days of healthy simulated buildings, each of them after the first three, also the
// first weekend and the first work day after it.
func TestHealthyBuildingsAreQuiet(t *testing.T) {
	for _, interval := range []time.Duration{time.Minute, 5 * time.Minute} {
		const days = 10
		s, err := simulate.New(simulate.Config{
			Seed: 2, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC,
			Start: start, End: start.AddDate(0, 0, days), Interval: interval,
		})
		require.NoError(t, err)
		d := limits.New(limits.Config{Metrics: reading.MetricNames(), Threshold: limits.Normal, Least: least(reading.MetricNames())})
		var e simulate.Event
		var all, alert, reported [days]int
		scores := make([]limits.Score, reading.NumMetrics)
		for s.Next(&e) {
			found, _ := d.Observe(e.Reading.SensorID, e.Reading.Time, e.Reading.Values[:], scores, nil)
			day := int(e.Reading.Time.Sub(start) / (24 * time.Hour))
			all[day]++
			if len(found) > 0 {
				alert[day]++
			}
			if len(reports(found)) > 0 {
				reported[day]++
			}
		}
		t.Logf("every %s: reported on each day %v, in events %v, of %d", interval, reported, alert, all[0])
		for day := 3; day < days; day++ {
			assert.LessOrEqual(t, float64(reported[day]), 0.001*float64(all[day]), "every %s, day %d", interval, day+1)
			assert.LessOrEqual(t, float64(alert[day]), 0.0015*float64(all[day]), "every %s, day %d", interval, day+1)
		}
	}
}

// feeds are feeds with known faults: some that come as files, and some of our
// own.
func feeds(t *testing.T) []*evaluate.Feed {
	t.Helper()
	var all []*evaluate.Feed
	for seed := 1; seed <= 5; seed++ {
		f, err := evaluate.ReadFaulty(data(t, "occupancy", fmt.Sprintf("faults_seed%d.csv.gz", seed)))
		require.NoError(t, err)
		all = append(all, f)
	}
	office, err := evaluate.ReadOffice(data(t, "occupancy", "datatest.txt"), data(t, "occupancy", "datatraining.txt"))
	require.NoError(t, err)
	for seed := range uint64(5) {
		all = append(all, evaluate.Inject(office, 1000+seed))
	}
	return all
}

func TestFaultsAreFound(t *testing.T) {
	channels := []struct {
		name   string
		of     func(j judged) []float64
		a, b   evaluate.Detections // at 1 % and at 0.1 % false rows
		auc    float64
		la, lb float64 // least shares
	}{
		{name: "limits", of: func(j judged) []float64 { return j.past }},
		{name: "stuck", of: func(j judged) []float64 { return j.stuck }},
		{name: "both, the larger", of: func(j judged) []float64 { return j.row }, la: 0.52, lb: 0.3},
		{name: "both, calibrated", of: func(j judged) []float64 { return evaluate.Combine(j.past, j.stuck) }},
	}
	all := feeds(t)
	for _, f := range all {
		j := judge(f)
		for i := range channels {
			c := &channels[i]
			scores := c.of(j)
			c.a.Add(evaluate.Detect(f, scores, evaluate.CleanRows, 0.01))
			c.b.Add(evaluate.Detect(f, scores, evaluate.CleanRows, 0.001))
			c.auc += evaluate.AUC(scores[evaluate.CleanRows:], f.Faulty()[evaluate.CleanRows:]) / float64(len(all))
		}
	}
	for i := range channels {
		c := &channels[i]
		t.Logf("%-18s %3.0f %% of faults at 1 %% false rows, %3.0f %% at 0.1 %%, AUC %.3f", c.name, 100*c.a.Share(), 100*c.b.Share(), c.auc)
		for _, kind := range evaluate.FaultKinds {
			t.Logf("    %-10s %3d and %3d of %d", kind, c.a.Found[kind], c.b.Found[kind], c.a.Of[kind])
		}
		assert.GreaterOrEqual(t, c.a.Share(), c.la, c.name)
		assert.GreaterOrEqual(t, c.b.Share(), c.lb, c.name)
	}
}

func TestSkoltechBenchmark(t *testing.T) {
	paths, err := filepath.Glob(data(t, "skab", "valve1", "*.csv"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	const learned = 400 // rows, as on its leaderboard
	sum := 0.0
	for _, path := range paths {
		f, err := evaluate.ReadSKAB(path)
		require.NoError(t, err)
		sum += evaluate.AUC(judge(f).row[learned:], f.Faulty()[learned:])
	}
	t.Logf("mean AUC of %d files: %.3f", len(paths), sum/float64(len(paths)))
	assert.GreaterOrEqual(t, sum/float64(len(paths)), 0.72)
}
