package isolationforest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/testdetect"
)

func TestConfig(t *testing.T) {
	f := func(yaml, errContains string) {
		t.Helper()
		lints, err := service.GlobalEnvironment().NewComponentConfigLinter().
			LintProcessorYAML([]byte("isolation_forest:\n  " + strings.ReplaceAll(yaml, "\n", "\n  ")))
		require.NoError(t, err)
		conf, err := spec().ParseYAML(yaml, nil)
		require.NoError(t, err)
		_, err = Step.Processor(conf, service.MockResources())
		if errContains == "" {
			assert.Empty(t, lints)
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, errContains)
		// The linter refuses it too, in its own words.
		if !strings.HasPrefix(errContains, "state cache") {
			field, _, _ := strings.Cut(errContains, " ")
			require.NotEmpty(t, lints, "not linted: %s", yaml)
			require.ErrorContains(t, lints[0], field)
		}
	}

	f("{}", "")
	f("threshold: 0.7", "")
	f("contamination: 0.5", "")
	f("{ metrics: [ temperature, vibration ], group_by: [ building, room_type ], seed: -4 }", "")
	f("{ history: 1h, retrain_interval: 1h, warm_up: 1h, min_samples: 10, max_history: 10 }", "")
	f("quantile: 0.995", "")
	f("alerts_per_day: 0.1", "")
	f("{ features: [ value, step ], attribution: shapley, quiet: 1h, emit_scores: true }", "")

	f("metrics: []", "metrics must name 1 to 256, got 0")
	f(`metrics: [ "" ]`, "metrics must not name an empty member")
	f("metrics: [ co2, co2 ]", `metrics must name each member once, got "co2" twice`)
	f(`group_by: [ "" ]`, "group_by must not name an empty member")
	f("group_by: [ floor, floor ]", `group_by must name each member once, got "floor" twice`)
	f("trees: 0", "trees must be 1 to 1000, got 0")
	f("trees: 1001", "trees must be at most 1000, got 1001")
	f("samples: 1", "samples must be 2 to 4096, got 1")
	f("samples: 5000", "samples must be at most 4096, got 5000")
	f("min_samples: 1", "min_samples must be at least 2, got 1")
	f("{ min_samples: 300, max_history: 299 }", "max_history 299 must not be smaller than min_samples 300")
	f("max_history: 2000000", "max_history must be at most 1000000, got 2000000")
	f("retrain_interval: 0s", "retrain_interval must be positive, got 0s")
	f("{ history: 1h, warm_up: 0s, retrain_interval: 2h }", "history 1h0m0s must not be smaller than retrain_interval 2h0m0s")
	f("max_groups: 0", "max_groups must be positive, got 0")
	f("features: []", "features must name at least one")
	f("features: [ daily, daily ]", `features must name each member once, got "daily" twice`)
	f("features: [ hourly ]", `unknown feature "hourly", want value, daily, recent or step`)
	f("warm_up: -1s", "warm_up must be 0s to history 168h0m0s, got -1s")
	f("{ history: 12h }", "warm_up must be 0s to history 12h0m0s, got 48h0m0s")
	f("quiet: 0s", "quiet must be positive, got 0s")
	f("attribution: guess", `attribution must be path or shapley, got "guess"`)
	f("{ metrics: [ a, b, c, d, e, f, g, h, i ], attribution: shapley }", "metrics must be at most 8 to be explained exactly, got 9")
	f("quantile: 1", "quantile must be at least 0.5 and below 1, got 1")
	f("alerts_per_day: 0", "alerts_per_day must be above 0, got 0")
	f("contamination: 0", "contamination must be above 0, got 0")
	f("contamination: 0.6", "contamination must be above 0 and at most 0.5, got 0.6")
	f("threshold: 0", "threshold must be above 0, got 0")
	f("threshold: 1", "threshold must be above 0 and below 1, got 1")
	f("{ contamination: 0.01, threshold: 0.7 }", "contamination and threshold exclude each other")
	f("state: { cache: nowhere }", `state cache "nowhere" is not a cache resource`)
}

