package all_test

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/simulate"
)

// BenchmarkReading is the time that a reading takes in a pipeline of these processors,
// of 500 sensors that report every 10 s for an hour. The first has none: what is above
// that is theirs, and in the second the decoding, which all share.
func BenchmarkReading(b *testing.B) {
	const size = 1000
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 5, Floors: 10, RoomsPerFloor: 10, Location: time.UTC,
		Start: start, End: start.Add(time.Hour), Interval: 10 * time.Second,
	})
	require.NoError(b, err)
	var e simulate.Event
	var readings [][]byte
	for s.Next(&e) {
		readings = append(readings, e.Reading.AppendJSON(nil))
	}
	const windows, forest = "tumbling_window: {}", "isolation_forest: {}"
	for _, test := range []struct {
		name       string
		processors []string
	}{
		{"none", nil},
		{"windows", []string{windows}},
		{"windows and threshold", []string{windows, "threshold: {}"}},
		{"windows and spike_detector", []string{windows, "spike_detector: {}"}},
		{"windows and isolation_forest", []string{windows, forest}},
		{"windows and baseline", []string{windows, "baseline: {}"}},
		{"windows and silence", []string{windows, "silence: {}"}},
		{"all", []string{windows, forest, "threshold: {}", "spike_detector: {}", "baseline: {}", "silence: {}"}},
		{"all in one step", []string{"one_step: [ { tumbling_window: {} }, { isolation_forest: {} }, { threshold: {} }, { spike_detector: {} }, { baseline: {} }, { silence: {} } ]"}},
	} {
		b.Run(test.name, func(b *testing.B) {
			builder := service.NewStreamBuilder()
			require.NoError(b, builder.SetLoggerYAML(`level: "off"`))
			builder.SetThreads(1)
			send, err := builder.AddBatchProducerFunc()
			require.NoError(b, err)
			for _, yaml := range test.processors {
				require.NoError(b, builder.AddProcessorYAML(yaml))
			}
			require.NoError(b, builder.AddBatchConsumerFunc(func(context.Context, service.MessageBatch) error { return nil }))
			stream, err := builder.Build()
			require.NoError(b, err)
			go func() { _ = stream.Run(b.Context()) }()
			batch := func(n int) {
				messages := make(service.MessageBatch, 0, size)
				for _, raw := range readings[n*size%(len(readings)-size):][:size] {
					messages = append(messages, service.NewMessage(raw))
				}
				require.NoError(b, send(b.Context(), messages))
			}
			b.ReportAllocs()
			for n := range (b.N + size - 1) / size {
				batch(n)
			}
			b.StopTimer()
			require.NoError(b, stream.StopWithin(10*time.Second))
		})
	}
}
