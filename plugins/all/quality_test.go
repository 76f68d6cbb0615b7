package all_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/calibrate"
	"buildmon/internal/evaluate"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// detectors are the components that judge single readings. What they find together,
// each with its default settings, is measured here by what a pipeline says of each
// reading; each engine has bars of its own.
var detectors = []string{"threshold", "spike_detector", "isolation_forest"}

// verdict is what was said of a reading.
type verdict struct {
	scores   map[string]float64 // by detector
	reported []string           // detectors that reported it, or that it belongs to an event
	found    map[string]float64 // largest anomaly_score by detector, of what was reported anew
}

// judge runs readings through all detectors in one pipeline. They judge the given
// metrics; forest is further fields of the forest.
func judge(t *testing.T, metrics []string, forest string, readings [][]byte) []verdict {
	t.Helper()
	b := service.NewStreamBuilder()
	require.NoError(t, b.SetLoggerYAML("level: NONE"))
	b.SetThreads(1)
	for _, d := range detectors {
		fields := "emit_scores: true"
		if d != "spike_detector" { // which has steps for well-known metrics
			fields += fmt.Sprintf(`, metrics: [ "%s" ]`, strings.Join(metrics, `", "`))
		}
		if d == "isolation_forest" {
			fields += forest
		}
		require.NoError(t, b.AddProcessorYAML(d+": { "+fields+" }"))
	}
	send, err := b.AddBatchProducerFunc()
	require.NoError(t, err)
	verdicts := make([]verdict, 0, len(readings))
	require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		first := len(verdicts)
		index := map[string]int{} // sensor and time
		for _, msg := range batch {
			kind, derived := msg.MetaGet("buildmon_kind")
			raw, err := msg.AsBytes()
			if err != nil {
				return err
			}
			var r struct {
				SensorID  string `json:"sensor_id"`
				Timestamp string
				Detector  string
				Score     float64 `json:"anomaly_score"`
			}
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			// A reading that is refused, such as one of −12 ppm, has no scores.
			if !derived || kind == "dead_letter" {
				v := verdict{scores: map[string]float64{}, found: map[string]float64{}}
				for _, d := range detectors {
					v.scores[d], _ = metaFloat(msg, "buildmon_"+d+"_score")
				}
				index[r.SensorID+r.Timestamp] = len(verdicts)
				verdicts = append(verdicts, v)
				continue
			}
			i, ok := index[r.SensorID+r.Timestamp]
			if !ok || i < first {
				return fmt.Errorf("%s of no reading: %s", kind, raw)
			}
			verdicts[i].reported = append(verdicts[i].reported, r.Detector)
			if kind == "anomaly" {
				verdicts[i].found[r.Detector] = max(verdicts[i].found[r.Detector], r.Score)
			}
		}
		return nil
	}))
	stream, err := b.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(t.Context()) }()
	const size = 500
	for i := 0; i < len(readings); i += size {
		var batch service.MessageBatch
		for _, raw := range readings[i:min(i+size, len(readings))] {
			batch = append(batch, service.NewMessage(raw))
		}
		require.NoError(t, send(t.Context(), batch))
	}
	require.NoError(t, stream.StopWithin(5*time.Minute))
	<-ended
	require.Len(t, verdicts, len(readings))
	return verdicts
}

func metaFloat(msg *service.Message, key string) (float64, bool) {
	v, ok := msg.MetaGetMut(key)
	f, isFloat := v.(float64)
	return f, ok && isFloat
}

// messages are the readings of a feed, from a sensor in an office.
func messages(f *evaluate.Feed, metrics []string) [][]byte {
	out := make([][]byte, len(f.Rows))
	for i, row := range f.Rows {
		b := fmt.Appendf(nil, `{"sensor_id":"room","room_type":"Office","timestamp":%q`, f.Times[i].Format(time.RFC3339))
		for m, v := range row {
			b = fmt.Appendf(b, ",%q:%v", metrics[m], v)
		}
		out[i] = append(b, '}')
	}
	return out
}

