package anomaly

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"buildmon/internal/phrase"
	"buildmon/internal/reading"
)

// Types of findings about sensors that stopped reporting.
const (
	SensorSilent = "sensor_silent"
	GroupSilent  = "group_silent"
)

// Silence is what a finding about sensors that stopped reporting knows of them. It
// has no reading of its own: its anomaly is that of the last reading there was, so
// that it is the same finding whenever and however often it is made.
type Silence struct {
	// Together tells that most of those stopped that could: of the group, or of the
	// whole source if Group is empty. Several sources may see parts of one silence.
	Together bool   `json:"together"`
	Group    string `json:"group,omitempty"` // a name for people, such as "Building A, Floor 1"

	Sensors []SilentSensor `json:"sensors"` // at least one, in the order of their ids
	At      time.Time      `json:"at"`      // when they were found, by the clock of the source
}

// everything names what stopped when a whole source did.
const everything = "all sensors"

// Subject names what a silence is about: the sensor, or what stopped together. It
// stays the same while more sensors are found to have stopped with the first.
func (s *Silence) Subject() string {
	switch {
	case !s.Together:
		return s.Sensors[0].SensorID
	case s.Group == "":
		return everything
	}
	return s.Group
}

// SilentSensor is a sensor that stopped reporting.
type SilentSensor struct {
	SensorID                          string
	RoomID, Building, Floor, RoomType string
	Last                              time.Time     // of its latest reading
	Usual                             time.Duration // how often it reports
	Patience                          time.Duration // how long it may say nothing
}

// Metrics of silences, which tell a finding about one sensor from one about several
// that begins with the same reading.
const (
	silenceOfOne     = "silence"
	silenceOfSeveral = "group_silence"
)

// manySilent is how many sensors make a silence twice as severe.
const manySilent = 2

// NewSilence returns the anomaly of a silence. Its reading is the last that one of
// the sensors sent, without values, and says of their place what is true of all. It has
// no score.
func NewSilence(detector string, s *Silence) *Anomaly {
	last := slices.MaxFunc(s.Sensors, func(a, b SilentSensor) int {
		return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(b.SensorID, a.SensorID))
	})
	r := &reading.Reading{
		SensorID: last.SensorID, Time: last.Last, Values: reading.Absent(),
		RoomID: last.RoomID, Building: last.Building, Floor: last.Floor, RoomType: last.RoomType,
	}
	for _, m := range s.Sensors {
		for _, f := range [...]struct {
			all *string
			one string
		}{{&r.RoomID, m.RoomID}, {&r.Building, m.Building}, {&r.Floor, m.Floor}, {&r.RoomType, m.RoomType}} {
			if *f.all != f.one {
				*f.all = ""
			}
		}
	}
	strength := StrengthBeyond(float64(len(s.Sensors)), manySilent)
	a := &Anomaly{
		Reading: r, Detector: detector, Type: SensorSilent, Metric: silenceOfOne,
		Strength: strength, Severity: SeverityOf(strength),
		Value: math.NaN(), Low: math.NaN(), High: math.NaN(), Explanation: s.explain(), Silence: s,
	}
	if s.Together {
		a.Metric = silenceOfSeveral
	}
	if len(s.Sensors) > 1 {
		a.Type = GroupSilent
	}
	return a
}

// shown is how many sensors a sentence names.
const shown = 5

func (s *Silence) explain() string {
	n := len(s.Sensors)
	if n == 1 {
		m := &s.Sensors[0]
		where := ""
		if m.RoomID != "" {
			where = " in " + m.RoomID
		}
		return fmt.Sprintf("Sensor %s%s stopped reporting; it usually reports every %s.", m.SensorID, where, phrase.Duration(rounded(m.Usual)))
	}
	names := make([]string, 0, shown)
	for i := 0; i < n && i < shown; i++ {
		names = append(names, s.Sensors[i].SensorID)
	}
	list := strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	if n > shown {
		list = fmt.Sprintf("%s and %d more", strings.Join(names, ", "), n-shown)
	}
	if s.Group == "" {
		return fmt.Sprintf("%d sensors stopped reporting together, and nothing else came with them: %s. Look first at what brings their readings.", n, list)
	}
	return fmt.Sprintf("%d sensors of %s stopped reporting together: %s. Look first at their gateway, network or power.", n, s.Group, list)
}

// rounded leaves out what nobody would say of an interval.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute)
	case d >= time.Second:
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// silentRow is the JSON form of a SilentSensor.
type silentRow struct {
	SensorID string    `json:"sensor_id"`
	RoomID   string    `json:"room_id,omitempty"`
	Building string    `json:"building,omitempty"`
	Floor    string    `json:"floor,omitempty"`
	RoomType string    `json:"room_type,omitempty"`
	Last     time.Time `json:"last"`
	Usual    float64   `json:"usual_seconds"`
	Patience float64   `json:"patience_seconds"`
}

// MarshalJSON writes the sensor with durations in seconds.
func (m SilentSensor) MarshalJSON() ([]byte, error) {
	return json.Marshal(silentRow{m.SensorID, m.RoomID, m.Building, m.Floor, m.RoomType, m.Last, m.Usual.Seconds(), m.Patience.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *SilentSensor) UnmarshalJSON(data []byte) error {
	var w silentRow
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	const most = 1e9 // seconds, some thirty years
	switch {
	case w.SensorID == "" || w.Last.IsZero():
		return fmt.Errorf("a silent sensor needs sensor_id and last")
	case !(w.Usual >= 0 && w.Usual <= most && w.Patience >= 0 && w.Patience <= most):
		return fmt.Errorf("usual_seconds %v and patience_seconds %v of sensor %q must be 0 to %v", w.Usual, w.Patience, w.SensorID, float64(most))
	}
	seconds := func(v float64) time.Duration { return time.Duration(math.Round(v*1e6)) * time.Microsecond }
	*m = SilentSensor{w.SensorID, w.RoomID, w.Building, w.Floor, w.RoomType, w.Last.UTC().Truncate(time.Microsecond), seconds(w.Usual), seconds(w.Patience)}
	return nil
}
