package threshold

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/codec"
	"buildmon/internal/limits"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/testconfig"
	"buildmon/plugins/internal/testdetect"
)

func TestConfig(t *testing.T) {
	testconfig.Run(t, component, spec(), Step.Processor, service.MockResources(), []testconfig.Case{
		{Name: "defaults", Config: `{}`},
		{Name: "sensitivity", Config: `sensitivity: high`},
		{Name: "fixed limits only", Config: `{ metrics: [], limits: [ { metric: co2, max: 1500 } ] }`},
		{Name: "any metric", Config: `{ metrics: [ pm2_5 ], limits: [ { metric: noise, min: 1, max: 2, where: { room_type: Lab } } ] }`},
		{Name: "severe limits", Config: `limits: [ { metric: t, min: 18, max: 26, severe_min: 10, severe_max: 32, hysteresis: 0.5 } ]`},
		{Name: "limits of a file", Config: `{ metrics: [], limits_file: ../../configs/limits.yaml }`},
		{Name: "resolution", Config: `resolution: { vibration: 0.1 }`},
		{Name: "negative resolution", Config: `resolution: { co2: -4 }`, Err: `resolution of "co2" must not be negative, got -4`, Lint: "co2 must not be negative, got -4"},
		{Name: "unknown sensitivity", Config: `sensitivity: extreme`, Err: `sensitivity must be low, normal or high, got "extreme"`, Lint: "value extreme is not a valid option"},
		{Name: "nothing to judge", Config: `metrics: []`, Err: "metrics, limits and limits_file are all empty"},
		{Name: "metric twice", Config: `metrics: [ co2, co2 ]`, Err: `metrics must be different names, got ["co2" "co2"]`, Lint: "must be different names"},
		{Name: "limit without bounds", Config: `limits: [ { metric: co2 } ]`, Err: "limit of co2: min or max is needed"},
		{Name: "limit without metric", Config: `limits: [ { metric: "", max: 1 } ]`, Err: "metric must not be empty"},
		{Name: "limit swapped", Config: `limits: [ { metric: co2, min: 5, max: 4 } ]`, Err: "limit of co2: min 5 must be smaller than max 4"},
		{Name: "severe below max", Config: `limits: [ { metric: co2, max: 5, severe_max: 4 } ]`, Err: "limit of co2: severe_max 4 must be larger than max 5"},
		{Name: "severe without min", Config: `limits: [ { metric: co2, max: 5, severe_min: 4 } ]`, Err: "limit of co2: severe_min 4 must be smaller than min NaN"},
		{Name: "hysteresis", Config: `limits: [ { metric: co2, max: 5, hysteresis: -1 } ]`, Err: "limit of co2: hysteresis must not be negative, got -1"},
		{Name: "wide hysteresis", Config: `limits: [ { metric: co2, min: 1, max: 5, hysteresis: 4 } ]`, Err: "limit of co2: hysteresis 4 must be smaller than the distance 4 of min and max"},
		{Name: "no such file", Config: `limits_file: nowhere.yaml`, Err: `reading limits from "nowhere.yaml": `, Lint: testconfig.NotLinted},
		{Name: "unknown cache", Config: `state: { cache: nowhere }`, Err: `state cache "nowhere" is not a cache resource`, Lint: testconfig.NotLinted},
	})
}

func processor(t *testing.T, config string, res *service.Resources) service.BatchProcessor {
	t.Helper()
	conf, err := spec().ParseYAML(config, nil)
	require.NoError(t, err)
	p, err := Step.Processor(conf, res)
	require.NoError(t, err)
	return p
}

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func at(seconds int) string {
	return start.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
}

// judged feeds readings and returns the anomalies.
func judged(t *testing.T, p service.BatchProcessor, readings ...string) []anomaly.Anomaly {
	t.Helper()
	return testdetect.Judge(t, p, testdetect.Batch(readings...))
}

func office(second int, members string) string {
	return fmt.Sprintf(`{"sensor_id":"o1","room_type":"Office",%s,"timestamp":%q}`, members, at(second))
}

