// Package prometheus registers the prometheus metrics exporter, which serves the
// metrics of all components to a Prometheus server that asks for them.
package prometheus

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	fieldHistogramTiming  = "use_histogram_timing"
	fieldHistogramBuckets = "histogram_buckets"
	fieldProcessMetrics   = "add_process_metrics"
	fieldGoMetrics        = "add_go_metrics"
)

func spec() *service.ConfigSpec {
	buckets := make([]any, len(prometheus.DefBuckets))
	for i, b := range prometheus.DefBuckets {
		buckets[i] = b
	}
	return service.NewConfigSpec().
		Version("0.1.0").
		Summary("Serves metrics in the format of Prometheus at `/metrics` and `/stats` of the HTTP server.").
		Description(`
Prometheus reads the metrics from the address of the `+"`http`"+` section, port 4195
unless configured otherwise. Metrics keep the names that components give them,
with characters that Prometheus does not allow replaced by underscores.

== Timings

By default a timing becomes a summary in nanoseconds with the quantiles 0.5, 0.9
and 0.99 of the last five to ten minutes, and keeps its name, such as `+"`input_latency_ns`"+`.
Quantiles of several processes cannot be merged. With `+"`use_histogram_timing`"+` it
becomes a histogram in seconds, which can, and its name ends in `+"`_seconds`"+` in place
of `+"`_ns`"+`.

== Memory

Each combination of label values is kept until the process ends: about 400
bytes for a counter, and up to 75 kilobytes for a summary. Labels of the `+"`metric`"+`
processor must come from a small set; the name of a sensor is not one.`).
		Fields(
			service.NewBoolField(fieldHistogramTiming).
				Description("Export timings as histograms in seconds instead of summaries in nanoseconds. Choose this to see the latency of several processes as one.").
				Default(false),
			service.NewFloatListField(fieldHistogramBuckets).
				Description("The upper bounds of the buckets of each histogram, in seconds, in rising order. More buckets make quantiles more exact and every scrape larger.").
				LintRule(`root = match {
  this.type() != "array" => []
  this.length() == 0 => [ "must have at least one bucket" ]
  this.any(b -> b <= 0) => [ "must be positive" ]
  this.unique() != this || this.sort() != this => [ "must be in rising order" ]
}`).
				Advanced().
				Default(buckets),
			service.NewBoolField(fieldProcessMetrics).
				Description("Add the CPU time, memory and open files of this process.").
				Advanced().
				Default(false),
			service.NewBoolField(fieldGoMetrics).
				Description("Add the goroutines, garbage collections and heap of this process.").
				Advanced().
				Default(false),
		).
		Example("Latency of several processes", "Histograms can be added up over processes, so that Prometheus can tell the latency of all of them.", `
metrics:
  prometheus:
    use_histogram_timing: true
    histogram_buckets: [ 0.001, 0.01, 0.1, 1, 10 ]
`)
}

func init() {
	service.MustRegisterMetricsExporter("prometheus", spec(),
		func(conf *service.ParsedConfig, log *service.Logger) (service.MetricsExporter, error) {
			return newFromConfig(conf, log)
		})
}

// exporter keeps a registry of its own, so that several streams of one process
// do not get in each other's way. It is safe for concurrent use.
type exporter struct {
	log      *service.Logger
	registry *prometheus.Registry
	buckets  []float64 // of histograms; nil where timings are summaries

	mu       sync.Mutex
	families map[string]*family
	warned   map[string]struct{}
}

var (
	_ service.MetricsExporter              = (*exporter)(nil)
	_ service.MetricsExporterSeriesDeleter = (*exporter)(nil)
)

func newFromConfig(conf *service.ParsedConfig, log *service.Logger) (*exporter, error) {
	e := &exporter{
		log:      log,
		registry: prometheus.NewRegistry(),
		families: map[string]*family{},
		warned:   map[string]struct{}{},
	}
	histograms, err := conf.FieldBool(fieldHistogramTiming)
	if err != nil {
		return nil, err
	}
	buckets, err := conf.FieldFloatList(fieldHistogramBuckets)
	if err != nil {
		return nil, err
	}
	if err := checkBuckets(buckets); err != nil {
		return nil, err
	}
	if histograms {
		e.buckets = buckets
	}
	for field, collector := range map[string]prometheus.Collector{
		fieldProcessMetrics: collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		fieldGoMetrics:      collectors.NewGoCollector(),
	} {
		wanted, err := conf.FieldBool(field)
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		if err := e.registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics of %s: %w", field, err)
		}
	}
	return e, nil
}

