// Package alert decides who is told what about events, and when.
//
// An event is what is wrong with a metric of a sensor. Those about one thing, by default
// the same metric of a sensor, are one alert.
// Each route is told once that an alert is new, again when it gets worse, and that
// it is resolved when all of its events are over. What a group, by default a
// building, has to say at one time is one message.
//
// An [Engine] is driven by the time it is given and by events as they are at that
// time. It reads no clock, starts nothing, and is the same after its state went
// through JSON. What live pipelines send and what a replay of last week counts are
// calls of the same Step.
package alert
