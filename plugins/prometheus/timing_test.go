package prometheus

import "testing"

// BenchmarkIncr is what a component pays that asks for the series each time, as
// the host's MetricCounter does.
func BenchmarkIncr(b *testing.B) {
	conf, err := spec().ParseYAML("", nil)
	if err != nil {
		b.Fatal(err)
	}
	e, err := newFromConfig(conf, nil)
	if err != nil {
		b.Fatal(err)
	}
	received := e.NewCounterCtor("input_received", "label", "path")
	b.ReportAllocs()
	for b.Loop() {
		received("in", "root.input").Incr(1)
	}
}
