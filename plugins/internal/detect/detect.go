// Package detect is what processors that look for anomalies in single readings
// have in common: readings pass untouched, what is found is appended to their
// batch with a score on the one scale of all detectors, and a batch that comes again
// yields the same again.
package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/lanes"
)

// State is what a detector has learned from one lane.
type State interface {
	lanes.State

	// Judge appends what it finds on a reading to found, and learns from the
	// reading. What it finds has a strength; score and severity follow from it.
	Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly
}

// Ticker is a state that also finds something when nothing comes.
type Ticker interface {
	// Tick appends what it finds when nothing more came up to a time.
	Tick(at time.Time, found []*anomaly.Anomaly) []*anomaly.Anomaly
}

// Counter is a state that counts what it does. A metric costs as much to move by one
// as by a batch.
type Counter interface {
	// Count moves the metrics by what was counted since the last call.
	Count()
}

// Laned is a state that wants to know which lane it is of, for metrics.
type Laned interface {
	SetLane(name string)
}

// Scorer is a state that says of each reading how unusual it is, also of those that
// it does not report.
type Scorer interface {
	// Score is that of the reading that was judged last, from 0 to 1, by the measure of
	// the detector that strengths have too.
	Score() float64
}

// Scale is what every detector says of its scores, as a section of its description. What
// the strength is follows it.
const Scale = `
== Score and severity

The ` + "`anomaly_score`" + ` says how rare such a report is, on one scale for all detectors: n/(n + 3) if one in 10ⁿ readings is reported as strongly, so 0.5 is once in a thousand readings and 0.67 once in a million. That is counted in the last 1,000 reports of the detector and all readings of their time, in each lane (a Kafka partition), as if 1,000 readings had gone before the first; see the package internal/calibrate. What goes on counts once. So a first report has somewhat more than 0.5, a detector that reports often has less, and one that is quiet for long has more.

The ` + "`severity`" + ` says how much is wrong: it is low for a strength below 0.5, medium below 0.7, high below 0.9, and critical from there on. `

const fieldScores = "emit_scores"

// ScoreField is the configuration of whether readings get their scores. Only
// components whose state is a [Scorer] have it.
func ScoreField(component string) *service.ConfigField {
	return service.NewBoolField(fieldScores).Default(false).Advanced().
		Description("Whether to put the strength of every reading, from 0 to 1, into its metadata `" + scoreKey(component) + "`, so that a pipeline can evaluate the detector: that which its anomaly has or would have. It is not the `anomaly_score`, which says how rare that is. Strengths of what belongs to an event that was reported are made small, so that those from a threshold on are the anomalies.")
}

func scoreKey(component string) string { return "buildmon_" + component + "_score" }

// Processor judges readings by the state of their lane. It is safe for concurrent
// use.
type Processor[S State] struct {
	decoder *carry.Decoder
	states  *lanes.Keeper[*memory[S]]
	found   *service.MetricCounter
	score   string // metadata key of the scores; empty if nobody asks for them
}

var _ service.BatchProcessor = (*Processor[State])(nil)

// New returns the processor of a component, whose configuration has the field
// [lanes.Field]. fresh makes the state of a lane that is seen for the first time.
func New[S State](component string, conf *service.ParsedConfig, res *service.Resources, fresh func() S) (*Processor[S], error) {
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
	p := &Processor[S]{
		decoder: carry.NewDecoder(time.Now),
		states:  states,
		found:   res.Metrics().NewCounter("buildmon_"+component+"_anomalies_total", "metric"),
	}
	if conf.Contains(fieldScores) {
		emit, err := conf.FieldBool(fieldScores)
		if err != nil {
			return nil, err
		}
		if emit {
			p.score = scoreKey(component)
		}
	}
	return p, nil
}

