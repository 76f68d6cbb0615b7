package calibrate

import "buildmon/internal/codec"

// unknown is how many readings a detector is taken to have judged, with one report as
// strong as any, before anything is known of it: so its first report has a score of 0.5
// at least.
const unknown = 1000

// Reports says how rare a report of a detector is that says nothing of most readings.
//
// A detector gives each report a strength, from 0 to 1, by a measure of its own. Reports
// remembers the strengths of the last [DefaultSize] reports, and how many readings they
// came from. A report at least as strong is made with the probability
//
//	p = (1 + how many of the last reports are as strong)/(1000 + readings they came from)
//
// for a reading, with the tail of [Tail] beyond the strongest. Readings without a report
// are counted, so what never happened in a million of them is rarer than what never
// happened in a thousand.
//
// A Reports is not safe for concurrent use, and does not allocate once its memory is full.
type Reports struct {
	strengths *Tail
	readings  float64 // that they came from, and unknown of which only that is known
}

// NewReports returns reports of a detector of which nothing is known.
func NewReports() *Reports { return &Reports{NewTail(DefaultSize), unknown} }

// Judged counts a reading, whatever was said of it.
func (r *Reports) Judged() { r.readings++ }

// Score is that of a report about the reading that was counted last, by [Score]. It is
// remembered, unless it only continues what was reported: a fault counts once, however
// long it lasts.
func (r *Reports) Score(strength float64, continues bool) float64 {
	p := r.Probability(strength)
	if !continues {
		r.remember(strength)
	}
	return Score(p)
}

// Probability is how probable it is that a reading is reported at least as strongly,
// above 0 and at most 1.
func (r *Reports) Probability(strength float64) float64 {
	known := float64(1 + r.strengths.Len())
	return min(known/r.readings*r.strengths.Probability(strength), 1)
}

// remember takes a report. When there are too many, the oldest is forgotten, and with it
// its share of the readings.
func (r *Reports) remember(strength float64) {
	if r.strengths.Len() == DefaultSize {
		r.readings *= DefaultSize / (DefaultSize + 1.0)
	}
	r.strengths.Remember(strength)
}

// Append appends what is remembered to a state.
func (r *Reports) Append(b []byte) []byte {
	return r.strengths.Append(codec.AppendFloat(b, r.readings))
}

// Read replaces what is remembered by what Append wrote.
func (r *Reports) Read(from *codec.Reader) {
	if r.readings = from.Finite(); r.readings <= 0 {
		from.Fail("reports of %v readings cannot be", r.readings)
	}
	r.strengths.Read(from)
}
