package silence

import (
	"context"
	"sync"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Typed values of a mapping: of ten sensors that take turns each second, three stop
// one after the other and two together, and all readings arrive.
func TestStream(t *testing.T) {
	b := service.NewStreamBuilder()
	require.NoError(t, b.SetLoggerYAML(`level: "off"`))
	b.SetThreads(1) // without partitions, threads would mix up the order of readings
	require.NoError(t, b.AddInputYAML(`
generate:
  interval: ""
  count: 5000
  batch_size: 50
  mapping: |
    let n = counter()
    root.n = $n
    root.sensor_id = "s%d".format($n % 10)
    root.floor = if $n % 10 >= 8 { "attic" } else { "ground" }
    root.timestamp = (1767571200 + $n).ts_format("2006-01-02T15:04:05Z", "UTC")
`))
	require.NoError(t, b.AddProcessorYAML(`
mapping: |
  let sensor = this.n % 10
  root = if ($sensor < 3 && this.n > 1000 + 1000 * $sensor) || ($sensor >= 8 && this.n > 1500) { deleted() }
`))
	require.NoError(t, b.AddProcessorYAML(`silence: {}`))
	var mu sync.Mutex
	var readings int
	found := map[string]int{}
	require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, msg := range batch {
			if err := msg.GetError(); err != nil {
				return err
			}
			if kind, _ := msg.MetaGet("buildmon_kind"); kind != "anomaly" {
				readings++
				continue
			}
			v, err := msg.AsStructured()
			if err != nil {
				return err
			}
			found[v.(map[string]any)["explanation"].(string)]++
		}
		return nil
	}))
	stream, err := b.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	// By hand: s0 to s2 miss 400, 300 and 200 of their 500, s8 and s9 350 each.
	require.Equal(t, 5000-400-300-200-2*350, readings)
	require.Equal(t, map[string]int{
		"Sensor s0 stopped reporting; it usually reports every 10s.":                                               1,
		"Sensor s1 stopped reporting; it usually reports every 10s.":                                               1,
		"Sensor s2 stopped reporting; it usually reports every 10s.":                                               1,
		"2 sensors of attic stopped reporting together: s8 and s9. Look first at their gateway, network or power.": 1,
	}, found)
}
