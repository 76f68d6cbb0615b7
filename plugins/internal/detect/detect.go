// Package detect is what processors that look for anomalies in single readings
// have in common: readings pass untouched, what is found is appended to their
// batch with a score on the one scale of all detectors, and a batch that comes again
// yields the same again.
package detect

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/lanes"
)

// Kind is a kind of detector: how it is configured and made, by a processor of its own or
// by one that asks several detectors.
type Kind struct {
	Name   string
	Fields func() []*service.ConfigField // without that of its state
	Rule   string                        // lints the fields together; may be empty

	// New makes a detector that saves its states as configured.
	New func(conf *service.ParsedConfig, res *service.Resources, states lanes.Config) (Detector, error)
}

// Detector judges readings by what it has learned from their lane. [New] makes one.
type Detector interface {
	// judge returns what is found on the part of a batch that is of one lane.
	judge(ctx context.Context, p *part) ([]finding, error)

	// Close saves what was learned.
	Close(ctx context.Context) error
}

// part is what a batch has of one lane.
type part struct {
	lane     carry.Lane
	messages service.MessageBatch // of the whole batch
	items    []carry.Item         // of the whole batch
	indices  []int                // of those of the lane
	content  fingerprint
}

// fingerprint tells batches apart by their readings and ticks.
type fingerprint struct {
	messages int
	hash     uint64
}

func fingerprintOf(items []carry.Item, indices []int) fingerprint {
	f := fingerprint{messages: len(indices)}
	for _, i := range indices {
		f.hash = (f.hash ^ items[i].Digest) * 1099511628211 // the prime of FNV-1a
	}
	return f
}

// Spec completes the description of a processor that has one detector of the kind.
func (k Kind) Spec(about *service.ConfigSpec) *service.ConfigSpec {
	about = about.Fields(k.Fields()...).Field(lanes.Field(k.Name))
	if k.Rule != "" {
		about = about.LintRule(k.Rule)
	}
	return about
}

// Processor makes a processor that has one detector of the kind.
func (k Kind) Processor(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
	states, err := lanes.Parse(conf)
	if err != nil {
		return nil, err
	}
	d, err := k.New(conf, res, states)
	if err != nil {
		return nil, err
	}
	return NewProcessor(d), nil
}
