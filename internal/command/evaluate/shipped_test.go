package evaluate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/command/evaluate"
	"buildmon/pipelines"
)

// The detectors as they are shipped, on two floors: what they find and how quiet they
// are. Bars are well below what they do, as few days differ from others.
func TestShippedPipeline(t *testing.T) {
	report, err := evaluate.Run(t.Context(), evaluate.Config{
		Pipeline: pipelines.Standalone, Seed: 1, Sensors: 12, Days: 10, Learn: 7, Interval: time.Minute, FaultShare: 0.03,
		Kinds: []string{"overheating", "humidity_spike", "ventilation_failure", "equipment_malfunction", "stuck", "dropout", "gateway_failure"},
	})
	require.NoError(t, err)
	t.Log("\n" + report.String())
	for _, k := range report.Faults {
		switch k.Name {
		case "stuck":
			assert.GreaterOrEqual(t, k.Recall, 0.6, k.Name)
		default:
			assert.GreaterOrEqual(t, k.Recall, 0.9, k.Name)
			assert.LessOrEqual(t, k.DelayMedian, 600.0, k.Name)
		}
		assert.GreaterOrEqual(t, k.Metric, 0.9, k.Name)
		// One of each metric that a fault shows in, and one of several together; heat makes
		// air dry.
		most := 1.1
		if k.Name == "overheating" {
			most = 3
		}
		assert.LessOrEqual(t, k.Events, most, k.Name)
	}
	assert.LessOrEqual(t, report.Everything.CleanAlert, 0.001, "all detectors together, without faults")
	assert.GreaterOrEqual(t, report.Everything.Precision, 0.75)
}
