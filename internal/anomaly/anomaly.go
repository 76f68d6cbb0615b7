// Package anomaly is what a detector says of a reading: how unusual it is, what
// was expected, and why, in a sentence for the person who looks after the room.
package anomaly

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"buildmon/internal/reading"
)

// Anomaly is one detector's finding on one reading. Sensor, time, detector and
// metric identify it, so a reading that is judged twice yields one row.
type Anomaly struct {
	Reading  *reading.Reading
	Detector string // name of the component, such as "threshold"
	Type     string // kind of finding, such as "temperature_too_high"
	Metric   string // the metric at fault, or MultipleMetrics

	// Strength is how much is wrong, from 0 to 1 by a measure of the detector: how far
	// past a limit, or how often a value repeated. Severity is derived from it.
	// It is known to the detector only: what travelled or was stored has the severity.
	Strength float64
	Severity Severity // by [SeverityOf]

	// Score is how rare it is that the detector says as much of a reading, from 0 to 1
	// by calibrate.Score, whatever the detector: 0.5 is once in a thousand readings.
	Score float64

	Value       float64 // of the metric; NaN when there is no single metric
	Low, High   float64 // expected range; NaN where it is open or unknown
	Explanation string  // one sentence

	// Continues tells that the finding belongs to what was reported already. It
	// makes an event longer and is no row of its own.
	Continues bool

	// Silence is what is known of sensors that stopped reporting, or nil: see
	// [NewSilence].
	Silence *Silence
}

// MultipleMetrics is the metric of a finding about several metrics together.
const MultipleMetrics = "multiple"

// Multivariate is the type of findings about a reading as a whole, whichever of
// its metrics is named.
const Multivariate = "multivariate"

// DriftSuffix ends the types of findings about a sensor that loses its calibration. They
// go on for days, in which other things may be wrong with the same metric.
const DriftSuffix = "_drift"

// Drifts tells whether that is such a type.
func Drifts(kind string) bool { return strings.HasSuffix(kind, DriftSuffix) }

// Subject is the metric that an event is about.
func (a *Anomaly) Subject() string {
	if a.Type == Multivariate {
		return MultipleMetrics
	}
	return a.Metric
}

// Severity is a coarse scale of how much is wrong, for people and alert rules.
type Severity string

// The severities, of strengths below 0.5, 0.7, 0.9 and above.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities are all of them, the mildest first.
var Severities = []Severity{Low, Medium, High, Critical}

// Rank orders severities: 1 for the mildest, 0 for what is none.
func (s Severity) Rank() int { return slices.Index(Severities, s) + 1 }

// SeverityOf is the severity of a strength.
func SeverityOf(strength float64) Severity {
	switch {
	case strength < 0.5:
		return Low
	case strength < 0.7:
		return Medium
	case strength < 0.9:
		return High
	}
	return Critical
}

// row is the JSON form; its names are the columns of the table.
type row struct {
	SensorID    string    `json:"sensor_id"`
	RoomID      string    `json:"room_id,omitempty"`
	Building    string    `json:"building,omitempty"`
	Floor       string    `json:"floor,omitempty"`
	RoomType    string    `json:"room_type,omitempty"`
	Timestamp   time.Time `json:"timestamp"`
	Detector    string    `json:"detector"`
	Type        string    `json:"anomaly_type"`
	Metric      string    `json:"metric"`
	Score       *float64  `json:"anomaly_score"`
	Severity    Severity  `json:"severity"`
	Value       *float64  `json:"value,omitempty"`
	Low         *float64  `json:"expected_low,omitempty"`
	High        *float64  `json:"expected_high,omitempty"`
	Explanation string    `json:"explanation"`
	Temperature *float64  `json:"temperature,omitempty"`
	Humidity    *float64  `json:"humidity,omitempty"`
	CO2         *float64  `json:"co2,omitempty"`
	Occupancy   *float64  `json:"occupancy,omitempty"`
	Energy      *float64  `json:"energy_consumption,omitempty"`

	Silence *Silence `json:"silence,omitempty"`
}

// MarshalJSON writes the anomaly under the names of its columns.
func (a *Anomaly) MarshalJSON() ([]byte, error) {
	r := a.Reading
	return json.Marshal(row{
		SensorID: r.SensorID, RoomID: r.RoomID, Building: r.Building, Floor: r.Floor, RoomType: r.RoomType,
		Timestamp: r.Time, Detector: a.Detector, Type: a.Type, Metric: a.Metric,
		Score: &a.Score, Severity: a.Severity, Value: optional(a.Value), Low: optional(a.Low), High: optional(a.High),
		Explanation: a.Explanation,
		Temperature: optional(r.Values[reading.Temperature]), Humidity: optional(r.Values[reading.Humidity]),
		CO2: optional(r.Values[reading.CO2]), Occupancy: optional(r.Values[reading.Occupancy]),
		Energy: optional(r.Values[reading.Energy]), Silence: a.Silence,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote, for anomalies that travelled
// through Kafka or a file. A severity that is missing is that of the score.
func (a *Anomaly) UnmarshalJSON(data []byte) error {
	var w row
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("decoding anomaly: %w", err)
	}
	switch {
	case w.SensorID == "":
		return fmt.Errorf("decoding anomaly: sensor_id is missing or empty")
	case w.Timestamp.IsZero():
		return fmt.Errorf("decoding anomaly of sensor %q: timestamp is missing", w.SensorID)
	case w.Detector == "" || w.Metric == "" || w.Type == "":
		return fmt.Errorf("decoding anomaly of sensor %q: detector, metric and anomaly_type are needed", w.SensorID)
	case w.Score == nil || *w.Score < 0 || *w.Score > 1:
		return fmt.Errorf("decoding anomaly of sensor %q: anomaly_score is missing or not within 0 to 1", w.SensorID)
	case w.Severity != "" && w.Severity.Rank() == 0:
		return fmt.Errorf("decoding anomaly of sensor %q: unknown severity %q, want one of %v", w.SensorID, w.Severity, Severities)
	}
	if w.Severity == "" { // of somebody who has one measure for both
		w.Severity = SeverityOf(*w.Score)
	}
	if w.Silence != nil {
		if len(w.Silence.Sensors) == 0 {
			return fmt.Errorf("decoding anomaly of sensor %q: silence names no sensors", w.SensorID)
		}
		*a = *NewSilence(w.Detector, w.Silence)
		a.Score = *w.Score
		return nil
	}
	*a = Anomaly{
		Reading: &reading.Reading{
			SensorID: w.SensorID, RoomID: w.RoomID, Building: w.Building, Floor: w.Floor, RoomType: w.RoomType,
			Time: w.Timestamp.UTC().Truncate(time.Microsecond),
			Values: [reading.NumMetrics]float64{
				reading.Temperature: orNaN(w.Temperature), reading.Humidity: orNaN(w.Humidity),
				reading.CO2: orNaN(w.CO2), reading.Occupancy: orNaN(w.Occupancy), reading.Energy: orNaN(w.Energy),
			},
		},
		Detector: w.Detector, Type: w.Type, Metric: w.Metric, Severity: w.Severity, Score: *w.Score,
		Value: orNaN(w.Value), Low: orNaN(w.Low), High: orNaN(w.High), Explanation: w.Explanation,
	}
	return nil
}

func optional(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
