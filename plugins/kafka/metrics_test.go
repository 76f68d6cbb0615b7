package kafka

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testkafka"
)

// series records metrics by name and label values.
type series struct {
	mu     sync.Mutex
	values map[string]int64
}

type point struct {
	s    *series
	name string
}

func (p point) Set(v int64) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.values[p.name] = v
}

func (p point) Incr(n int64) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.values[p.name] += n
}

func (p point) Timing(int64) {}

// at leaves out where in the pipeline the component is, as the host adds it.
func (s *series) at(name string, keys, values []string) point {
	for i, key := range keys {
		if key != "label" && key != "path" {
			name += fmt.Sprintf(" %s=%s", key, values[i])
		}
	}
	return point{s, name}
}

func (s *series) NewCounterCtor(name string, keys ...string) service.MetricsExporterCounterCtor {
	return func(labels ...string) service.MetricsExporterCounter { return s.at(name, keys, labels) }
}

func (s *series) NewTimerCtor(name string, keys ...string) service.MetricsExporterTimerCtor {
	return func(labels ...string) service.MetricsExporterTimer { return s.at(name, keys, labels) }
}

func (s *series) NewGaugeCtor(name string, keys ...string) service.MetricsExporterGaugeCtor {
	return func(labels ...string) service.MetricsExporterGauge { return s.at(name, keys, labels) }
}

func (s *series) Close(context.Context) error { return nil }

// ours returns the metrics of the plugin.
func (s *series) ours() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.values)
	maps.DeleteFunc(out, func(name string, _ int64) bool { return !strings.HasPrefix(name, "buildmon_") })
	return out
}

// Names of metrics are part of what users rely on.
func TestInputMetrics(t *testing.T) {
	brokers := testkafka.Start(t)
	testkafka.CreateTopic(t, brokers, "sensors", 1)
	seed(t, brokers, "sensors", 0, 10)

	recorded := &series{values: map[string]int64{}}
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterMetricsExporter("recorder", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return recorded, nil }))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML(`level: "off"`))
	require.NoError(t, builder.SetMetricsYAML(`recorder: {}`))
	require.NoError(t, builder.AddInputYAML(fmt.Sprintf(`
kafka:
  seed_brokers: [ %q ]
  topics: [ sensors ]
  consumer_group: buildmon
  batch_count: 4
`, brokers[0])))

	var deliveries int
	var lags []int64
	done := make(chan struct{})
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		deliveries++
		if deliveries == 2 {
			return errRefused
		}
		lags = append(lags, recorded.ours()["buildmon_kafka_input_lag_records topic=sensors partition=0"])
		if deliveries == 4 {
			close(done)
		}
		return nil
	}))
	runStream(t, builder, done)
	require.Equal(t, []int64{10, 6, 2}, lags)
	require.Equal(t, map[string]int64{
		"buildmon_kafka_input_lag_records topic=sensors partition=0": 0,
		"buildmon_kafka_input_rebalances_total":                      1,
		"buildmon_kafka_input_redelivered_batches_total":             1,
	}, recorded.ours())
}
