package window

import (
	"encoding/binary"
	"math"
	"time"

	"buildmon/internal/column"
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

// Panes returns the panes that readings make, without progress, in the order of
// their first members. What a Tumbling makes of a batch is the same.
func (s *Spec) Panes(readings []*reading.Reading) []*Pane {
	var panes []*Pane
	byKey := map[string]*Pane{}
	columns := column.Of(s.Metrics)
	var key []byte
	for _, r := range readings {
		start := floor(r.Time.UnixMicro(), s.Size.Microseconds())
		key = binary.AppendVarint(key[:0], start)
		for _, name := range s.GroupBy {
			key = appendKey(key, r.Label(name))
		}
		p := byKey[string(key)]
		if p == nil {
			p = s.pane(start, r)
			byKey[string(key)] = p
			panes = append(panes, p)
		}
		p.Count++
		p.Members = append(p.Members, r)
		addTo(p.Stats, columns, r)
	}
	return panes
}

// pane is an empty pane of the window that starts there and the group of r.
func (s *Spec) pane(start int64, r *reading.Reading) *Pane {
	at := time.UnixMicro(start).UTC()
	p := &Pane{Start: at, End: at.Add(s.Size), Size: s.Size, Spec: s, Stats: make([]Stats, len(s.Metrics))}
	for _, name := range s.GroupBy {
		p.Group = append(p.Group, r.Label(name))
	}
	return p
}

// addTo counts the metrics that a reading has.
func addTo(stats []Stats, columns []column.Column, r *reading.Reading) {
	for i := range columns {
		if v := columns[i].Value(r); !math.IsNaN(v) {
			stats[i].Add(v)
		}
	}
}
