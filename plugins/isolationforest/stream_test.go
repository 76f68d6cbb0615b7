package isolationforest

import (
	"context"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/testmetrics"
)

// The processor works within a stream, on values that a mapping has typed, and
// counts what it does.
func TestStream(t *testing.T) {
	builder, counted := testmetrics.Builder(t)
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	builder.SetThreads(1)
	require.NoError(t, builder.AddInputYAML(`
generate:
  count: 400
  interval: ""
  mapping: |
    let i = counter() - 1
    root.sensor_id = "s%v".format($i % 5)
    root.temperature = if $i == 390 { 60 } else { 21 + ($i * 37 % 101 + $i * 59 % 103) / 50 }
    root.humidity = if $i == 390 { 99 } else { 45 + ($i * 41 % 97 + $i * 71 % 109) / 40 }
    root.co2 = if $i == 390 { 5000 } else { 600 + $i * 43 % 89 + $i * 67 % 83 }
    root.timestamp = (1767571200 + $i).ts_format("2006-01-02T15:04:05Z", "UTC")
    root = if $i == 391 { root.without("co2", "humidity") }
`))
	require.NoError(t, builder.AddProcessorYAML(`
isolation_forest:
  metrics: [ temperature, humidity, co2 ]
  threshold: 0.65
  warm_up: 0s
  features: [ value ]
`))
	var found []string
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, msg *service.Message) error {
		if kind, ok := msg.MetaGet(carry.MetaKind); ok {
			raw, err := msg.AsBytes()
			found = append(found, kind+" "+string(raw))
			return err
		}
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))

	require.Len(t, found, 1)
	require.Contains(t, found[0], `anomaly {"sensor_id":"s0"`)
	require.Equal(t, map[string]int64{
		"buildmon_isolation_forest_anomalies_total metric=multiple":               1,
		"buildmon_isolation_forest_fits_total":                                    1,
		"buildmon_isolation_forest_readings_scored_total":                         400 - 256 - 1,
		"buildmon_isolation_forest_readings_skipped_total reason=learning":        256,
		"buildmon_isolation_forest_readings_skipped_total reason=too_many_groups": 0,
		"buildmon_isolation_forest_readings_skipped_total reason=incomplete":      1,
	}, counted.Values())
}