// warm teaches temperatures of 20 to 24 and CO₂ of 500 to 600, in three days of
// minutes.
func warm(t *testing.T, p service.BatchProcessor) (next int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var feed []string
	for i := range 4320 {
		feed = append(feed, office(60*i, fmt.Sprintf(`"temperature":%.2f,"co2":%.1f`, 20+4*rng.Float64(), 500+100*rng.Float64())))
	}
	require.Empty(t, judged(t, p, feed...))
	return 60 * 4320
}

func TestLearnedLimits(t *testing.T) {
	p := processor(t, `{}`, service.MockResources())
	next := warm(t, p)
	found := judged(t, p,
		office(next, `"temperature":24.5,"co2":620`),
		office(next+60, `"temperature":31.4`),
		office(next+120, `"temperature":31.3,"co2":2600`),
		office(next+180, `"co2":100`),
		`{"sensor_id":"s1","room_type":"Server Room","temperature":10,"timestamp":"2026-01-08T10:00:05Z"}`,
		`garbage`,
	)
	require.Len(t, found, 2, "the second temperature and CO₂ belong to events")
	a := found[0]
	assert.Equal(t, "temperature_too_high", a.Type)
	assert.Equal(t, "temperature", a.Metric)
	assert.Equal(t, "threshold", a.Detector)
	assert.Equal(t, 31.4, a.Value)
	assert.InDelta(t, 20, a.Low, 0.01)
	assert.InDelta(t, 24, a.High, 0.01)
	assert.Equal(t, "Temperature 31.4 °C is above the usual 20–24 °C of this sensor.", a.Explanation)
	// The mean absolute deviation of values evenly spread over 4 is 1, so 7.4 past the
	// limit are 3.7 scales, which approach 10: 3.7/1.37 is 2.7.
	assert.Equal(t, anomaly.High, a.Severity)

	assert.Equal(t, "co2_dangerous", found[1].Type)
	assert.Equal(t, "CO₂ 2,600 ppm is above the usual 500–600 ppm of this sensor.", found[1].Explanation)
}

func TestAStuckSensor(t *testing.T) {
	p := processor(t, `{}`, service.MockResources())
	next := warm(t, p)
	var found []anomaly.Anomaly
	for i := range 60 {
		found = append(found, judged(t, p, office(next+60*i, `"co2":550`))...)
	}
	require.NotEmpty(t, found)
	a := found[0]
	assert.Equal(t, "co2_stuck", a.Type)
	assert.Equal(t, "CO₂ has been exactly 550 ppm for 12m, in 13 readings; it hardly ever repeated a value before. The sensor may be stuck.", a.Explanation)
}

func TestFixedLimits(t *testing.T) {
	p := processor(t, `
limits:
  - { metric: temperature, max: 27, where: { room_type: Server Room } }
  - { metric: temperature, min: 17, max: 30, severe_max: 40, hysteresis: 1 }
  - { metric: noise, max: 0 }
`, service.MockResources())
	found := judged(t, p,
		office(0, `"temperature":30`),
		office(1, `"temperature":30.04`),
		office(2, `"temperature":29.5`),
		office(3, `"temperature":31`),
		office(4, `"temperature":41`),
		office(5, `"temperature":12.75,"noise":1`),
		`{"sensor_id":"s1","room_type":"Server Room","temperature":28,"timestamp":"2026-01-05T10:00:00Z"}`,
		`{"sensor_id":"s1","room_type":"Server Room","temperature":10,"timestamp":"2026-01-05T10:00:10Z"}`,
		`{"sensor_id":"s1","room_type":"Server Room","temperature":28,"timestamp":"2026-01-05T10:00:20Z"}`,
		`{"sensor_id":"s1","noise":"loud","timestamp":"2026-01-05T10:00:30Z"}`,
	)
	require.Len(t, found, 6)
	assert.Equal(t, "temperature_too_high", found[0].Type)
	assert.Equal(t, 17.0, found[0].Low)
	assert.Equal(t, 30.0, found[0].High)
	assert.Equal(t, "Temperature 30.04 °C is above the fixed limit of 30 °C.", found[0].Explanation)
	assert.Equal(t, "Temperature 41 °C is far above the fixed limit of 30 °C.", found[1].Explanation)
	assert.Equal(t, anomaly.Critical, found[1].Severity)
	assert.Equal(t, "temperature_too_low", found[2].Type)
	assert.Equal(t, anomaly.High, found[2].Severity, "a quarter past a limit of 17")
	assert.Equal(t, "Temperature 12.8 °C is below the fixed limit of 17 °C.", found[2].Explanation)
	assert.Equal(t, "noise_too_high", found[3].Type)
	assert.Equal(t, anomaly.High, found[3].Severity)
	assert.Equal(t, "Temperature 28 °C is above the fixed limit of 27 °C.", found[4].Explanation)
	assert.NotEqual(t, found[4].Low, found[4].Low, "no lower limit")
	assert.Equal(t, "Temperature 28 °C is above the fixed limit of 27 °C.", found[5].Explanation, "another event")
}

