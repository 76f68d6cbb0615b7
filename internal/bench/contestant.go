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

	// Contestants that are buildmon run pipelines/monitor.yaml with some of its
	// processors, or all. The others are in perform.go.
	buildmon   bool
	all        bool
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

var everything = contestant{name: "everything on", buildmon: true, all: true}