// checkBuckets refuses what a histogram would panic for.
func checkBuckets(buckets []float64) error {
	if len(buckets) == 0 {
		return fmt.Errorf("%s must have at least one bucket, got none", fieldHistogramBuckets)
	}
	if buckets[0] <= 0 {
		return fmt.Errorf("%s must be positive, got %v", fieldHistogramBuckets, buckets[0])
	}
	for i, b := range buckets[1:] {
		if b <= buckets[i] {
			return fmt.Errorf("%s must be in rising order, got %v after %v", fieldHistogramBuckets, b, buckets[i])
		}
	}
	return nil
}

// HandlerFunc is found by the host, which serves it at /metrics and /stats.
func (e *exporter) HandlerFunc() http.HandlerFunc {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{
		// One bad metric must not hide the others.
		ErrorHandling: promhttp.ContinueOnError,
	}).ServeHTTP
}

func (e *exporter) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	f := e.family(kindCounter, name, labels)
	return func(values ...string) service.MetricsExporterCounter {
		if c, ok := e.series(f, values).(prometheus.Counter); ok {
			return counter{c}
		}
		return nothing{}
	}
}

func (e *exporter) NewGaugeCtor(name string, labels ...string) service.MetricsExporterGaugeCtor {
	f := e.family(kindGauge, name, labels)
	return func(values ...string) service.MetricsExporterGauge {
		if g, ok := e.series(f, values).(prometheus.Gauge); ok {
			return gauge{g}
		}
		return nothing{}
	}
}

func (e *exporter) NewTimerCtor(name string, labels ...string) service.MetricsExporterTimerCtor {
	kind, unit := kindSummary, 1.0
	if e.buckets != nil {
		kind, unit = kindHistogram, nanosecond
		name = secondsName(name)
	}
	f := e.family(kind, name, labels)
	return func(values ...string) service.MetricsExporterTimer {
		if o, ok := e.series(f, values).(prometheus.Observer); ok {
			return timer{o, unit}
		}
		return nothing{}
	}
}

// DeleteSeriesPartialMatch forgets every series that has all these labels.
func (e *exporter) DeleteSeriesPartialMatch(labels map[string]string) {
	match := make(prometheus.Labels, len(labels))
	for name, value := range labels {
		match[labelName(name)] = validText(value)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.families {
		f.vec.DeletePartialMatch(match)
	}
}

// Close does nothing: there is nothing to flush, and the HTTP server is the
// host's.
func (e *exporter) Close(context.Context) error { return nil }

// family returns the metric of that name, new or registered before, for
// components share names. A name that stands for something else already gives
// nil and a warning.
func (e *exporter) family(kind kind, name string, labels []string) *ordered {
	name = metricName(name)
	names := make([]string, len(labels))
	for i, label := range labels {
		names[i] = labelName(label)
	}
	sorted := slices.Sorted(slices.Values(names))

	e.mu.Lock()
	defer e.mu.Unlock()
	f, found := e.families[name]
	if !found {
		if slices.Contains(sorted, kind.ownLabel()) {
			e.warnLocked(name, fmt.Sprintf("leaving out metric %q: a %v has a label %q of its own", name, kind, kind.ownLabel()))
			return nil
		}
		f = newFamily(kind, name, sorted, e.buckets)
		if err := e.registry.Register(f.vec); err != nil {
			e.warnLocked(name, fmt.Sprintf("leaving out metric %q: %v", name, err))
			return nil
		}
		e.families[name] = f
	}
	if f.kind != kind || !slices.Equal(f.labels, sorted) {
		e.warnLocked(name, fmt.Sprintf("leaving out a %v %q with labels %q: there is a %v of that name with labels %q",
			kind, name, sorted, f.kind, f.labels))
		return nil
	}
	return &ordered{family: f, order: order(names, f.labels)}
}

// series returns the metric for these label values, or nil and a warning.
func (e *exporter) series(f *ordered, values []string) prometheus.Metric {
	if f == nil {
		return nil
	}
	m, err := f.with(values)
	if err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.warnLocked(f.name, fmt.Sprintf("leaving out metric %q: %v", f.name, err))
		return nil
	}
	return m
}

// warnLocked logs the first warning about each metric.
func (e *exporter) warnLocked(metric, text string) {
	if _, again := e.warned[metric]; !again {
		e.warned[metric] = struct{}{}
		e.log.Warn(text)
	}
}