func TestAFixedLimitGoesBeforeALearnedOne(t *testing.T) {
	p := processor(t, `limits: [ { metric: temperature, max: 40, hysteresis: 15 }, { metric: noise, max: 5 } ]`, service.MockResources())
	next := warm(t, p)
	found := judged(t, p, office(next, `"temperature":41,"co2":1500,"noise":6`), office(next+60, `"temperature":39`))
	require.Len(t, found, 3, "temperature is still past its fixed limit")
	assert.Contains(t, found[0].Explanation, "fixed limit of 40 °C")
	assert.Contains(t, found[1].Explanation, "CO₂ 1,500 ppm")
	assert.Contains(t, found[2].Explanation, "noise 6 is above the fixed limit of 5.")
}

func TestLimitsOfAFile(t *testing.T) {
	p := processor(t, `{ metrics: [], limits: [ { metric: co2, max: 5000 } ], limits_file: ../../configs/limits.yaml }`, service.MockResources())
	found := judged(t, p,
		office(0, `"temperature":27.5,"co2":1500,"humidity":90`),
		`{"sensor_id":"s1","room_type":"Server Room","temperature":27.5,"timestamp":"2026-01-05T10:00:00Z"}`,
	)
	require.Len(t, found, 3)
	assert.Equal(t, "temperature_too_high", found[0].Type)
	assert.Equal(t, "humidity_too_high", found[1].Type)
	assert.Equal(t, anomaly.Critical, found[1].Severity)
	assert.Equal(t, "s1", found[2].Reading.SensorID)
}

func TestLimitsOfABadFile(t *testing.T) {
	f := func(content, errContains string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "limits.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		conf, err := spec().ParseYAML("limits_file: "+path, nil)
		require.NoError(t, err)
		_, err = Step.Processor(conf, service.MockResources())
		require.ErrorContains(t, err, errContains)
		require.ErrorContains(t, err, "reading limits from")
	}

	f("", "it has no limits")
	f("limits: []", "it has no limits")
	f("limits: [ { metric: co2, maximum: 5 } ]", "field maximum not found")
	f("limits: [ { metric: co2, max: much } ]", "cannot unmarshal")
	f("limits: [ { metric: co2 } ]", "limit of co2: min or max is needed")
	f("limits: [ { max: 5 } ]", "metric must not be empty")
}

func TestExplanations(t *testing.T) {
	r := &reading.Reading{SensorID: "o1", Values: reading.Absent()}
	f := func(metric string, finding limits.Finding, kind, want string) {
		t.Helper()
		a := learned(r, metric, &finding)
		assert.Equal(t, kind, a.Type)
		assert.Equal(t, want, a.Explanation)
	}

	f("temperature", limits.Finding{View: limits.Level, Value: 15, Seen: 15, Low: 19.8, High: 24.6},
		"temperature_too_low", "Temperature 15 °C is below the usual 19.8–24.6 °C of this sensor.")
	f("occupancy", limits.Finding{View: limits.Hour, Value: 12, Seen: 12, Low: 0, High: 1},
		"occupancy_too_high", "Occupancy 12 persons is above the usual 0–1 person of this sensor at this hour.")
	f("energy_consumption", limits.Finding{View: limits.Daily, Value: 90, Seen: 90, Low: 10, High: 40},
		"energy_excessive", "Energy 90 kWh is above the usual 10–40 kWh of this sensor at this hour.")
	f("humidity", limits.Finding{View: limits.Average, Value: 60, Seen: 55, Low: 40, High: 50},
		"humidity_too_high", "Humidity of the last 24 readings is 55 % on average, above the usual 40–50 % of this sensor.")
	f("humidity", limits.Finding{View: limits.Rest, Value: 60, Seen: 5, Low: 1, High: 2},
		"humidity_restless", "Humidity changes by 5 % from one reading to the next, above the usual 1–2 % of this sensor.")
	f("humidity", limits.Finding{View: limits.Rest, Value: 60, Seen: 0.1, Low: 1, High: 2},
		"humidity_too_calm", "Humidity changes by 0.1 % from one reading to the next, below the usual 1–2 % of this sensor.")
	f("pm2_5", limits.Finding{View: limits.Stuck, Value: 3.14159, Run: 90, Longest: 12, For: 90 * time.Minute},
		"pm2_5_stuck", "pm2_5 has been exactly 3.142 for 1h30m, in 90 readings; before, it repeated a value at most 12 times in a row. The sensor may be stuck.")
}

