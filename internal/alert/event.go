package alert

import (
	"encoding/json"
	"slices"
	"time"

	"buildmon/internal/anomaly"
)

// Subject is what an event is about, whichever detectors found it.
type Subject struct {
	SensorID string `json:"sensor_id"`
	Metric   string `json:"metric"`
	Drift    bool   `json:"drift,omitempty"` // the sensor drifts; other things may be wrong as well
}

// name is a Subject as a text.
func (s Subject) name() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("BUG: " + err.Error()) // texts are always written
	}
	return string(text)
}

// Place is where a sensor is; what is not known is empty.
type Place struct {
	RoomID   string `json:"room_id,omitempty"`
	Building string `json:"building,omitempty"`
	Floor    string `json:"floor,omitempty"`
	RoomType string `json:"room_type,omitempty"`
}

// Event is what is known of an event at one time.
type Event struct {
	Subject
	Place
	Started     time.Time        `json:"started_at"` // first reading at fault
	Last        time.Time        `json:"last_at"`    // last reading at fault
	Open        bool             `json:"open,omitempty"`
	Severity    anomaly.Severity `json:"severity"`     // at its worst
	Detector    string           `json:"detector"`     // of the worst
	Type        string           `json:"anomaly_type"` // of the worst
	Explanation string           `json:"explanation"`
}

// Members are the names by which events are matched and grouped.
var Members = []string{"sensor_id", "room_id", "building", "floor", "room_type", "detector", "anomaly_type", "metric"}

func (e *Event) member(name string) string {
	switch name {
	case "sensor_id":
		return e.SensorID
	case "room_id":
		return e.RoomID
	case "building":
		return e.Building
	case "floor":
		return e.Floor
	case "room_type":
		return e.RoomType
	case "detector":
		return e.Detector
	case "anomaly_type":
		return e.Type
	case "metric":
		return e.Metric
	}
	panic("BUG: unknown member " + name)
}

// Where is what members have to be. An empty Where fits everything.
type Where map[string]string

func (w Where) fits(e *Event) bool {
	for name, value := range w {
		if e.member(name) != value {
			return false
		}
	}
	return true
}

func (w Where) validate() error {
	for name := range w {
		if !slices.Contains(Members, name) {
			return unknownMember("where", name)
		}
	}
	return nil
}