func newProcessor(t *testing.T, res *service.Resources, yaml string) service.BatchProcessor {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	p, err := Step.Processor(conf, res)
	require.NoError(t, err)
	return p
}

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// rooms is readings of five offices and five server rooms, every 10 s; one in a
// hundred has a fault.
func rooms(n int) []string {
	rng := rand.New(rand.NewPCG(1, 0))
	messages := make([]string, n)
	for i := range messages {
		s := i % 10
		kind, temperature, co2, energy := "Office", 21+rng.NormFloat64()/2, 600+40*rng.NormFloat64(), 10+rng.NormFloat64()
		if s >= 5 {
			kind, temperature, co2, energy = "Server Room", 18+rng.NormFloat64()/2, 420+10*rng.NormFloat64(), 80+5*rng.NormFloat64()
		}
		if rng.IntN(100) == 0 {
			temperature, co2 = temperature+9, co2+900
		}
		messages[i] = fmt.Sprintf(
			`{"sensor_id":"s%d","room_type":%q,"temperature":%.2f,"humidity":%.1f,"co2":%.0f,"energy_consumption":%.1f,"timestamp":%q}`,
			s, kind, temperature, 45+rng.NormFloat64(), co2, energy,
			start.Add(time.Duration(i/10)*10*time.Second+time.Duration(s)*time.Second).Format(time.RFC3339))
	}
	return messages
}

func batchOf(lane string, contents ...string) service.MessageBatch {
	batch := testdetect.Batch(contents...)
	if lane != "" {
		for _, msg := range batch {
			msg.MetaSetMut(carry.MetaTopic, "sensors")
			msg.MetaSetMut(carry.MetaPartition, lane)
			msg.MetaSetMut(carry.MetaEpoch, "1")
		}
	}
	return batch
}

// process feeds messages in batches and returns the anomalies as JSON, which can be
// compared.
func process(t *testing.T, p service.BatchProcessor, lane string, contents []string) (anomalies []string) {
	t.Helper()
	for part := range slices.Chunk(contents, 50) {
		for _, a := range testdetect.Judge(t, p, batchOf(lane, part...)) {
			raw, err := json.Marshal(&a)
			require.NoError(t, err)
			anomalies = append(anomalies, string(raw))
		}
	}
	return anomalies
}

// perKind is quick to judge: what the readings of rooms need.
const perKind = "{ warm_up: 0s, contamination: 0.01, quiet: 10s }"

func TestFindsFaultsAndExplainsThem(t *testing.T) {
	p := newProcessor(t, service.MockResources(), perKind)
	process(t, p, "0", rooms(4000))

	at := start.Add(4010 * time.Second).Format(time.RFC3339)
	found := process(t, p, "0", []string{
		`{"sensor_id":"s0","room_type":"Office","temperature":31.2,"humidity":45,"co2":1820,"energy_consumption":10,"timestamp":"` + at + `"}`,
		`{"sensor_id":"s1","room_type":"Office","temperature":21,"humidity":45,"co2":600,"energy_consumption":10,"timestamp":"` + at + `"}`,
		`{"sensor_id":"s5","room_type":"Server Room","temperature":18,"humidity":45,"co2":420,"energy_consumption":80,"timestamp":"` + at + `"}`,
		`{"sensor_id":"s2","room_type":"Office","temperature":18,"humidity":45,"co2":420,"energy_consumption":80,"timestamp":"` + at + `"}`,
	})
	require.Len(t, found, 2)

	var a anomaly.Anomaly
	require.NoError(t, json.Unmarshal([]byte(found[0]), &a))
	assert.Equal(t, "isolation_forest", a.Detector)
	assert.Equal(t, "multivariate", a.Type)
	assert.Greater(t, a.Score, 0.35)
	assert.Regexp(t, `^(CO₂ 1,820 ppm|Temperature 31\.2 °C) \(usually .*\) and (CO₂ 1,820 ppm|temperature 31\.2 °C) \(usually .*\) are unusual together for Office rooms at this hour \(\d\d % / \d\d %\)\.$`, a.Explanation)

	require.NoError(t, json.Unmarshal([]byte(found[1]), &a))
	assert.Equal(t, "s2", a.Reading.SensorID)
	assert.Equal(t, anomaly.MultipleMetrics, a.Metric, a.Explanation)
	assert.True(t, math.IsNaN(a.Value))
}

