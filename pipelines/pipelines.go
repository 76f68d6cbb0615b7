// Package pipelines holds the pipelines that come with buildmon, for the
// commands that run them without files.
package pipelines

import _ "embed"

// Full is full.yaml: the whole way from a simulated portfolio through Kafka to
// Postgres.
//
//go:embed full.yaml
var Full string

// Standalone is standalone.yaml: the same without Kafka.
//
//go:embed standalone.yaml
var Standalone string
