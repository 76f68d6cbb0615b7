// Package reading is the one message type of buildmon: what a sensor said at one
// instant, how it looks on the wire, and which readings are accepted.
//
// A reading is identified by its sensor and its time, in microseconds because
// that is what Postgres keeps. It carries up to five well-known metrics; a
// metric that a sensor does not know is absent, never zero. Everything else that
// a message holds is kept as it came, and numbers in it are metrics too.
package reading
