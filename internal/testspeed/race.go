//go:build race

package testspeed

const raceEnabled = true
