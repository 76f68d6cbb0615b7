package isolationforest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/calibrate"
	"buildmon/internal/evaluate"
	"buildmon/internal/iforest"
	"buildmon/internal/limits"
)

// Faults of one metric in the readings of a real office that are found at one false
// alarm in a hundred clean readings: how often the metric that is named, where a fault
// is most unusual, is that at fault. The forest alone names the metric with the largest
// share. Beside the limits of threshold, what counts is who finds a reading rarer.
// plugins/all measures how many faults are found.
func TestNamesTheMetricsAtFault(t *testing.T) {
	dir := os.Getenv("BUILDMON_DATA")
	if dir == "" {
		t.Skip("set BUILDMON_DATA")
	}
	var alone, together tally
	for seed := 1; seed <= 5; seed++ {
		f, err := evaluate.ReadFaulty(filepath.Join(dir, "occupancy", fmt.Sprintf("faults_seed%d.csv.gz", seed)))
		require.NoError(t, err)
		m := monitor(t, `{ quantile: 0.9 }`) // a tenth of the readings is explained
		l := limits.New(limits.Config{Metrics: f.Metrics, Threshold: limits.Normal})
		scores := make([]limits.Score, len(f.Metrics))
		var past, stuck, forest channel
		for i, row := range f.Rows {
			l.Observe("room", f.Times[i], row, scores, nil)
			past.add(top(scores, func(s limits.Score) float64 { return s.Past }))
			stuck.add(top(scores, func(s limits.Score) float64 { return s.Stuck }))
			v := m.Observe("room", nil, f.Times[i], row)
			metric, _ := top(v.Reasons, func(r iforest.Reason) float64 { return r.Share })
			forest.add(metric, v.Score)
		}
		alone.count(f, &forest)
		together.count(f, &past, &stuck, &forest)
	}
	t.Log("forest alone: ", &alone)
	t.Log("with limits: ", &together)
	assert.GreaterOrEqual(t, together.share(), 0.6)
}

// channel is what one detector says of each row: a score, and the metric it would name,
// or −1.
type channel struct {
	scores  []float64
	metrics []int
}

func (c *channel) add(metric int, score float64) {
	c.scores, c.metrics = append(c.scores, score), append(c.metrics, metric)
}

// top is the index and the value of the largest, −1 and 0 if all are 0.
func top[T any](list []T, of func(T) float64) (int, float64) {
	at, most := -1, 0.0
	for i, v := range list {
		if of(v) > most {
			at, most = i, of(v)
		}
	}
	return at, most
}

// tally is how many faults were found and named, by kind.
type tally struct{ found, right map[string]int }

func (t *tally) String() string {
	return fmt.Sprintf("%.0f %% right, %v of %v", 100*t.share(), t.right, t.found)
}

func (t *tally) share() float64 {
	found, right := 0.0, 0.0
	for kind, n := range t.found {
		found, right = found+float64(n), right+float64(t.right[kind])
	}
	return right / found
}

func (t *tally) count(f *evaluate.Feed, channels ...*channel) {
	if t.found == nil {
		t.found, t.right = map[string]int{}, map[string]int{}
	}
	tails := make([]*calibrate.Tail, len(channels))
	for i := range tails {
		tails[i] = calibrate.NewTail(calibrate.DefaultSize)
	}
	combined, named := make([]float64, len(f.Rows)), make([]int, len(f.Rows))
	for row := range f.Rows {
		least := 1.0
		named[row] = -1
		for i, c := range channels {
			p := tails[i].Probability(c.scores[row])
			tails[i].Remember(c.scores[row])
			if p < least {
				least, named[row] = p, c.metrics[row]
			}
		}
		combined[row] = calibrate.Score(least)
	}
	threshold := evaluate.Detect(f, combined, evaluate.CleanRows, 0.01).Threshold
	for _, fault := range f.Faults {
		worst := fault.First
		for row := fault.First; row <= fault.Last; row++ {
			if combined[row] > combined[worst] {
				worst = row
			}
		}
		if len(fault.Metrics) == 1 && combined[worst] > threshold {
			t.found[fault.Kind]++
			if n := named[worst]; n >= 0 && f.Metrics[n] == fault.Metrics[0] {
				t.right[fault.Kind]++
			}
		}
	}
}

// monitor is a lane of a processor that judges the metrics of the office.
func monitor(t *testing.T, yaml string) *iforest.Monitor {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	cfg, err := (&judge{}).parse(conf)
	require.NoError(t, err)
	cfg.Scores = true
	m, err := iforest.NewMonitor(cfg)
	require.NoError(t, err)
	return m
}