// column is the scores of one detector.
func column(verdicts []verdict, detector string) []float64 {
	scores := make([]float64, len(verdicts))
	for i, v := range verdicts {
		scores[i] = v.scores[detector]
	}
	return scores
}

func data(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("BUILDMON_DATA")
	if dir == "" {
		t.Skip("set BUILDMON_DATA")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// Faults in the readings of a real office: what is found at one false alarm in a
// hundred clean readings, and in a thousand.
func TestFaultsAreFoundTogether(t *testing.T) {
	var feeds []*evaluate.Feed
	for seed := 1; seed <= 5; seed++ {
		f, err := evaluate.ReadFaulty(data(t, "occupancy", fmt.Sprintf("faults_seed%d.csv.gz", seed)))
		require.NoError(t, err)
		feeds = append(feeds, f)
	}
	office, err := evaluate.ReadOffice(data(t, "occupancy", "datatest.txt"), data(t, "occupancy", "datatraining.txt"))
	require.NoError(t, err)
	if !testing.Short() {
		for seed := range uint64(3) {
			feeds = append(feeds, evaluate.Inject(office, 2000+seed))
		}
	}
	type channel struct {
		name       string
		one, tenth evaluate.Detections
		auc        float64
	}
	channels := []*channel{{name: "threshold"}, {name: "spike_detector"}, {name: "isolation_forest"}, {name: "together"}}
	for _, f := range feeds {
		verdicts := judge(t, f.Metrics, "", messages(f, f.Metrics))
		var all [][]float64
		for _, d := range detectors {
			all = append(all, column(verdicts, d))
		}
		all = append(all, evaluate.Combine(all...))
		for i, c := range channels {
			c.one.Add(evaluate.Detect(f, all[i], evaluate.CleanRows, 0.01))
			c.tenth.Add(evaluate.Detect(f, all[i], evaluate.CleanRows, 0.001))
			c.auc += evaluate.AUC(all[i][evaluate.CleanRows:], f.Faulty()[evaluate.CleanRows:]) / float64(len(feeds))
		}
	}
	head := fmt.Sprintf("%-16s %5s %5s %5s", "", "1 %", "0.1 %", "AUC")
	for _, kind := range evaluate.FaultKinds {
		head += fmt.Sprintf(" %9s", kind)
	}
	t.Log(head)
	for _, c := range channels {
		line := fmt.Sprintf("%-16s %3.0f %% %3.0f %% %.3f", c.name, 100*c.one.Share(), 100*c.tenth.Share(), c.auc)
		for _, kind := range evaluate.FaultKinds {
			line += fmt.Sprintf(" %9s", fmt.Sprintf("%d/%d", c.one.Found[kind], c.one.Of[kind]))
		}
		t.Log(line)
	}
	assert.GreaterOrEqual(t, channels[2].one.Share(), 0.2)
	assert.GreaterOrEqual(t, channels[3].one.Share(), 0.6)
}

// A real office that nobody put faults into.
func TestRealRoomIsQuiet(t *testing.T) {
	const warm = 720 // rows, half a day
	for _, name := range []string{"datatraining.txt", "datatest.txt"} {
		f, err := evaluate.ReadOffice(data(t, "occupancy", name))
		require.NoError(t, err)
		any, _ := quiet(t, name, judge(t, f.Metrics, "", messages(f, f.Metrics))[warm:])
		assert.LessOrEqual(t, any, 0.005)
	}
}

// quiet is the share of readings in alert, and that of those in alert by the forest.
func quiet(t *testing.T, name string, verdicts []verdict) (any, forest float64) {
	t.Helper()
	n, by := float64(len(verdicts)), map[string]int{}
	for _, v := range verdicts {
		if len(v.reported) > 0 {
			any += 1 / n
		}
		for _, d := range v.reported {
			by[d]++
		}
	}
	t.Logf("%s: %.3f %% of %d readings in alert: %v", name, 100*any, len(verdicts), by)
	return any, float64(by["isolation_forest"]) / n
}

// Four simulated buildings without faults: each day after the first three, which are
// warm-up, also the first weekend and the work days after it.
func TestHealthyBuildingsAreQuiet(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	const warmUp, days = 3, 10
	var of [days][]verdict
	for seed := range uint64(4) {
		s, err := simulate.New(simulate.Config{
			Seed: 1 + seed, Buildings: 1, Floors: 1, RoomsPerFloor: 6, Location: time.UTC,
			Start: start, End: start.AddDate(0, 0, days), Interval: time.Minute,
		})
		require.NoError(t, err)
		var e simulate.Event
		var readings [][]byte
		var day []int
		for s.Next(&e) {
			readings = append(readings, e.Reading.AppendJSON(nil))
			day = append(day, int(e.Reading.Time.Sub(start)/(24*time.Hour)))
		}
		for i, v := range judge(t, reading.MetricNames(), "", readings) {
			of[day[i]] = append(of[day[i]], v)
		}
	}
	for day, verdicts := range of {
		all, forest := quiet(t, fmt.Sprint("day ", day+1), verdicts)
		if day >= warmUp {
			assert.LessOrEqual(t, all, 0.001)
			assert.LessOrEqual(t, forest, 0.0005)
		}
	}
}

// All detectors have one scale: of readings a share p has an anomaly_score from
// calibrate.Score(p) on, whoever gives it, as far as a detector reports as often.
func TestScoresOfDetectorsCanBeCompared(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 1, Floors: 6, RoomsPerFloor: 6, Location: time.UTC,
		Start: start, End: start.AddDate(0, 0, 8), Interval: 5 * time.Minute, FaultShare: 0.05, FaultKinds: simulate.Faults(),
	})
	require.NoError(t, err)
	var e simulate.Event
	var readings [][]byte
	for s.Next(&e) {
		readings = append(readings, e.Reading.AppendJSON(nil))
	}
	n := len(readings)
	verdicts := judge(t, reading.MetricNames(), ", quantile: 0.99", readings)[n/2:] // after the warm-up of all
	for _, d := range detectors {
		above := func(score float64) (count int) {
			for _, v := range verdicts {
				if found, ok := v.found[d]; ok && found >= score {
					count++
				}
			}
			return count
		}
		all := above(0)
		for _, p := range []float64{1e-3, 3e-4, 1e-4, 3e-5} {
			got, want := above(calibrate.Score(p)), p*float64(n/2)
			t.Logf("%s: %d of %d readings from %.2f on, want %.0f of %d reported", d, got, n/2, calibrate.Score(p), min(want, float64(all)), all)
			assert.Less(t, float64(got), 3*want+3, "%s at %v", d, p)
			if want < float64(all)/2 {
				assert.Greater(t, float64(got), want/3-3, "%s at %v", d, p)
			}
		}
	}
}

