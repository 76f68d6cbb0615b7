package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// newExporter also returns what is logged.
func newExporter(t *testing.T, yaml string) (*exporter, *bytes.Buffer) {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	var log bytes.Buffer
	e, err := newFromConfig(conf, service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e, &log
}

// scrape returns the lines that a Prometheus server would read, without
// comments, and checks that it could read them.
func scrape(t *testing.T, handler http.Handler) []string {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	body := answer.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	_, err := parser.TextToMetricFamilies(strings.NewReader(body))
	require.NoError(t, err, body)
	var lines []string
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestConfig(t *testing.T) {
	for _, test := range []struct{ yaml, errContains string }{
		{yaml: "{}"},
		{yaml: "use_histogram_timing: true"},
		{yaml: "histogram_buckets: [ 0.5, 1, 2 ]"},
		{yaml: "histogram_buckets: []", errContains: "histogram_buckets must have at least one bucket, got none"},
		{yaml: "histogram_buckets: [ 0, 1 ]", errContains: "histogram_buckets must be positive, got 0"},
		{yaml: "histogram_buckets: [ 1, 3, 2 ]", errContains: "histogram_buckets must be in rising order, got 2 after 3"},
		{yaml: "histogram_buckets: [ 1, 1 ]", errContains: "histogram_buckets must be in rising order, got 1 after 1"},
	} {
		t.Run(test.yaml, func(t *testing.T) {
			conf, err := spec().ParseYAML(test.yaml, nil)
			require.NoError(t, err)
			_, err = newFromConfig(conf, nil)

			linter := service.GlobalEnvironment().NewComponentConfigLinter()
			lints, lintErr := linter.LintMetricsYAML([]byte("prometheus:\n  " + test.yaml))
			require.NoError(t, lintErr)

			if test.errContains == "" {
				require.NoError(t, err)
				require.Empty(t, lints)
				return
			}
			require.ErrorContains(t, err, test.errContains)
			require.Len(t, lints, 1, "lint refuses what the constructor refuses")
		})
	}
}

func TestExporterKeepsFractions(t *testing.T) {
	e, log := newExporter(t, "")
	c := e.NewCounterCtor("energy_total", "building")("A")
	c.Incr(2)
	c.(interface{ IncrFloat64(float64) }).IncrFloat64(0.5)
	c.Incr(-1) // a counter cannot fall
	g := e.NewGaugeCtor("watermark")()
	g.Set(7)
	g.(interface{ SetFloat64(float64) }).SetFloat64(1.25)
	require.ElementsMatch(t, []string{`energy_total{building="A"} 2.5`, `watermark 1.25`}, scrape(t, e.HandlerFunc()))
	require.Empty(t, log.String())
}

func TestTimings(t *testing.T) {
	e, _ := newExporter(t, "")
	e.NewTimerCtor("input_latency_ns", "label")("in").Timing(int64(20 * time.Millisecond))
	require.ElementsMatch(t, []string{
		`input_latency_ns{label="in",quantile="0.5"} 2e+07`,
		`input_latency_ns{label="in",quantile="0.9"} 2e+07`,
		`input_latency_ns{label="in",quantile="0.99"} 2e+07`,
		`input_latency_ns_sum{label="in"} 2e+07`,
		`input_latency_ns_count{label="in"} 1`,
	}, scrape(t, e.HandlerFunc()))

	e, _ = newExporter(t, "{ use_histogram_timing: true, histogram_buckets: [ 0.01, 0.1 ] }")
	e.NewTimerCtor("input_latency_ns", "label")("in").Timing(int64(20 * time.Millisecond))
	require.ElementsMatch(t, []string{
		`input_latency_seconds_bucket{label="in",le="0.01"} 0`,
		`input_latency_seconds_bucket{label="in",le="0.1"} 1`,
		`input_latency_seconds_bucket{label="in",le="+Inf"} 1`,
		`input_latency_seconds_sum{label="in"} 0.02`,
		`input_latency_seconds_count{label="in"} 1`,
	}, scrape(t, e.HandlerFunc()))
}

// Components share names, each with the labels in an order of its own.
func TestSameMetricAgain(t *testing.T) {
	e, log := newExporter(t, "")
	e.NewCounterCtor("input_received", "label", "path")("in", "root.input").Incr(1)
	e.NewCounterCtor("input_received", "path", "label")("root.input", "in").Incr(2)
	require.Equal(t, []string{`input_received{label="in",path="root.input"} 3`}, scrape(t, e.HandlerFunc()))
	require.Empty(t, log.String())
}

// What cannot be exported is left out with one warning; everything else goes on.
func TestMetricThatCannotBe(t *testing.T) {
	for name, create := range map[string]func(e *exporter){
		"other labels":     func(e *exporter) { e.NewCounterCtor("taken", "floor")("1").Incr(1) },
		"other kind":       func(e *exporter) { e.NewGaugeCtor("taken", "building")("A").Set(1) },
		"timing":           func(e *exporter) { e.NewTimerCtor("taken", "building")("A").Timing(1) },
		"too few values":   func(e *exporter) { e.NewCounterCtor("taken", "building")().Incr(1) },
		"too many values":  func(e *exporter) { e.NewCounterCtor("taken", "building")("A", "B").Incr(1) },
		"label twice":      func(e *exporter) { e.NewCounterCtor("new", "floor", "floor")("1", "1").Incr(1) },
		"reserved in kind": func(e *exporter) { e.NewTimerCtor("new_ns", "quantile")("1").Timing(1) },
	} {
		t.Run(name, func(t *testing.T) {
			e, log := newExporter(t, "")
			e.NewCounterCtor("taken", "building")("A").Incr(5)
			for range 3 {
				create(e)
			}
			require.Equal(t, []string{`taken{building="A"} 5`}, scrape(t, e.HandlerFunc()))
			require.Equal(t, 1, strings.Count(log.String(), "leaving out"), log.String())
		})
	}
}

func TestNamesAreMadeValid(t *testing.T) {
	e, log := newExporter(t, "")
	e.NewCounterCtor("2nd.floor-visits", "sensor kind", "__meta", "9")("a\xffb\n", "m", "n").Incr(1)
	require.Equal(t, []string{`_2nd_floor_visits{_9="n",_meta="m",sensor_kind="a` + "\uFFFD" + `b\n"} 1`}, scrape(t, e.HandlerFunc()))
	require.Empty(t, log.String())
}

func TestDeleteSeries(t *testing.T) {
	e, _ := newExporter(t, "")
	received := e.NewCounterCtor("received", "stream", "path")
	received("one", "a").Incr(1)
	received("one", "b").Incr(1)
	received("two", "a").Incr(1)
	e.NewGaugeCtor("other", "path")("a").Set(1)
	e.DeleteSeriesPartialMatch(map[string]string{"stream": "one"})
	require.ElementsMatch(t, []string{`received{path="a",stream="two"} 1`, `other{path="a"} 1`}, scrape(t, e.HandlerFunc()))
}

func TestProcessAndGoMetrics(t *testing.T) {
	e, _ := newExporter(t, "")
	require.Empty(t, scrape(t, e.HandlerFunc()))
	e, _ = newExporter(t, "{ add_process_metrics: true, add_go_metrics: true }")
	lines := strings.Join(scrape(t, e.HandlerFunc()), "\n")
	require.Contains(t, lines, "process_start_time_seconds ")
	require.Contains(t, lines, "go_goroutines ")
}

func TestExporterIsSafeForConcurrentUse(t *testing.T) {
	e, log := newExporter(t, "")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				e.NewCounterCtor("shared", "by")("all").Incr(1)
				e.NewTimerCtor("time_ns", "by")(fmt.Sprint(i)).Timing(1)
				scrape(t, e.HandlerFunc())
			}
		})
	}
	group.Wait()
	require.Contains(t, scrape(t, e.HandlerFunc()), `shared{by="all"} 800`)
	require.Empty(t, log.String())
}

