package tumblingwindow

import (
	"context"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/testmetrics"
)

// generated runs the processor on readings that a mapping made, whose values are
// not those of JSON: one a second for two minutes, the 100th of them 80 s late.
// It returns the last message and the metrics.
func generated(t *testing.T, processor string) (last string, metrics map[string]int64) {
	builder, recorded := testmetrics.Builder(t)
	builder.SetThreads(1)
	require.NoError(t, builder.SetLoggerYAML("level: none"))
	require.NoError(t, builder.AddInputYAML(`
generate:
  count: 120
  interval: ""
  mapping: |
    let i = counter() - 1
    root.sensor_id = "s%v".format($i % 5)
    root.floor = if $i % 2 == 0 { "1" } else { "2" }
    root.co2 = 400 + $i
    root.timestamp = (1767603600 + $i - if $i == 100 { 80 } else { 0 }).ts_format("2006-01-02T15:04:05Z", "UTC")
`))
	require.NoError(t, builder.AddProcessorYAML(processor))
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, msg *service.Message) error {
		raw, err := msg.AsBytes()
		last = string(raw)
		return err
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	return last, recorded.Values()
}

func TestMetrics(t *testing.T) {
	last, metrics := generated(t, `
tumbling_window:
  allowed_lateness: 0s
  late_policy: drop
  metrics: [ { name: co2, functions: [ sum ] } ]
`)
	// By hand: the odd numbers from 491 to 519; 6 of 8 rows are final; the late
	// reading is missing among those held.
	require.Equal(t, `{"window_start":"2026-01-05T09:01:30Z","window_end":"2026-01-05T09:02:00Z","building":null,"floor":"2",`+
		`"reading_count":15,"total_co2":7575,"final":false,"partial":false}`, last)
	require.Equal(t, map[string]int64{
		"buildmon_tumbling_window_readings_total":          120,
		"buildmon_tumbling_window_late_total policy=drop":  1,
		"buildmon_tumbling_window_windows_open":            2,
		"buildmon_tumbling_window_windows_final_total":     6,
		"buildmon_tumbling_window_windows_forgotten_total": 0,
		"buildmon_tumbling_window_readings_held":           29,
	}, metrics)

	_, metrics = generated(t, "tumbling_window: { allowed_lateness: 1h, max_readings: 40 }")
	// By hand: nothing is late or final. Two windows together come to more than 40
	// readings when the 11th of the later one is there, and the earlier one with its
	// two rows goes; the last of the three goes for the late reading, which stays in
	// a window of its own.
	require.Equal(t, map[string]int64{
		"buildmon_tumbling_window_readings_total":           120,
		"buildmon_tumbling_window_late_total policy=update": 0,
		"buildmon_tumbling_window_windows_open":             3,
		"buildmon_tumbling_window_windows_final_total":      0,
		"buildmon_tumbling_window_windows_forgotten_total":  6,
		"buildmon_tumbling_window_readings_held":            30,
	}, metrics)
}