// The Skoltech Anomaly Benchmark: a pump with eight sensors, a reading a second. Its
// leaderboard learns from the first 400 rows of a file; the isolation forest of
// scikit-learn has a mean AUC of 0.741 there.
func TestSkoltechBenchmark(t *testing.T) {
	paths, err := filepath.Glob(data(t, "skab", "valve1", "*.csv"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	const learned = 400
	const machine = ", features: [ value ], min_samples: 400" // as pipelines/score_columns.yaml has it
	sum := map[string]float64{}
	for _, path := range paths {
		f, err := evaluate.ReadSKAB(path)
		require.NoError(t, err)
		metrics := make([]string, len(f.Rows[0]))
		for i := range metrics {
			metrics[i] = fmt.Sprint("m", i)
		}
		verdicts := judge(t, metrics, machine, messages(f, metrics))
		var all [][]float64
		for _, d := range detectors {
			all = append(all, column(verdicts, d))
			sum[d] += evaluate.AUC(all[len(all)-1][learned:], f.Faulty()[learned:]) / float64(len(paths))
		}
		sum["together"] += evaluate.AUC(evaluate.Combine(all...)[learned:], f.Faulty()[learned:]) / float64(len(paths))
	}
	t.Logf("mean AUC of %d files: %v", len(paths), sum)
	assert.Greater(t, sum["isolation_forest"], 0.741)
}