// ProcessBatch returns the messages as they came, followed by one for each
// anomaly, or continuation of one, in the order of the readings.
func (p *Processor[S]) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	batch = slices.Clone(batch)
	items := p.decoder.Batch(batch)
	var found []finding
	err := carry.ByLane(items, func(lane carry.Lane, indices []int) error {
		if !slices.ContainsFunc(indices, func(i int) bool { return p.concerns(&items[i]) }) {
			return nil // a state that nothing is asked of needs no saving
		}
		content := fingerprintOf(items, indices)
		return p.states.Do(ctx, lane, func(m *memory[S]) {
			if m.last != content {
				m.last = content
				m.found, m.scores = p.judge(m, items, indices)
			}
			for place, score := range m.scores {
				if i := indices[place]; items[i].Reading != nil {
					batch[i].MetaSetMut(p.score, score)
				}
			}
			for _, f := range m.found {
				found = append(found, finding{indices[f.place], f.anomaly})
			}
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b finding) int { return a.place - b.place })
	for _, f := range found {
		content, err := json.Marshal(f.anomaly)
		if err != nil {
			return nil, fmt.Errorf("encoding anomaly of sensor %q: %w", f.anomaly.Reading.SensorID, err)
		}
		kind := carry.KindAnomaly
		if f.anomaly.Continues {
			kind = carry.KindContinuation
		}
		batch = append(batch, carry.Derive(batch[f.place], kind, content, f.anomaly))
	}
	return []service.MessageBatch{batch}, nil
}

// concerns tells whether a state has something to say on a message.
func (p *Processor[S]) concerns(item *carry.Item) bool {
	if item.Reading != nil {
		return true
	}
	var none S
	_, ticker := any(none).(Ticker)
	return ticker && !item.Tick.IsZero()
}

func (p *Processor[S]) judge(m *memory[S], items []carry.Item, indices []int) (found []finding, scores []float64) {
	state := m.state
	scorer, _ := any(state).(Scorer)
	if p.score != "" && scorer != nil {
		scores = make([]float64, len(indices))
	}
	var anomalies []*anomaly.Anomaly
	for place, i := range indices {
		if !p.concerns(&items[i]) {
			continue
		}
		if items[i].Reading == nil {
			anomalies = any(state).(Ticker).Tick(items[i].Tick, anomalies[:0])
		} else {
			m.reports.Judged()
			anomalies = state.Judge(items[i].Reading, anomalies[:0])
		}
		if scores != nil {
			scores[place] = scorer.Score()
		}
		for _, a := range anomalies {
			a.Severity, a.Score = anomaly.SeverityOf(a.Strength), m.reports.Score(a.Strength, a.Continues)
			if !a.Continues {
				p.found.Incr(1, a.Metric)
			}
			found = append(found, finding{place, a})
		}
	}
	if counter, ok := any(state).(Counter); ok {
		counter.Count()
	}
	return found, scores
}

// Close saves what was learned.
func (p *Processor[S]) Close(ctx context.Context) error { return p.states.Close(ctx) }

// memory is the state of a lane, what was reported of it, and what it said of the last
// batch. An output that cannot take a batch makes it come again, perhaps many times; to
// learn it each time would make its values look common, and to judge it by what came
// later could lose an anomaly.
type memory[S State] struct {
	state   S
	reports *calibrate.Reports

	last   fingerprint
	found  []finding
	scores []float64 // empty if nobody asks for them
}

// fingerprint tells batches apart by their readings and ticks.
type fingerprint struct {
	messages int
	hash     uint64
}

type finding struct {
	place   int // of the reading among those of the lane, or in the batch
	anomaly *anomaly.Anomaly
}

// The kind and version of saved states.
const (
	stateKind    = "reports"
	stateVersion = 1
)

// End tells the detector that its lane is no longer its own.
func (m *memory[S]) End() {
	if ender, ok := any(m.state).(lanes.Ender); ok {
		ender.End()
	}
}

// AppendBinary appends what was reported and, after it, the state of the detector.
func (m *memory[S]) AppendBinary(b []byte) ([]byte, error) {
	return m.state.AppendBinary(m.reports.Append(codec.AppendHeader(b, stateKind, stateVersion)))
}

// UnmarshalBinary replaces what was learned. A state from before reports were remembered
// is that of the detector alone, and nothing is known of its reports.
func (m *memory[S]) UnmarshalBinary(data []byte) error {
	reports := calibrate.NewReports()
	if codec.Kind(data) == stateKind {
		r := codec.NewReader(data, stateKind, stateVersion)
		reports.Read(r)
		data = r.Rest()
		if err := r.Close(); err != nil {
			return err
		}
	}
	if err := m.state.UnmarshalBinary(data); err != nil {
		return err
	}
	m.reports = reports
	return nil
}

func fingerprintOf(items []carry.Item, indices []int) fingerprint {
	f := fingerprint{messages: len(indices)}
	for _, i := range indices {
		f.hash = (f.hash ^ items[i].Digest) * 1099511628211 // the prime of FNV-1a
	}
	return f
}
