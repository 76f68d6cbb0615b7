// Package step lets processors share one step of a pipeline: what the host does before
// and after each processor, what messages are decoded to, and how they divide into lanes.
package step

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/plugins/internal/carry"
)

// Step is what a processor does with batches. It lets all messages pass and adds others.
// It is safe for concurrent use.
type Step interface {
	// Process adds messages to a batch.
	Process(ctx context.Context, b *Batch) error

	// Close saves what is to be kept.
	Close(ctx context.Context) error
}

// Kind is a kind of step, which has a processor of its own.
type Kind struct {
	Name string
	Spec func() *service.ConfigSpec

	// New makes a step from a configuration of that kind.
	New func(conf *service.ParsedConfig, res *service.Resources) (Step, error)
}

// Processor makes a processor of one step of the kind.
func (k Kind) Processor(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
	s, err := k.New(conf, res)
	if err != nil {
		return nil, err
	}
	return NewProcessor(s), nil
}

// Batch is what came.
type Batch struct {
	Messages service.MessageBatch
	Items    []*carry.Item // what each message turned out to be
	Parts    []carry.Part

	added service.MessageBatch
}

// Add adds a message behind all others.
func (b *Batch) Add(msg *service.Message) { b.added = append(b.added, msg) }

// Processor does steps one after the other.
type Processor struct {
	decoder *carry.Decoder
	steps   []Step
}

var _ service.BatchProcessor = (*Processor)(nil)

// NewProcessor returns a processor that does steps in this order.
func NewProcessor(steps ...Step) *Processor {
	return &Processor{decoder: carry.NewDecoder(time.Now), steps: steps}
}

// ProcessBatch returns the messages as they came, followed by those that the first step
// adds, then by those of the second, and so on. If one fails nothing is added.
func (p *Processor) ProcessBatch(ctx context.Context, messages service.MessageBatch) ([]service.MessageBatch, error) {
	items := p.decoder.Batch(messages)
	b := &Batch{Messages: messages, Items: items, Parts: carry.ByLane(items)}
	for _, s := range p.steps {
		if err := s.Process(ctx, b); err != nil {
			return nil, err
		}
	}
	return []service.MessageBatch{slices.Concat(messages, b.added)}, nil
}

// Close closes all steps.
func (p *Processor) Close(ctx context.Context) error {
	errs := make([]error, len(p.steps))
	for i, s := range p.steps {
		errs[i] = s.Close(ctx)
	}
	return errors.Join(errs...)
}