func TestNamesTheMetricAtFault(t *testing.T) {
	p := newProcessor(t, service.MockResources(), "{ metrics: [ pm2_5 ], features: [ value ], min_samples: 100, warm_up: 0s, contamination: 0.01 }")
	rng := rand.New(rand.NewPCG(1, 0))
	reading := func(i int, dust float64) string {
		return fmt.Sprintf(`{"sensor_id":"s","pm2_5":%.2f,"timestamp":%q}`, dust, start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339))
	}
	var usual []string
	for i := range 1000 {
		usual = append(usual, reading(i, 12+rng.NormFloat64()))
	}
	process(t, p, "", usual)
	found := process(t, p, "", []string{reading(1000, 12), reading(1001, 90)})
	require.Len(t, found, 1)

	var a anomaly.Anomaly
	require.NoError(t, json.Unmarshal([]byte(found[0]), &a))
	assert.Equal(t, "pm2_5", a.Metric)
	assert.Equal(t, 90.0, a.Value)
	assert.InDelta(t, 9.7, a.Low, 0.7) // 12 − 2.33
	assert.InDelta(t, 14.3, a.High, 0.7)
	assert.Regexp(t, `^pm2_5 90 \(usually .*\) is unusual at this hour\.$`, a.Explanation)
}

func TestLanesDoNotMixAndInterleavingChangesNothing(t *testing.T) {
	all := rooms(6000)
	one := newProcessor(t, service.MockResources(), perKind)
	apart := append(process(t, one, "0", all[:3000]), process(t, one, "1", all[3000:])...)
	require.NotEmpty(t, apart)

	two := newProcessor(t, service.MockResources(), perKind)
	var first, second []string
	for i := 0; i < 3000; i += 100 {
		second = append(second, process(t, two, "1", all[3000+i:3000+i+100])...)
		first = append(first, process(t, two, "0", all[i:i+100])...)
	}
	require.Equal(t, apart, append(first, second...))
}

func TestGoesOnAfterARestart(t *testing.T) {
	all := rooms(6000)
	const config = "{ warm_up: 0s, contamination: 0.01, quiet: 10s, state: { cache: learned } }"
	want := process(t, newProcessor(t, service.MockResources(), perKind), "0", all)
	require.Greater(t, len(want), 15)

	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	before := newProcessor(t, res, config)
	got := process(t, before, "0", all[:3000])
	require.NoError(t, before.Close(t.Context()))
	after := newProcessor(t, res, config)
	// The very next reading is judged.
	odd := `{"sensor_id":"s0","room_type":"Office","temperature":35,"humidity":70,"co2":3000,"energy_consumption":90,"timestamp":"2026-01-05T00:50:05Z"}`
	require.Len(t, process(t, newProcessor(t, res, config), "0", []string{odd}), 1)
	got = append(got, process(t, after, "0", all[3000:])...)
	require.Equal(t, want, got)
}

func TestOtherMetricsStartAnew(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	p := newProcessor(t, res, "{ metrics: [ temperature, co2 ], state: { cache: learned } }")
	process(t, p, "0", rooms(3000))
	require.NoError(t, p.Close(t.Context()))
	p = newProcessor(t, res, "{ metrics: [ co2, temperature ], state: { cache: learned } }")
	require.Empty(t, process(t, p, "0", rooms(200)))
}

func TestWhatIsNotJudgedPasses(t *testing.T) {
	p := newProcessor(t, service.MockResources(), "{ threshold: 0.0001, min_samples: 10, warm_up: 0s, group_by: [] }")
	process(t, p, "", rooms(100))
	at := start.Add(time.Hour).Format(time.RFC3339)
	incomplete := `{"sensor_id":"s","temperature":99,"humidity":1,"timestamp":"` + at + `"}`
	require.Empty(t, process(t, p, "", []string{incomplete, "no JSON", `{"sensor_id":"s"}`}))

	failed := service.NewMessage([]byte(incomplete))
	failed.SetError(fmt.Errorf("an earlier processor failed"))
	derived := service.NewMessage([]byte(rooms(1)[0]))
	derived.MetaSetMut(carry.MetaKind, carry.KindAggregate)
	out, err := p.ProcessBatch(t.Context(), service.MessageBatch{failed, derived})
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Len(t, out[0], 2)
	require.Error(t, out[0][0].GetError())

	// Three of five metrics are enough.
	three := `{"sensor_id":"s","temperature":21,"humidity":45,"co2":600,"timestamp":"` + at + `"}`
	require.Len(t, process(t, p, "", []string{three}), 1)
}