// The whole way: a stream whose metrics are read over HTTP.
func TestStreamServesMetrics(t *testing.T) {
	builder := service.NewStreamBuilder()
	router := http.NewServeMux()
	builder.SetHTTPMux(router)
	require.NoError(t, builder.SetYAML(`
input:
  label: sensors
  generate: { count: 3, interval: "", mapping: 'root.id = counter()' }
pipeline:
  processors:
    - metric: { type: counter_by, name: energy, value: "0.5" }
    - metric: { type: gauge, name: temperature, value: "21.5" }
output:
  label: nowhere
  drop: {}
metrics:
  prometheus: {}
logger: { level: none }
`))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))

	for _, path := range []string{"/metrics", "/stats"} {
		server := httptest.NewServer(router)
		answer, err := http.Get(server.URL + path)
		require.NoError(t, err)
		var body bytes.Buffer
		_, err = body.ReadFrom(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		server.Close()
		for _, line := range []string{
			`input_received{label="sensors",path="root.input"} 3`,
			`output_sent{label="nowhere",path="root.output"} 3`,
			`energy{label="",path="root.pipeline.processors.0"} 1.5`,
			`temperature{label="",path="root.pipeline.processors.1"} 21.5`,
			`output_latency_ns_count{label="nowhere",path="root.output"} 3`,
		} {
			require.Contains(t, body.String(), line+"\n")
		}
	}
}
