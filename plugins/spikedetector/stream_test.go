package spikedetector

import (
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/testdetect"
	"buildmon/plugins/internal/testmetrics"
)

// Typed values of a mapping: everything arrives, and each peak is reported once.
func TestStream(t *testing.T) {
	b, counted := testmetrics.Builder(t)
	require.NoError(t, b.SetLoggerYAML(`level: "off"`))
	b.SetThreads(1) // without partitions, threads would mix up the order of readings
	require.NoError(t, b.AddInputYAML(`
generate:
  interval: ""
  count: 1000
  batch_size: 50
  mapping: |
    let n = counter()
    root.sensor_id = "s%d".format($n % 10)
    root.temperature = if $n % 200 < 20 && $n >= 200 && $n < 1000 { 40 } else { 20 + $n % 3 }
    root.timestamp = (1767571200 + $n).ts_format("2006-01-02T15:04:05Z", "UTC")
`))
	require.NoError(t, b.AddProcessorYAML(`spike_detector: {}`))
	readings, anomalies := testdetect.Run(t, b)
	assert.Equal(t, 1000, readings)
	// Four peaks of twenty readings, two from each of ten sensors.
	assert.Equal(t, 40, anomalies)
	values := counted.Values()
	assert.EqualValues(t, 40, values["buildmon_spike_detector_anomalies_total metric=temperature"])
	assert.EqualValues(t, 50, values["buildmon_spike_detector_learning_total"], "five of each sensor fill its window")
}
