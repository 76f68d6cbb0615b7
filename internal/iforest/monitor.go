package iforest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
	"buildmon/internal/features"
	"buildmon/internal/recent"
)

const (
	// MaxSensors is how many sensors a monitor keeps. A new one beyond it makes it
	// forget the half that has been silent longest.
	MaxSensors = 200_000

	// ForgetAfter is how long a sensor may be silent before it is forgotten.
	ForgetAfter = 30 * 24 * time.Hour
)

// MonitorConfig says what a [Monitor] watches.
type MonitorConfig struct {
	// Detector is how each group is judged. Its Features and Kept follow from Metrics
	// and Kinds.
	Detector DetectorConfig

	// Metrics is how many values a reading has, and Kinds what is judged of each.
	Metrics int
	Kinds   []features.Kind

	// Exact makes shares Shapley values, of up to [MaxPlayers] metrics.
	Exact bool

	// Quiet is how long nothing may be found on a sensor before what is found next is
	// another event.
	Quiet time.Duration

	// Scores is whether readings that are usual get a score, too.
	Scores bool

	// MaxGroups bounds how many groups have a detector.
	MaxGroups int

	// Schema names what the values of a reading and the groups mean. State that was
	// learned under another schema is refused.
	Schema string
}

// Validate reports the first setting that is out of bounds.
func (c MonitorConfig) Validate() error {
	switch {
	case c.Metrics < 1 || c.Metrics*(len(c.Kinds)+1) > MaxFeatures:
		return fmt.Errorf("metrics must be 1 to %d, got %d", MaxFeatures/(len(c.Kinds)+1), c.Metrics)
	case len(c.Kinds) == 0:
		return fmt.Errorf("features must name at least one")
	case c.Exact && c.Metrics > MaxPlayers:
		return fmt.Errorf("metrics must be at most %d to be explained exactly, got %d", MaxPlayers, c.Metrics)
	case c.Quiet <= 0:
		return fmt.Errorf("quiet must be positive, got %s", c.Quiet)
	case c.MaxGroups < 1:
		return fmt.Errorf("max_groups must be positive, got %d", c.MaxGroups)
	}
	return c.detector().Validate()
}

func (c *MonitorConfig) detector() DetectorConfig {
	d := c.Detector
	d.Features, d.Kept = c.Metrics*len(c.Kinds), c.Metrics
	return d
}

// Outcome is what a [Monitor] made of a reading.
type Outcome uint8

// The outcomes.
const (
	Learning   Outcome = iota // its group has not learned enough yet
	Crowded                   // there are too many groups; it is not learned from
	Incomplete                // more than half of its values are missing; it is not learned from
	Usual                     // judged, within the threshold
	Anomalous                 // judged, above the threshold
)

// Verdict is a judgement and, for an anomaly, its reasons.
type Verdict struct {
	Outcome Outcome
	Fitted  bool // the reading brought a new forest into use, after it was judged

	// Continues tells that an anomaly belongs to an event that was reported before, and
	// is not worse.
	Continues bool

	Score   float64  // from 0 to 1 by [calibrate.Score], if it was judged and is asked for
	Forest  float64  // score of the forest, within (0, 1)
	Reasons []Reason // one for each metric, for an anomaly that is more than was reported
}

// Reason is what a metric adds to an anomaly.
type Reason struct {
	Share float64 // of what makes the reading unusual; together they are 1 or 0
	Usual Band    // its usual range at this hour

	// Kind is the feature that adds most, and Off its value: how far the metric is from
	// what it is compared with.
	Kind features.Kind
	Off  float64
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
	sensors *recent.Map[sensor]
	ahead   ahead
}

// sensor is what is known of a sensor.
type sensor struct {
	features *features.Sensor

	// sustained is the mean of its last scores, 0 if there was none.
	sustained float64

	// Of its last event: the time of the last anomaly, µs, and the score that another
	// must exceed to be reported again.
	alarm  int64
	raised float64
}

type group struct {
	detector *Detector
	last     int64 // time of the monitor when it last had a reading, µs

	waiting []int // readings ahead that are to be scored
}

// worse is by how much the score of an anomaly must be larger than what was reported of
// its event to be reported again: about one severity.
const worse = 0.2

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
	m.groups, m.sensors = map[string]*group{}, recent.New[sensor](ForgetAfter, MaxSensors)
	m.ahead = ahead{}
}

func (m *Monitor) fresh() sensor { return sensor{features: features.NewSensor(m.cfg.Metrics)} }

// Observe judges a reading and then learns from it. Of what it is given only the id is kept.
func (m *Monitor) Observe(id string, groupName []byte, at time.Time, values []float64) Verdict {
	m.Prepare(id, groupName, at, values)
	return m.Judge()
}

// Prepare takes a reading that Judge is to judge. Some hundreds that are prepared before
// the first of them is judged take less time than each alone, and the verdicts are the
// same. Of what it is given only the id is kept. A value that is missing is NaN.
func (m *Monitor) Prepare(id string, groupName []byte, at time.Time, values []float64) {
	r, point := m.ahead.add(len(values) * (len(m.cfg.Kinds) + 1))
	if r.incomplete = incomplete(values); r.incomplete {
		return
	}
	if at.After(m.now) {
		m.now = at
	}
	r.now, r.at = m.now, at
	r.sensor = m.sensors.Get(id, at.UnixMicro(), m.fresh)
	r.late = r.sensor.features.Describe(at.UnixMicro(), values, m.cfg.Kinds, point)
	copy(point[len(values)*len(m.cfg.Kinds):], values)
	r.group = m.group(groupName)
}

