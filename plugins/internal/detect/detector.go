package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/calibrate"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

// detector keeps a state for each lane. It is safe for concurrent use.
type detector[S State] struct {
	states *lanes.Keeper[*memory[S]]
	found  *service.MetricCounter
	score  string // metadata key of the scores; empty if nobody asks for them
}

// New returns the step of a component, whose configuration has the field
// [lanes.Field] and may have [ScoreField]. fresh makes the state of a lane that is seen
// for the first time.
func New[S State](component string, conf *service.ParsedConfig, res *service.Resources, fresh func() S) (step.Step, error) {
	states, err := lanes.New(conf, res, func(lane string) *memory[S] {
		m := &memory[S]{state: fresh(), reports: calibrate.NewReports()}
		if l, ok := any(m.state).(Laned); ok {
			l.SetLane(lane)
		}
		return m
	})
	if err != nil {
		return nil, err
	}
	score, err := scoreKeyIfAsked(component, conf)
	if err != nil {
		return nil, err
	}
	return &detector[S]{
		states: states,
		found:  res.Metrics().NewCounter("buildmon_"+component+"_anomalies_total", "metric"),
		score:  score,
	}, nil
}

// finding is an anomaly, or a continuation of one.
type finding struct {
	at      int // index of the message in its batch
	anomaly *anomaly.Anomaly
}

// Process adds a message for each anomaly, or continuation of one, in the order of the
// readings.
func (d *detector[S]) Process(ctx context.Context, b *step.Batch) error {
	var found []finding
	for i := range b.Parts {
		of, err := d.judge(ctx, b, &b.Parts[i])
		if err != nil {
			return err
		}
		found = append(found, of...)
	}
	slices.SortStableFunc(found, func(a, b finding) int { return a.at - b.at })
	for _, f := range found {
		content, err := json.Marshal(f.anomaly)
		if err != nil {
			return fmt.Errorf("encoding anomaly of sensor %q: %w", f.anomaly.Reading.SensorID, err)
		}
		kind := carry.KindAnomaly
		if f.anomaly.Continues {
			kind = carry.KindContinuation
		}
		b.Add(carry.Derive(b.Messages[f.at], kind, content, f.anomaly))
	}
	return nil
}

// judge returns what is found on the part of a batch that is of one lane.
func (d *detector[S]) judge(ctx context.Context, b *step.Batch, p *carry.Part) (found []finding, err error) {
	if !slices.ContainsFunc(p.Indices, func(i int) bool { return d.concerns(b.Items[i]) }) {
		return nil, nil // a state that nothing is asked of needs no saving
	}
	err = d.states.Do(ctx, p.Lane, func(m *memory[S]) {
		if m.last != p.Digest {
			m.last = p.Digest
			m.found, m.scores = d.observe(m, b.Items, p.Indices)
		}
		for place, score := range m.scores {
			if i := p.Indices[place]; b.Items[i].Reading != nil {
				b.Messages[i].MetaSetMut(d.score, score)
			}
		}
		for _, f := range m.found {
			found = append(found, finding{p.Indices[f.at], f.anomaly})
		}
	})
	return found, err
}

// concerns tells whether a state has something to say on a message.
func (d *detector[S]) concerns(item *carry.Item) bool {
	if item.Reading != nil {
		return true
	}
	var none S
	_, ticker := any(none).(Ticker)
	return ticker && !item.Tick.IsZero()
}

// observe judges what a state has not seen yet. Findings say at which of the indices they
// are.
func (d *detector[S]) observe(m *memory[S], items []*carry.Item, indices []int) (found []finding, scores []float64) {
	state := m.state
	scorer, _ := any(state).(Scorer)
	if d.score != "" && scorer != nil {
		scores = make([]float64, len(indices))
	}
	preparer, _ := any(state).(Preparer)
	var anomalies []*anomaly.Anomaly
	for place, i := range indices {
		if preparer != nil && place%some == 0 {
			preparer.Prepare(readingsOf(items, indices[place:min(place+some, len(indices))]))
		}
		item := items[i]
		if !d.concerns(item) {
			continue
		}
		if item.Reading == nil {
			anomalies = any(state).(Ticker).Tick(item.Tick, anomalies[:0])
		} else {
			m.reports.Judged()
			anomalies = state.Judge(item.Reading, anomalies[:0])
		}
		if scores != nil {
			scores[place] = scorer.Score()
		}
		for _, a := range anomalies {
			a.Severity, a.Score = anomaly.SeverityOf(a.Strength), m.reports.Score(a.Strength, a.Continues)
			if !a.Continues {
				d.found.Incr(1, a.Metric)
			}
			found = append(found, finding{place, a})
		}
	}
	if counter, ok := any(state).(Counter); ok {
		counter.Count()
	}
	return found, scores
}

func readingsOf(items []*carry.Item, indices []int) []*reading.Reading {
	list := make([]*reading.Reading, 0, len(indices))
	for _, i := range indices {
		if r := items[i].Reading; r != nil {
			list = append(list, r)
		}
	}
	return list
}

// Close saves what was learned.
func (d *detector[S]) Close(ctx context.Context) error { return d.states.Close(ctx) }
