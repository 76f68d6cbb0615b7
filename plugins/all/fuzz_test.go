package all_test

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	"buildmon/internal/testfuzz"
)

// Whatever the config of a component is, it is linted and parsed without a panic.
func FuzzConfig(f *testing.F) {
	components := []string{
		"input: {kafka: {seed_brokers: [a:1], topics: [t], consumer_group: g, session_timeout: 1ms}}",
		"input: {sensor_simulator: {interval: 10s, start_time: now}}",
		"pipeline: {processors: [{tumbling_window: {size: 30s, group_by: [building]}}]}",
		"pipeline: {processors: [{isolation_forest: {trees: 10, contamination: auto}}, {threshold: {}}, {spike_detector: {window: 3}}, {baseline: {}}]}",
		"output: {postgres: {dsn: 'postgres://u:p@h/d', timeout: 1s, retention: {readings: 24h}}}",
		"output: {kafka: {seed_brokers: [a:1], topic: t, key: '${! meta(\"k\") }'}}",
		"cache_resources: [{label: c, postgres: {dsn: x}}]",
		"metrics: {prometheus: {}}",
	}
	for _, c := range components {
		f.Add([]byte(c))
	}
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	testfuzz.Bytes(f, func(_ *testing.T, text []byte) {
		if yaml.Unmarshal(text, new(yaml.Node)) != nil {
			return
		}
		_, _ = linter.LintYAML(text)
	})
}
