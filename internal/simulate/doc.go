// Package simulate is a portfolio of office buildings that does not exist: rooms
// with people who come and go, air that grows stale, heating that follows a
// setpoint, and sensors that fail in ways that are known, because the simulator
// makes them fail.
//
// What a sensor says at an instant depends on the configuration and that instant
// alone. Every random draw is a function of the seed, the sensor and a position
// in time, readings lie on a grid that is aligned to the Unix epoch, and state
// with a memory, such as CO₂, is brought up to date over [WarmUp] before the
// first reading. So the same configuration yields the same stream, byte for
// byte on one architecture, and a simulator that starts later goes on with the same values: memory
// fades far below the last digit that a sensor shows.
//
// The package knows nothing of Benthos, JSON or Kafka, and never reads a clock.
// A [Simulator] makes readings in the order of their event time, a [Transport]
// loses that order and does other harm on request, and a [Pace] says when each
// is due.
//
// Numbers with a source name it; all others are chosen to look like a real
// building and say so.
package simulate
