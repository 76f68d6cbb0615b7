package iforest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"buildmon/internal/codec"
)

// MonitorConfig says what a [Monitor] watches.
type MonitorConfig struct {
	Detector DetectorConfig

	// MaxGroups bounds how many groups have a detector.
	MaxGroups int

	// Schema names what the values of a point and the groups mean. State that was
	// learned under another schema is refused.
	Schema string
}

// Validate reports the first setting that is out of bounds.
func (c MonitorConfig) Validate() error {
	if c.MaxGroups < 1 {
		return fmt.Errorf("max_groups must be positive, got %d", c.MaxGroups)
	}
	return c.Detector.Validate()
}

// Outcome is what a [Monitor] made of a reading.
type Outcome uint8

// The outcomes.
const (
	Learning  Outcome = iota // its group has not learned enough yet
	Crowded                  // there are too many groups; it is not learned from
	Usual                    // judged, within the threshold
	Anomalous                // judged, above the threshold
)

// Verdict is a judgement and, for an anomaly, its reasons.
type Verdict struct {
	Outcome Outcome
	Fitted  bool // the reading led to a fit, after it was judged

	Score  float64   // within (0, 1), if it was judged
	Shares []float64 // of each feature, for an anomaly; they add up to 1
	Bands  []Band    // of each feature, for an anomaly; not to be changed
}

// Monitor judges the readings of one ordered source, each by the detector of its
// group. It is not safe for concurrent use.
//
// Time is the latest event time seen; it never goes back. Every reading is judged,
// but only one that is newer than all before it of its sensor is learned from, so
// readings that come late, twice or in a redelivered batch change nothing.
type Monitor struct {
	cfg     MonitorConfig
	now     time.Time
	groups  map[string]*group
	sensors map[string]int64 // time of the newest reading, µs
	pruneAt int              // number of sensors at which old ones are forgotten
}

type group struct {
	detector *Detector
	last     int64 // time of the monitor when it last had a reading, µs
}

const minPrune = 1024

// NewMonitor returns a monitor that has learned nothing yet.
func NewMonitor(cfg MonitorConfig) (*Monitor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Monitor{cfg: cfg}
	m.reset()
	return m, nil
}

func (m *Monitor) reset() {
	m.now = time.Time{}
	m.groups, m.sensors, m.pruneAt = map[string]*group{}, map[string]int64{}, minPrune
}

// Observe judges a reading and then learns from it. Group and point are copied.
func (m *Monitor) Observe(sensor string, groupName []byte, at time.Time, point []float64) Verdict {
	if at.After(m.now) {
		m.now = at
	}
	g := m.group(groupName)
	if g == nil {
		return Verdict{Outcome: Crowded}
	}
	var v Verdict
	if d := g.detector; d.Ready() {
		v.Outcome = Usual
		var unusual bool
		if v.Score, unusual = d.Judge(point); unusual {
			v.Outcome, v.Shares, v.Bands = Anomalous, d.Explain(point), d.bands
		}
	}
	if m.isNews(sensor, at.UnixMicro()) {
		v.Fitted = g.detector.Learn(m.now, at, point, v.Outcome == Anomalous)
	}
	return v
}

// group finds or makes a group. When there are too many, the one that has been
// silent for longest makes room if all of its history is past.
func (m *Monitor) group(name []byte) *group {
	now := m.now.UnixMicro()
	g := m.groups[string(name)]
	if g == nil {
		if len(m.groups) >= m.cfg.MaxGroups {
			oldest := m.oldestGroup()
			if now-m.groups[oldest].last <= m.cfg.Detector.History.Microseconds() {
				return nil
			}
			delete(m.groups, oldest)
		}
		g = &group{detector: NewDetector(m.cfg.Detector)}
		m.groups[string(name)] = g
	}
	g.last = now
	return g
}

func (m *Monitor) oldestGroup() string {
	// By name where times are equal: the order of a map is random.
	return slices.MinFunc(slices.Collect(maps.Keys(m.groups)), func(a, b string) int {
		return cmp.Or(cmp.Compare(m.groups[a].last, m.groups[b].last), cmp.Compare(a, b))
	})
}

// isNews tells whether the reading is the newest of its sensor, and notes it.
func (m *Monitor) isNews(sensor string, at int64) bool {
	last, known := m.sensors[sensor]
	if known && at <= last {
		return false
	}
	if !known && len(m.sensors) >= m.pruneAt {
		// Readings older than the history are not learned from in any case.
		oldest := m.now.Add(-m.cfg.Detector.History).UnixMicro()
		maps.DeleteFunc(m.sensors, func(_ string, last int64) bool { return last < oldest })
		m.pruneAt = max(minPrune, 2*len(m.sensors))
	}
	m.sensors[sensor] = at
	return true
}

const (
	monitorKind    = "isolation_forest"
	monitorVersion = 1
)

// MarshalBinary writes all that was learned, with a version.
func (m *Monitor) MarshalBinary() ([]byte, error) {
	b := codec.AppendHeader(nil, monitorKind, monitorVersion)
	b = codec.AppendString(b, m.cfg.Schema)
	b = codec.AppendInt(b, m.now.UnixMicro())
	b = codec.AppendUint(b, uint64(len(m.sensors)))
	for _, sensor := range slices.Sorted(maps.Keys(m.sensors)) {
		b = codec.AppendInt(codec.AppendString(b, sensor), m.sensors[sensor])
	}
	b = codec.AppendUint(b, uint64(len(m.groups)))
	for _, name := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[name]
		b = codec.AppendInt(codec.AppendString(b, name), g.last)
		b = g.detector.append(b)
	}
	return b, nil
}

// UnmarshalBinary replaces what was learned by what MarshalBinary wrote. It
// refuses other versions and schemas, and then the monitor has learned nothing.
// Settings other than the schema may have changed since: a fixed threshold and
// bounds apply at once, others from the next fit on.
func (m *Monitor) UnmarshalBinary(data []byte) error {
	m.reset()
	r := codec.NewReader(data, monitorKind, monitorVersion)
	if schema := r.String(); r.OK() && schema != m.cfg.Schema {
		r.Fail("it was learned from %.200q, want %.200q", schema, m.cfg.Schema)
	}
	m.now = time.UnixMicro(r.Int()).UTC()
	for range r.Len(2) {
		sensor := r.String()
		m.sensors[sensor] = r.Int()
	}
	m.pruneAt = max(minPrune, 2*len(m.sensors))
	for range r.Len(4) {
		if !r.OK() {
			break
		}
		name := r.String()
		g := &group{detector: NewDetector(m.cfg.Detector), last: r.Int()}
		g.detector.read(r)
		m.groups[name] = g
	}
	if err := r.Close(); err != nil {
		m.reset()
		return fmt.Errorf("decoding state: %w", err)
	}
	return nil
}
