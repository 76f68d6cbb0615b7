package spikedetector

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/plugins/internal/testconfig"
	"buildmon/plugins/internal/testdetect"
)

func TestConfig(t *testing.T) {
	testconfig.Run(t, component, spec(), Step.Processor, service.MockResources(), []testconfig.Case{
		{Name: "defaults", Config: `{}`},
		{Name: "changes only", Config: `{ deviations: {} }`},
		{Name: "deviations only", Config: `{ deltas: {}, deviations: { vibration: 4 }, resolution: { vibration: 0.02 } }`},
		{Name: "zero is none", Config: `{ deltas: { co2: 0, temperature: 3 } }`},
		{Name: "window too small", Config: `{ window: 1 }`, Err: "window must be between 2 and 1000 readings, got 1", Lint: "must be between 2 and 1000, got 1"},
		{Name: "window too large", Config: `{ window: 1001 }`, Err: "window must be between 2 and 1000 readings, got 1001", Lint: "must be between 2 and 1000, got 1001"},
		{Name: "delta", Config: `{ deltas: { co2: -4 } }`, Err: `deltas of "co2" must not be negative, got -4`, Lint: "co2 must not be negative, got -4"},
		{Name: "deviations", Config: `{ deviations: { co2: -6 } }`, Err: `deviations of "co2" must not be negative, got -6`, Lint: "co2 must not be negative, got -6"},
		{Name: "resolution", Config: `{ resolution: { co2: -50 } }`, Err: `resolution of "co2" must not be negative, got -50`, Lint: "co2 must not be negative, got -50"},
		{Name: "nothing to judge", Config: `{ deltas: {}, deviations: {} }`, Err: "deltas and deviations are both empty"},
		{Name: "nothing but zeros", Config: `{ deltas: { co2: 0 }, deviations: {} }`, Err: "deltas and deviations are both empty"},
		{Name: "unknown cache", Config: `{ state: { cache: nowhere } }`, Err: `state cache "nowhere" is not a cache resource`, Lint: testconfig.NotLinted},
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

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// judged feeds readings and returns the anomalies.
func judged(t *testing.T, p service.BatchProcessor, readings ...string) []anomaly.Anomaly {
	t.Helper()
	return testdetect.Judge(t, p, testdetect.Batch(readings...))
}

func at(n int, members string) string {
	return fmt.Sprintf(`{"sensor_id":"o1",%s,"timestamp":%q}`, members, start.Add(time.Duration(n)*10*time.Second).Format(time.RFC3339))
}

func TestSuddenChange(t *testing.T) {
	p := processor(t, `{}`, service.MockResources())
	var calm []string
	for i, co2 := range []int{600, 610, 590, 640, 620} {
		calm = append(calm, at(i, fmt.Sprintf(`"co2":%d,"temperature":21,"occupancy":%d`, co2, i)))
	}
	require.Empty(t, judged(t, p, calm...))

	found := judged(t, p, at(5, `"co2":1250,"temperature":21,"occupancy":400`), `garbage`, at(6, `"co2":1260,"temperature":12.6`))
	require.Len(t, found, 2)
	a := found[0]
	assert.Equal(t, "spike_detector", a.Detector)
	assert.Equal(t, "sudden_change", a.Type)
	assert.Equal(t, "co2", a.Metric)
	assert.Equal(t, 1250.0, a.Value)
	// The window has the median 610 and the MAD 10 (distances 0 10 10 20 30), so
	// the floor of 50 counts: 6 · 50 = 300 is less than 400.
	assert.Equal(t, 310.0, a.Low)
	assert.Equal(t, 910.0, a.High)
	assert.Equal(t, anomaly.SeverityOf(anomaly.StrengthBeyond(340, 300)), a.Severity)
	assert.Equal(t, "CO₂ rose by 640 ppm to 1,250 ppm within 10s; its last 5 readings lay between 590 and 640 ppm.", a.Explanation)
	assert.Equal(t, "Temperature fell by 8.4 °C to 12.6 °C within 10s; its last 5 readings lay at 21 °C.", found[1].Explanation)
}

func TestAMetricOfOnesOwn(t *testing.T) {
	p := processor(t, `{ window: 3, deltas: { vibration: 1 }, deviations: {} }`, service.MockResources())
	found := judged(t, p, at(0, `"vibration":0.1`), at(1, `"vibration":0.2`), at(2, `"temperature":3`), at(3, `"vibration":0.3`), at(4, `"vibration":"high"`), at(5, `"vibration":1.3`))
	require.Len(t, found, 1)
	assert.Equal(t, "vibration", found[0].Metric)
	assert.Equal(t, "vibration rose by 1.1 to 1.3 within 20s; its last 3 readings lay between 0.1 and 0.3.", found[0].Explanation)
}

func TestFindingsComeInTheOrderOfMetrics(t *testing.T) {
	p := processor(t, `{ deltas: { d: 1, b: 1, a: 1 }, deviations: { c: 6, a: 6 } }`, service.MockResources())
	for i := range 5 {
		judged(t, p, at(i, `"a":1,"b":1,"c":1,"d":1`))
	}
	var order []string
	for _, a := range judged(t, p, at(5, `"d":9,"c":9,"b":9,"a":9`)) {
		order = append(order, a.Metric)
	}
	assert.Equal(t, []string{"a", "b", "c", "d"}, order)
}

// The same feed with and without restarts yields the same, word for word.
func TestRestartChangesNothing(t *testing.T) {
	feed := make([]string, 1000)
	rng := rand.New(rand.NewPCG(1, 2))
	level := 21.0
	for i := range feed {
		if rng.IntN(20) == 0 {
			level += float64(rng.IntN(21) - 10)
		}
		feed[i] = at(i, fmt.Sprintf(`"temperature":%.3f`, level+0.3*rng.NormFloat64()))
	}
	whole := processor(t, `{}`, service.MockResources())
	want := judged(t, whole, feed...)
	require.Greater(t, len(want), 20)

	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	var got []anomaly.Anomaly
	for i := 0; i < len(feed); i += 8 {
		p := processor(t, `state: { cache: learned }`, res)
		got = append(got, judged(t, p, feed[i:i+8]...)...)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i].Explanation, got[i].Explanation)
		assert.Equal(t, want[i].Score, got[i].Score)
		assert.True(t, want[i].Reading.Time.Equal(got[i].Reading.Time))
	}
}
