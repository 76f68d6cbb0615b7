package detect

import (
	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
	"buildmon/plugins/internal/lanes"
)

// memory is the state of a lane, what was reported of it, and what it said of the last
// batch. An output that cannot take a batch makes it come again, perhaps many times; to
// learn it each time would make its values look common, and to judge it by what came
// later could lose an anomaly.
type memory[S State] struct {
	state   S
	reports *calibrate.Reports

	last   uint64 // digest of it
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
