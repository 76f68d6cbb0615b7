package store

import (
	"slices"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// newPanes are the panes of the readings that are new. Those of the batch will do if
// each of their members was inserted as it is and counts once. Otherwise there are
// copies, or something was changed, dropped or known, and they are made again of what
// was inserted.
func (w *writing) newPanes() []*window.Pane {
	var made []*window.Pane
	counted := make([]int, len(w.inserted)) // by place, which part counted it last
	for i, part := range sameRows(w.batch.Panes) {
		n, exact := i+1, true
		for _, p := range part {
			for _, r := range p.Members {
				place := w.members.place(r)
				if place < 0 {
					w.result.Strangers++
					exact = false
					continue
				}
				if counted[place] == n || w.inserted[place] != r {
					exact = false
				}
				counted[place] = n
			}
		}
		if exact {
			made = append(made, part...)
			continue
		}
		var rest []*reading.Reading
		for place, r := range w.inserted {
			if r != nil && counted[place] == n {
				rest = append(rest, r)
			}
		}
		made = append(made, together(part).Panes(rest)...)
	}
	return made
}

// sameRows parts panes by the rows that they add to: two processors may make panes of
// the same readings for the same rows.
func sameRows(panes []*window.Pane) (parts [][]*window.Pane) {
	for _, p := range panes {
		i := slices.IndexFunc(parts, func(part []*window.Pane) bool {
			a, b := part[0].Spec, p.Spec
			return a == b || a.Size == b.Size && slices.Equal(slices.Sorted(slices.Values(a.GroupBy)), slices.Sorted(slices.Values(b.GroupBy)))
		})
		if i < 0 {
			i, parts = len(parts), append(parts, nil)
		}
		parts[i] = append(parts[i], p)
	}
	return parts
}

// together is the spec of panes that add to the same rows, with the metrics of all.
func together(panes []*window.Pane) *window.Spec {
	spec := *panes[0].Spec
	spec.Metrics = slices.Clone(spec.Metrics)
	for _, p := range panes {
		if p.Spec == panes[0].Spec {
			continue
		}
		for _, name := range p.Spec.Metrics {
			if !slices.Contains(spec.Metrics, name) {
				spec.Metrics = append(spec.Metrics, name)
			}
		}
	}
	return &spec
}
