package evaluate_test

import (
	"encoding/json"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/command/evaluate"
	_ "buildmon/plugins/all"
)

func config() evaluate.Config {
	return evaluate.Config{
		Pipeline: "pipeline: { processors: [ { spike_detector: { state: { cache: learned } } } ] }",
		Seed:     1, Sensors: 12, Days: 5, Learn: 2, Interval: 5 * time.Minute, FaultShare: 0.05,
		Kinds: []string{"overheating", "stuck", "dropout", "gateway_failure"},
	}
}

// Whatever begins suddenly is found at once by the one detector, and nothing else
// is; the caches of the pipeline are not asked for.
func TestRun(t *testing.T) {
	report, err := evaluate.Run(t.Context(), config())
	require.NoError(t, err)
	t.Log("\n" + report.String())
	kinds := map[string]evaluate.Kind{}
	for _, k := range report.Faults {
		kinds[k.Name] = k
		assert.Positive(t, k.Of, k.Name)
	}
	require.Len(t, kinds, 4)
	hot := kinds["overheating"]
	assert.Equal(t, 1.0, hot.Recall)
	assert.Equal(t, 1.0, hot.Metric)
	assert.Zero(t, hot.DelayMedian)
	assert.GreaterOrEqual(t, hot.Events, 1.0)
	assert.Less(t, kinds["stuck"].Recall, 0.5, "stuck begins with the value before")
	assert.Zero(t, kinds["dropout"].Found)
	assert.Zero(t, kinds["gateway_failure"].Of%6, "all sensors of a floor")

	require.Len(t, report.Detectors, 1)
	v := report.Detectors[0]
	assert.Equal(t, "spike_detector", v.Name)
	assert.Greater(t, v.Precision, 0.7)
	assert.Less(t, v.CleanAlert, 0.001)
	assert.GreaterOrEqual(t, v.Anomalies, v.Events)

	again, err := evaluate.Run(t.Context(), config())
	require.NoError(t, err)
	assert.Equal(t, report, again)
	_, err = json.Marshal(report)
	require.NoError(t, err)
}

// A rule that reports every reading shows in each figure.
func TestRunOnALoudPipeline(t *testing.T) {
	c := config()
	c.Pipeline = "pipeline: { processors: [ { threshold: { metrics: [], limits: [ { metric: temperature, max: -50 } ] } } ] }"
	report, err := evaluate.Run(t.Context(), c)
	require.NoError(t, err)
	v := report.Everything
	assert.Equal(t, 1.0, v.CleanAlert)
	assert.Less(t, v.CleanEvents, 0.5, "one event for each sensor, however long it lasts")
}

// What is said of another metric while a fault goes on is not about the fault.
func TestOtherMetricsAreFalseAlarms(t *testing.T) {
	c := config()
	c.Pipeline = "pipeline: { processors: [ { threshold: { metrics: [], limits: [ { metric: temperature, max: -50, where: { state: elsewhere } }, { metric: occupancy, max: -1 } ] } } ] }"
	report, err := evaluate.Run(t.Context(), c)
	require.NoError(t, err)
	assert.Positive(t, report.All.Of)
	assert.Zero(t, report.All.Found)
	assert.Zero(t, report.Everything.True)
	c.Kinds = []string{"night_use"}
	report, err = evaluate.Run(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, 1.0, report.All.Recall)
}

func TestRunRefuses(t *testing.T) {
	f := func(change func(*evaluate.Config), contains string) {
		t.Helper()
		c := config()
		change(&c)
		_, err := evaluate.Run(t.Context(), c)
		require.ErrorContains(t, err, contains)
	}
	f(func(c *evaluate.Config) { c.Sensors = 10 }, "sensors must be a multiple of 6 up to 50000, got 10")
	f(func(c *evaluate.Config) { c.Learn = 5 }, "learn must be 0 or more and less than days, 5, got 5")
	f(func(c *evaluate.Config) { c.FaultShare = 0 }, "faults must be more than 0 and at most 1, got 0")
	f(func(c *evaluate.Config) { c.Kinds = []string{"fire"} }, `unknown fault kind "fire"`)
	f(func(c *evaluate.Config) { c.Pipeline = "input: {}" }, "it has no pipeline.processors")
	f(func(c *evaluate.Config) { c.Pipeline = "pipeline: { processors: [ { magic: {} } ] }" }, "magic")
}
