package threshold

import (
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/testdetect"
	"buildmon/plugins/internal/testmetrics"
)

// Typed values of a mapping, four threads, small batches: everything arrives, and
// only the broken values are reported. Batches overtake each other, so each broken value
// is of a sensor of its own: two of one sensor, next to each other, would be one event.
func TestStream(t *testing.T) {
	b, counted := testmetrics.Builder(t)
	require.NoError(t, b.SetLoggerYAML(`level: "off"`))
	b.SetThreads(4)
	require.NoError(t, b.AddInputYAML(`
generate:
  interval: ""
  count: 1000
  batch_size: 50
  mapping: |
    let n = counter()
    root.sensor_id = "s%d".format($n % 13)
    root.room_type = "Office"
    root.temperature = if $n % 200 == 199 { 60 } else { 20 + $n % 5 }
    root.timestamp = (1767571200 + $n).ts_format("2006-01-02T15:04:05Z", "UTC")
`))
	require.NoError(t, b.AddProcessorYAML(`threshold: { limits: [ { metric: temperature, max: 50 } ] }`))
	readings, anomalies := testdetect.Run(t, b)
	assert.Equal(t, 1000, readings)
	assert.Equal(t, 5, anomalies)
	values := counted.Values()
	assert.EqualValues(t, 5, values["buildmon_threshold_anomalies_total metric=temperature"])
	assert.EqualValues(t, 1000, values["buildmon_threshold_learning_total"], "none has a hundred readings")
}
