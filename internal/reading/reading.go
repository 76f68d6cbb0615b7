package reading

import (
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Reading is one sensor's values at one instant. A Reading is not changed after
// it was decoded, so it may be shared between goroutines.
type Reading struct {
	SensorID string    // stable id of the device; never empty
	Time     time.Time // event time in UTC, whole microseconds

	// Where and what the sensor is; empty when the message does not say.
	RoomID, Building, Floor, RoomType, Status string

	// Values holds the well-known metrics; NaN marks an absent one. JSON cannot
	// express NaN, so the mark is never a value.
	Values [NumMetrics]float64

	// Extra holds all other members of the message, in the order they came.
	Extra []Field
}

// Field is a member of a message that has no column of its own.
type Field struct {
	Name   string
	Raw    []byte  // the JSON value as it came
	Number float64 // its value if it is a number, otherwise NaN
}

// Identity tells readings apart: two readings of one sensor at one instant are
// the same reading.
type Identity struct {
	SensorID string
	Micros   int64 // microseconds since the Unix epoch
}

// Identity returns the identity of the reading.
func (r *Reading) Identity() Identity {
	return Identity{SensorID: r.SensorID, Micros: r.Time.UnixMicro()}
}

// Value returns a metric by its name, one of the well-known ones or any number
// that the message held beside them.
func (r *Reading) Value(name string) (float64, bool) {
	if m, ok := ParseMetric(name); ok {
		v := r.Values[m]
		return v, !math.IsNaN(v)
	}
	for i := range r.Extra {
		if r.Extra[i].Name == name {
			v := r.Extra[i].Number
			return v, !math.IsNaN(v)
		}
	}
	return 0, false
}

// Label returns a text member by its name: one of sensor_id, room_id, building,
// floor, room_type and status, or any string that the message held beside them.
// It is empty when the message does not say.
func (r *Reading) Label(name string) string {
	switch name {
	case "sensor_id":
		return r.SensorID
	case "room_id":
		return r.RoomID
	case "building":
		return r.Building
	case "floor":
		return r.Floor
	case "room_type":
		return r.RoomType
	case "status":
		return r.Status
	}
	for i := range r.Extra {
		if f := &r.Extra[i]; f.Name == name && len(f.Raw) > 0 && f.Raw[0] == '"' {
			if s, err := jsontext.AppendUnquote(nil, f.Raw); err == nil {
				return string(s)
			}
		}
	}
	return ""
}

// AppendJSON appends the reading in its wire format.
func (r *Reading) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for _, s := range [...]struct{ name, value string }{
		{"sensor_id", r.SensorID},
		{"room_id", r.RoomID},
		{"building", r.Building},
		{"floor", r.Floor},
		{"room_type", r.RoomType},
	} {
		if s.value != "" {
			dst = appendString(appendName(dst, s.name), s.value)
		}
	}
	for m, v := range r.Values {
		if !math.IsNaN(v) {
			dst = strconv.AppendFloat(appendName(dst, metrics[m].name), v, 'f', -1, 64)
		}
	}
	if r.Status != "" {
		dst = appendString(appendName(dst, "status"), r.Status)
	}
	dst = append(appendName(dst, "timestamp"), '"')
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	return append(r.appendExtraMembers(dst), '}')
}

// AppendExtra appends the members without a column as one JSON object, or
// nothing when there are none.
func (r *Reading) AppendExtra(dst []byte) []byte {
	if len(r.Extra) == 0 {
		return dst
	}
	return append(r.appendExtraMembers(append(dst, '{')), '}')
}

func (r *Reading) appendExtraMembers(dst []byte) []byte {
	for i := range r.Extra {
		dst = append(appendString(appendComma(dst), r.Extra[i].Name), ':')
		dst = append(dst, r.Extra[i].Raw...)
	}
	return dst
}

func appendName(dst []byte, name string) []byte {
	dst = append(appendComma(dst), '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendComma(dst []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return dst
}

// appendString quotes s; invalid UTF-8 becomes the replacement character.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// Absent is the set of values of a reading that knows no well-known metric.
func Absent() [NumMetrics]float64 {
	var values [NumMetrics]float64
	for m := range values {
		values[m] = math.NaN()
	}
	return values
}
