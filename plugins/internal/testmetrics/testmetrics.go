// Package testmetrics tells tests what a stream has counted.
package testmetrics

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Recorder is a metrics exporter that keeps buildmon's own metrics. It is safe for
// concurrent use.
type Recorder struct {
	mu     sync.Mutex
	values map[string]int64
}

// Builder returns a builder of streams whose metrics a recorder keeps.
func Builder(t *testing.T) (*service.StreamBuilder, *Recorder) {
	t.Helper()
	r := &Recorder{values: map[string]int64{}}
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterMetricsExporter("recorder", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return r, nil }))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetMetricsYAML("recorder: {}"))
	return builder, r
}

// Values are the values of counters and gauges by name and labels, such as
// "buildmon_x_total policy=drop", as they are now.
func (r *Recorder) Values() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.values)
}

type series struct {
	recorder *Recorder
	name     string
}

func (s series) Incr(by int64) { s.change(func(v int64) int64 { return v + by }) }
func (s series) Set(to int64)  { s.change(func(int64) int64 { return to }) }
func (s series) Timing(int64)  {}

func (s series) change(to func(int64) int64) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if strings.HasPrefix(s.name, "buildmon_") {
		s.recorder.values[s.name] = to(s.recorder.values[s.name])
	}
}

func (r *Recorder) at(name string, keys, labels []string) series {
	for i, key := range keys {
		if key != "label" && key != "path" { // the host adds these
			name += " " + key + "=" + labels[i]
		}
	}
	return series{recorder: r, name: name}
}

// NewCounterCtor is for the host.
func (r *Recorder) NewCounterCtor(name string, keys ...string) service.MetricsExporterCounterCtor {
	return func(labels ...string) service.MetricsExporterCounter { return r.at(name, keys, labels) }
}

// NewGaugeCtor is for the host.
func (r *Recorder) NewGaugeCtor(name string, keys ...string) service.MetricsExporterGaugeCtor {
	return func(labels ...string) service.MetricsExporterGauge { return r.at(name, keys, labels) }
}

// NewTimerCtor is for the host.
func (r *Recorder) NewTimerCtor(name string, keys ...string) service.MetricsExporterTimerCtor {
	return func(labels ...string) service.MetricsExporterTimer { return r.at(name, keys, labels) }
}

// Close is for the host.
func (r *Recorder) Close(context.Context) error { return nil }