func incomplete(values []float64) bool {
	missing := 0
	for _, v := range values {
		if v != v {
			missing++
		}
	}
	return 2*missing > len(values)
}

// Judge judges the first of the readings that were prepared and not judged, and then
// learns from it. There must be one.
func (m *Monitor) Judge() Verdict {
	r, point := m.ahead.take()
	switch {
	case r.incomplete:
		return Verdict{Outcome: Incomplete}
	case r.group == nil:
		return Verdict{Outcome: Crowded}
	}
	var v Verdict
	var j Judgement
	known, d := r.sensor, r.group.detector
	if d.Ready() {
		score := r.score
		if r.by != d.model {
			score = d.glance(point)
		}
		j = d.judge(r.now, score, Judgement{Sustained: known.sustained})
		v.Outcome, v.Forest = Usual, j.Score
		if j.Unusual || m.cfg.Scores {
			v.Score = calibrate.Score(d.Probability(j))
		}
		if j.Unusual {
			v.Outcome = Anomalous
			if v.Score > known.raised || !m.open(known, r.at.UnixMicro()) {
				v.Reasons = m.reasons(d, point, r.at) // which takes longer than all else
			}
			j.Continues, v.Continues = m.continues(known, r.at.UnixMicro(), v.Score, r.late)
		}
	}
	if !r.late {
		known.sustained = j.Sustained
		v.Fitted = d.Learn(r.now, r.at, point, j)
	}
	return v
}

// continues tells whether an anomaly belongs to an event that was reported, and whether
// it is not worse. It notes the anomaly unless it is late.
func (m *Monitor) continues(s *sensor, at int64, score float64, late bool) (same, nothingNew bool) {
	same = m.open(s, at)
	nothingNew = same && score <= s.raised+worse
	if !late {
		s.alarm = at
		if !nothingNew {
			s.raised = score
		}
	}
	return same, nothingNew
}

// open tells whether the last event of a sensor is going on at a time.
func (m *Monitor) open(s *sensor, at int64) bool {
	quiet := m.cfg.Quiet.Microseconds()
	return s.alarm != 0 && at-s.alarm <= quiet && s.alarm-at <= quiet
}

// reasons explain a point.
func (m *Monitor) reasons(d *Detector, point []float64, at time.Time) []Reason {
	kinds := m.cfg.Kinds
	credits := d.Explain(point)
	shares := make([]float64, m.cfg.Metrics)
	if m.cfg.Exact {
		shares = d.Shapley(point, m.cfg.Metrics)
	}
	reasons := make([]Reason, m.cfg.Metrics)
	for i := range reasons {
		of := credits[i*len(kinds):][:len(kinds)]
		if !m.cfg.Exact {
			for _, c := range of {
				shares[i] += c
			}
		}
		top := slices.Index(of, slices.Max(of))
		reasons[i] = Reason{Usual: d.Usual(i, at), Kind: kinds[top], Off: point[i*len(kinds)+top]}
	}
	for i, share := range Shares(shares) {
		reasons[i].Share = share
	}
	return reasons
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
		g = &group{detector: NewDetector(m.cfg.detector())}
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

const (
	monitorKind    = "isolation_forest"
	monitorVersion = 3 // the first had no features and no events, the second more of each hour
)

// AppendBinary appends all that was learned, with a version. All readings that were
// prepared must have been judged.
func (m *Monitor) AppendBinary(b []byte) ([]byte, error) {
	b = codec.AppendHeader(b, monitorKind, monitorVersion)
	b = codec.AppendString(b, m.cfg.Schema)
	b = codec.AppendInt(b, m.now.UnixMicro())
	b = codec.AppendUint(b, uint64(len(m.groups)))
	for _, name := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[name]
		b = codec.AppendInt(codec.AppendString(b, name), g.last)
		b = g.detector.append(b)
	}
	return m.sensors.Append(b, func(b []byte, s *sensor) []byte {
		b = codec.AppendFloat(codec.AppendInt(b, s.alarm), s.raised)
		return s.features.Append(codec.AppendFloat(b, s.sustained))
	}), nil
}

// UnmarshalBinary replaces what was learned by what AppendBinary wrote. It
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
	for range r.Len(4) {
		if !r.OK() {
			break
		}
		name := r.String()
		g := &group{detector: NewDetector(m.cfg.detector()), last: r.Int()}
		g.detector.read(r)
		m.groups[name] = g
	}
	m.sensors.Read(r, 1+8+8+features.MinBytes(m.cfg.Metrics), func(r *codec.Reader) sensor {
		s := m.fresh()
		s.alarm, s.raised, s.sustained = r.Int(), r.Finite(), r.Finite()
		s.features.Read(r)
		return s
	})
	if err := r.Close(); err != nil {
		m.reset()
		return fmt.Errorf("decoding state: %w", err)
	}
	return nil
}
