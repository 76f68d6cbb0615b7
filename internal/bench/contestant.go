//go:build linux

package main

// The contestants that are not buildmon, by what they are called in tables.
const (
	consumeOnly   = "consume and discard"
	consumeDecode = "consume, decode"
	copyPlain     = "COPY without key"
	copyKeyed     = "COPY with key"
	copyStaged    = "COPY, then ON CONFLICT"
	calibration   = "calibration"
)

// contestant is a program that reads the topic, or a part of one.
type contestant struct {
	name string

	// pipeline names the processors of pipelines/monitor.yaml that buildmon runs with.
	// Contestants without it are in perform.go.
	buildmon   bool
	processors []string
	settings   []string // further ones, as of -s
}

var contestants = []contestant{
	{name: consumeOnly},
	{name: consumeDecode},
	{name: copyPlain},
	{name: copyKeyed},
	{name: copyStaged},
	{name: calibration},
	{name: "storage only", buildmon: true},
	{name: "with windows", buildmon: true, processors: []string{"tumbling_window"}},
	everything,
}

var everything = contestant{
	name: "everything on", buildmon: true,
	processors: []string{"tumbling_window", "isolation_forest", "threshold", "spike_detector"},
}