func TestKinds(t *testing.T) {
	f := func(metric, high, low string) {
		t.Helper()
		assert.Equal(t, high, kindOf(metric, true))
		assert.Equal(t, low, kindOf(metric, false))
	}

	f("temperature", "temperature_too_high", "temperature_too_low")
	f("humidity", "humidity_too_high", "humidity_too_low")
	f("co2", "co2_dangerous", "co2_too_low")
	f("occupancy", "occupancy_too_high", "occupancy_too_low")
	f("energy_consumption", "energy_excessive", "energy_too_low")
	f("pm2_5", "pm2_5_too_high", "pm2_5_too_low")
}

// The same feed with and without restarts yields the same, word for word.
func TestRestartChangesNothing(t *testing.T) {
	const config = `limits: [ { metric: humidity, max: 60, hysteresis: 10 } ]`
	feed := make([]string, 6000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range feed {
		v, h := 21+rng.NormFloat64(), 40+rng.NormFloat64()
		if rng.IntN(100) == 0 {
			v += 15
		}
		if i%500 > 480 { // across a restart
			h += 21
		}
		feed[i] = office(60*i, fmt.Sprintf(`"temperature":%.3f,"humidity":%.3f`, v, h))
	}
	whole := processor(t, config, service.MockResources())
	want := judged(t, whole, feed...)
	require.Greater(t, len(want), 10)

	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	var got []anomaly.Anomaly
	for i := 0; i < len(feed); i += 490 {
		p := processor(t, "state: { cache: learned }\n"+config, res)
		got = append(got, judged(t, p, feed[i:min(i+490, len(feed))]...)...)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i].Explanation, got[i].Explanation)
		assert.Equal(t, want[i].Score, got[i].Score)
		assert.True(t, want[i].Reading.Time.Equal(got[i].Reading.Time))
	}
}

func TestOtherStatesAreRefused(t *testing.T) {
	conf, err := spec().ParseYAML(`{}`, nil)
	require.NoError(t, err)
	j := &judge{}
	require.NoError(t, j.parse(conf, service.MockResources()))
	s := newState(j)
	f := func(data []byte, errContains string) {
		t.Helper()
		require.ErrorContains(t, s.UnmarshalBinary(data), errContains)
	}

	f(codec.AppendHeader(nil, "percentile", 1), `it is a state of "percentile", want "threshold"`)
	f(codec.AppendHeader(nil, "threshold", 3), "it has version 3, want version 2")
	f(nil, "ends too early")
}

func TestEmitScores(t *testing.T) {
	f := func(config string, want bool) {
		t.Helper()
		p := processor(t, config, service.MockResources())
		next := warm(t, p)
		batch := service.MessageBatch{
			service.NewMessage([]byte(office(next, `"temperature":22`))),
			service.NewMessage([]byte(`garbage`)),
			service.NewMessage([]byte(office(next+60, `"temperature":31.4`))),
		}
		for range 2 { // it comes again
			out, err := p.ProcessBatch(t.Context(), batch)
			require.NoError(t, err)
			require.Len(t, out[0], 4)
			var scores []any
			for _, msg := range out[0][:3] {
				score, ok := msg.MetaGetMut("buildmon_threshold_score")
				require.Equal(t, want && len(scores) != 1, ok)
				scores = append(scores, score)
			}
			if want {
				assert.Less(t, scores[0], 0.1)
				assert.InDelta(t, 0.73, scores[2], 0.01)
			}
		}
	}

	f(`{}`, false)
	f(`emit_scores: true`, true)
}
