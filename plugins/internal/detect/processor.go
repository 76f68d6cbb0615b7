package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/plugins/internal/carry"
)

// Processor asks detectors of each reading. It is safe for concurrent use.
type Processor struct {
	decoder   *carry.Decoder
	detectors []Detector
}

var _ service.BatchProcessor = (*Processor)(nil)

// NewProcessor returns a processor that asks detectors in this order.
func NewProcessor(detectors ...Detector) *Processor {
	return &Processor{decoder: carry.NewDecoder(time.Now), detectors: detectors}
}

// finding is an anomaly, or a continuation of one.
type finding struct {
	at      int // index of the message in its batch
	anomaly *anomaly.Anomaly
}

// ProcessBatch returns the messages as they came, followed by one for each
// anomaly, or continuation of one: those of a detector after those of the detector
// before it, in the order of the readings.
func (p *Processor) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	batch = slices.Clone(batch)
	items := p.decoder.Batch(batch)
	found := make([][]finding, len(p.detectors))
	err := carry.ByLane(items, func(lane carry.Lane, indices []int) error {
		part := part{lane: lane, messages: batch, items: items, indices: indices, content: fingerprintOf(items, indices)}
		for i, d := range p.detectors {
			more, err := d.judge(ctx, &part)
			if err != nil {
				return err
			}
			found[i] = append(found[i], more...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, of := range found {
		slices.SortStableFunc(of, func(a, b finding) int { return a.at - b.at })
		for _, f := range of {
			msg, err := f.message(batch)
			if err != nil {
				return nil, err
			}
			batch = append(batch, msg)
		}
	}
	return []service.MessageBatch{batch}, nil
}

func (f *finding) message(batch service.MessageBatch) (*service.Message, error) {
	content, err := json.Marshal(f.anomaly)
	if err != nil {
		return nil, fmt.Errorf("encoding anomaly of sensor %q: %w", f.anomaly.Reading.SensorID, err)
	}
	kind := carry.KindAnomaly
	if f.anomaly.Continues {
		kind = carry.KindContinuation
	}
	return carry.Derive(batch[f.at], kind, content, f.anomaly), nil
}

// Close saves what all detectors have learned.
func (p *Processor) Close(ctx context.Context) error {
	errs := make([]error, len(p.detectors))
	for i, d := range p.detectors {
		errs[i] = d.Close(ctx)
	}
	return errors.Join(errs...)
}
