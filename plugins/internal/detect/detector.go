package detect

import (
	"context"
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

// Preparer is a state that wants to know of readings before it is asked about them.
type Preparer interface {
	// Prepare is told of readings that Judge is asked about next, in this order.
	Prepare(readings []*reading.Reading)
}

// some is how many messages of a batch a state is told of at once. What it remembers of
// them stays in the cache.
const some = 512

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

// detector keeps a state for each lane. It is safe for concurrent use.
type detector[S State] struct {
	states *lanes.Keeper[*memory[S]]
	found  *service.MetricCounter
	score  string // metadata key of the scores; empty if nobody asks for them
}

// New returns the detector of a component, whose configuration has the field
// [lanes.Field] and may have [ScoreField]. fresh makes the state of a lane that is seen
// for the first time.
func New[S State](component string, conf *service.ParsedConfig, res *service.Resources, fresh func() S) (Detector, error) {
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

func (d *detector[S]) judge(ctx context.Context, p *part) (found []finding, err error) {
	if !slices.ContainsFunc(p.indices, func(i int) bool { return d.concerns(p.items[i]) }) {
		return nil, nil // a state that nothing is asked of needs no saving
	}
	err = d.states.Do(ctx, p.lane, func(m *memory[S]) {
		if m.last != p.content {
			m.last = p.content
			m.found, m.scores = d.observe(m, p)
		}
		for place, score := range m.scores {
			if i := p.indices[place]; p.items[i].Reading != nil {
				p.messages[i].MetaSetMut(d.score, score)
			}
		}
		for _, f := range m.found {
			found = append(found, finding{p.indices[f.at], f.anomaly})
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

// observe judges what a state has not seen yet. Findings say at which of the indices of
// the part they are.
func (d *detector[S]) observe(m *memory[S], p *part) (found []finding, scores []float64) {
	state := m.state
	scorer, _ := any(state).(Scorer)
	if d.score != "" && scorer != nil {
		scores = make([]float64, len(p.indices))
	}
	preparer, _ := any(state).(Preparer)
	var anomalies []*anomaly.Anomaly
	for place, i := range p.indices {
		if preparer != nil && place%some == 0 {
			preparer.Prepare(p.readings(place, min(place+some, len(p.indices))))
		}
		item := p.items[i]
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

func (d *detector[S]) Close(ctx context.Context) error { return d.states.Close(ctx) }

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
