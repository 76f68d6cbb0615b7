package iforest

import (
	"slices"
	"time"
)

// ahead are readings that have been prepared, in order, up to the last that was not
// judged yet. What a reading is like does not depend on what was said of those before. So
// all readings of a batch can be described first, and those of a group scored together:
// its forest comes into the cache once.
type ahead struct {
	readings []prepared
	points   []float64 // of each reading its features and then its values
	judged   int       // the first readings
	scored   int       // the first readings, as far as there was a forest

	// Scratch.
	together *together
	groups   []*group    // that have readings to score
	some     [][]float64 // features of the readings of one of them
	scores   []float64
}

// prepared is a reading that was described.
type prepared struct {
	incomplete bool // and nothing else is known
	sensor     *sensor
	group      *group // nil if there are too many
	now, at    time.Time
	late       bool

	// A score, and the model that it is by. The group may have another by now.
	score float64
	by    *model
}

// add adds a reading and its point, which are to be filled.
func (a *ahead) add(width int) (r *prepared, point []float64) {
	if a.judged == len(a.readings) {
		clear(a.readings) // lets go of models that are not in use any more
		a.readings, a.points, a.judged, a.scored = a.readings[:0], a.points[:0], 0, 0
	}
	a.readings = append(a.readings, prepared{})
	a.points = slices.Grow(a.points, width)[:len(a.points)+width]
	return &a.readings[len(a.readings)-1], a.point(len(a.readings) - 1)
}

// take returns the first reading that was not judged, and its point. If others follow,
// they are scored first.
func (a *ahead) take() (r *prepared, point []float64) {
	if a.scored < len(a.readings) && a.judged < len(a.readings)-1 {
		a.score()
	}
	a.judged++
	return &a.readings[a.judged-1], a.point(a.judged - 1)
}

func (a *ahead) point(i int) []float64 {
	width := len(a.points) / len(a.readings)
	return a.points[i*width:][:width]
}

// score scores the readings that are not, group by group.
func (a *ahead) score() {
	if a.together == nil {
		a.together = new(together)
	}
	a.groups = a.groups[:0]
	for ; a.scored < len(a.readings); a.scored++ {
		g := a.readings[a.scored].group
		if g == nil || !g.detector.Ready() {
			continue
		}
		if len(g.waiting) == 0 {
			a.groups = append(a.groups, g)
		}
		g.waiting = append(g.waiting, a.scored)
	}
	for _, g := range a.groups {
		m := g.detector.model
		a.some = a.some[:0]
		for _, i := range g.waiting {
			a.some = append(a.some, a.point(i)[:m.forest.features])
		}
		a.scores = slices.Grow(a.scores[:0], len(a.some))[:len(a.some)]
		glances(a.together, m.forest, a.some, m.common, a.scores)
		for k, i := range g.waiting {
			a.readings[i].score, a.readings[i].by = a.scores[k], m
		}
		g.waiting = g.waiting[:0]
	}
	clear(a.groups) // some may be thrown out before there are others
}
