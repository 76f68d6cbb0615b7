package window

import (
	"math"
	"time"

	"buildmon/internal/reading"
)

// Spec says which rows windows are made of.
type Spec struct {
	// Size is the length of a window, positive and in whole microseconds.
	Size time.Duration

	// GroupBy names the labels by which readings are grouped; see
	// [reading.Reading.Label]. Without names there is one group.
	GroupBy []string

	// Metrics names what is summarized; see [reading.Reading.Value].
	Metrics []string
}

// Pane is what the readings of one batch add to one window of one group.
type Pane struct {
	Start, End time.Time // half-open, UTC
	Size       time.Duration
	Group      []string // values of Spec.GroupBy, "" where a reading has none
	Spec       *Spec

	Count int64   // readings, those without any of the metrics included
	Stats []Stats // of each of Spec.Metrics

	// Members are the readings the pane was made of, in the order they came. A
	// reading that the batch holds twice is in it twice.
	Members []*reading.Reading

	// Progress of the source the batch came from: Watermark is the event time
	// before which the source is done, this batch included, and a source that has
	// been silent for Idle of processing time holds no window open any more.
	Source    string
	Watermark time.Time
	Idle      time.Duration
}

// Without returns the pane that the members for which known is false would have
// made. It asks once for each member, in order, so known may remember what it
// was asked to take repetitions out. Copies of a reading that disagree about
// their group are in different panes: who keeps the first copy of a batch must
// tell it from the others by its pointer, not by the order of panes. The pane
// itself is left as it is, and is returned if nothing is known.
func (p *Pane) Without(known func(*reading.Reading) bool) *Pane {
	rest := make([]*reading.Reading, 0, len(p.Members))
	for _, r := range p.Members {
		if !known(r) {
			rest = append(rest, r)
		}
	}
	if len(rest) == len(p.Members) {
		return p
	}
	q := *p
	q.Members = rest
	q.Count = int64(len(rest))
	q.Stats = make([]Stats, len(p.Spec.Metrics))
	columns := columnsOf(p.Spec.Metrics)
	for _, r := range rest {
		addTo(q.Stats, columns, r)
	}
	return &q
}

// column is where readings keep a metric: looking it up by name for each reading
// would cost more than all the rest.
type column struct {
	metric reading.Metric
	extra  string // name among the extra fields, or "" for a well-known metric
}

func columnsOf(metrics []string) []column {
	columns := make([]column, len(metrics))
	for i, name := range metrics {
		if m, ok := reading.ParseMetric(name); ok {
			columns[i].metric = m
		} else {
			columns[i].extra = name
		}
	}
	return columns
}

func (c *column) value(r *reading.Reading) (float64, bool) {
	if c.extra != "" {
		return r.Value(c.extra)
	}
	v := r.Values[c.metric]
	return v, !math.IsNaN(v)
}

// addTo counts the metrics that a reading has.
func addTo(stats []Stats, columns []column, r *reading.Reading) {
	for i := range columns {
		if v, ok := columns[i].value(r); ok {
			stats[i].Add(v)
		}
	}
}
