// Package detect is what processors that look for anomalies in single readings
// have in common: readings pass untouched, what is found is appended to their
// batch with a score on the one scale of all detectors, and a batch that comes again
// yields the same again.
package detect

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
)

// Kind is a kind of detector, which has a processor of its own.
type Kind struct {
	Name string
	Spec func() *service.ConfigSpec

	// New makes a detector from a configuration of that kind.
	New func(conf *service.ParsedConfig, res *service.Resources) (Detector, error)
}

// Processor makes a processor that has one detector of the kind.
func (k Kind) Processor(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
	d, err := k.New(conf, res)
	if err != nil {
		return nil, err
	}
	return NewProcessor(d), nil
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
	items    []*carry.Item        // of the whole batch
	indices  []int                // of those of the lane
	content  fingerprint
}

// readings are those among the messages from one to before another.
func (p *part) readings(from, to int) []*reading.Reading {
	list := make([]*reading.Reading, 0, to-from)
	for _, i := range p.indices[from:to] {
		if r := p.items[i].Reading; r != nil {
			list = append(list, r)
		}
	}
	return list
}

// fingerprint tells batches apart by their readings and ticks.
type fingerprint struct {
	messages int
	hash     uint64
}

func fingerprintOf(items []*carry.Item, indices []int) fingerprint {
	f := fingerprint{messages: len(indices)}
	for _, i := range indices {
		f.hash = (f.hash ^ items[i].Digest) * 1099511628211 // the prime of FNV-1a
	}
	return f
}
