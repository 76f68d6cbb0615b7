package reading

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// What a decoder accepts. The bounds exclude what no building sensor can mean;
// they are not limits of comfort or safety.
const (
	MaxBytes  = 1 << 20       // bytes of one message
	MaxText   = 256           // bytes of one text member: ids are index keys
	MaxFuture = 1 * time.Hour // how far a device clock may be ahead
	maxIntern = 1 << 16       // texts kept for reuse
	maxShown  = 80            // bytes of foreign text in an error
	layout    = time.RFC3339Nano
)

// Oldest is the first accepted event time. A device that lost its clock reports
// 1970 or the first day of 2000.
var Oldest = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)

// Decoder turns messages into readings. It keeps the texts that come again and
// again, such as ids and names of buildings, so that each is allocated once, and knows
// what to expect.
//
// A Decoder is not safe for concurrent use.
type Decoder struct {
	now   func() time.Time
	json  jsontext.Decoder
	texts map[string]string
	habits
	moments moments
}

// NewDecoder returns a decoder that judges timestamps by the given clock.
func NewDecoder(now func() time.Time) *Decoder {
	return &Decoder{now: now, texts: map[string]string{}, habits: habits{sensors: map[string]*sayings{}}}
}

// Decode parses one message. The error is always an *Error, and the reading does
// not refer to data.
func (d *Decoder) Decode(data []byte) (*Reading, error) {
	r := &Reading{}
	if err := d.DecodeTo(r, data); err != nil {
		return nil, err
	}
	return r, nil
}

// DecodeTo parses one message into r, which is worth nothing when it returns an
// error, always an *Error. It is for those who keep readings in bulk.
func (d *Decoder) DecodeTo(r *Reading, data []byte) error {
	if len(data) > MaxBytes {
		return refuse(TooLarge, "the message has %d bytes, at most %d are accepted", len(data), MaxBytes)
	}
	*r = Reading{Values: Absent()}
	timestamp, ok := d.plain(r, data)
	if !ok {
		*r = Reading{Values: Absent()}
		var err error
		if timestamp, err = d.strict(r, data); err != nil {
			return err
		}
	}
	switch {
	case r.SensorID == "":
		return refuse(MissingSensorID, "sensor_id is missing or empty")
	case !timestamp:
		return refuse(MissingTimestamp, "reading of sensor %q has no timestamp", r.SensorID)
	case r.Time.Before(Oldest):
		return refuse(PastTimestamp, "timestamp %s of sensor %q is before %s, check the clock of the device",
			r.Time.Format(layout), r.SensorID, Oldest.Format(layout))
	case r.Time.Sub(d.now()) > MaxFuture:
		return refuse(FutureTimestamp, "timestamp %s of sensor %q is more than %s ahead, check the clock of the device",
			r.Time.Format(layout), r.SensorID, MaxFuture)
	}
	return nil
}

// strict decodes any message, and says what is wrong with it.
func (d *Decoder) strict(r *Reading, data []byte) (timestamp bool, err error) {
	d.json.Reset(bytes.NewBuffer(data))
	open, err := d.json.ReadToken()
	if err != nil {
		return false, malformed(err)
	}
	if open.Kind() != '{' {
		return false, refuse(WrongType, "expected a JSON object, got %s", open.Kind())
	}
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadValue()
		if err != nil {
			return false, malformed(err)
		}
		known := memberOf(name[1 : len(name)-1])
		var other string
		if known == unknown {
			if other, err = d.text("a member name", name); err != nil {
				return false, err
			}
		}
		value, err := d.json.ReadValue()
		if err != nil {
			return false, malformed(err)
		}
		if value.Kind() == 'n' && known != unknown {
			continue
		}
		if known == timestampMember {
			timestamp = true
		}
		if err := d.set(r, known, other, value); err != nil {
			return false, err
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return false, malformed(err)
	}
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		return false, refuse(MalformedJSON, "the message goes on after the JSON object")
	}
	return timestamp, nil
}

type member uint8

const (
	unknown member = iota
	sensorMember
	roomMember
	buildingMember
	floorMember
	roomTypeMember
	statusMember
	timestampMember
	metricMember // and the metrics after it
)

// memberOf compares names as they are between quotes, which is exact unless a name is
// written with needless escapes; such a name is kept as an extra.
func memberOf(name []byte) member {
	switch string(name) {
	case "sensor_id":
		return sensorMember
	case "room_id":
		return roomMember
	case "building":
		return buildingMember
	case "floor":
		return floorMember
	case "room_type":
		return roomTypeMember
	case "status":
		return statusMember
	case "timestamp":
		return timestampMember
	}
	if m, ok := ParseMetric(string(name)); ok {
		return metricMember + member(m)
	}
	return unknown
}

// labels are the names of the text members from roomMember on.
var labels = [numLabels]string{"room_id", "building", "floor", "room_type", "status"}

const numLabels = timestampMember - roomMember

// label is where r keeps such a member.
func (r *Reading) label(known member) *string {
	switch known {
	case roomMember:
		return &r.RoomID
	case buildingMember:
		return &r.Building
	case floorMember:
		return &r.Floor
	case roomTypeMember:
		return &r.RoomType
	default:
		return &r.Status
	}
}

func (d *Decoder) set(r *Reading, known member, other string, value jsontext.Value) (err error) {
	switch known {
	case unknown:
		return d.setExtra(r, other, value)
	case sensorMember:
		r.SensorID, err = d.text("sensor_id", value)
	case roomMember, buildingMember, floorMember, roomTypeMember, statusMember:
		*r.label(known), err = d.text(labels[known-roomMember], value)
	case timestampMember:
		r.Time, err = parseTime(value)
	default:
		m := Metric(known - metricMember)
		r.Values[m], err = number(metrics[m].name, value)
		if v := r.Values[m]; err == nil && (v < metrics[m].min || v > metrics[m].max) {
			return refuse(OutOfRange, "%s is %v %s, want %v to %v", metrics[m].name, v, metrics[m].unit, metrics[m].min, metrics[m].max)
		}
	}
	return err
}

func (d *Decoder) setExtra(r *Reading, name string, value jsontext.Value) error {
	f := Field{Name: name, Raw: bytes.Clone(value), Number: math.NaN()}
	if value.Kind() == '0' {
		var err error
		if f.Number, err = number(name, value); err != nil {
			return err
		}
	}
	if holdsNUL(value) {
		return refuse(NULCharacter, "%q holds a NUL character", name)
	}
	r.Extra = append(r.Extra, f)
	return nil
}

// holdsNUL looks for an escaped NUL, which Postgres keeps in neither text nor
// jsonb. Behind an odd number of backslashes it is the end of an escaped one.
func holdsNUL(value []byte) bool {
	const nul = `\u0000`
	for from := 0; ; {
		i := bytes.Index(value[from:], []byte(nul))
		if i < 0 {
			return false
		}
		at, before := from+i, 0
		for at-before > 0 && value[at-before-1] == '\\' {
			before++
		}
		if before%2 == 0 {
			return true
		}
		from = at + 1
	}
}

func (d *Decoder) text(name string, value jsontext.Value) (string, error) {
	if value.Kind() != '"' {
		return "", refuse(WrongType, "%s is %s, want a string", name, shown(value))
	}
	raw := []byte(value[1 : len(value)-1])
	if bytes.IndexByte(raw, '\\') >= 0 {
		var err error
		if raw, err = jsontext.AppendUnquote(nil, value); err != nil {
			return "", malformed(err)
		}
	}
	if len(raw) > MaxText {
		return "", refuse(TextTooLong, "%s has %d bytes, at most %d are accepted", name, len(raw), MaxText)
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return "", refuse(NULCharacter, "%s holds a NUL character", name)
	}
	return d.intern(raw), nil
}

// intern returns the text that equals raw, the same one each time.
func (d *Decoder) intern(raw []byte) string {
	if s, ok := d.texts[string(raw)]; ok {
		return s
	}
	if len(d.texts) >= maxIntern {
		clear(d.texts)
	}
	s := string(raw)
	d.texts[s] = s
	return s
}

func number(name string, value jsontext.Value) (float64, error) {
	if value.Kind() != '0' {
		return 0, refuse(WrongType, "%s is %s, want a number", name, shown(value))
	}
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return 0, refuse(OutOfRange, "%s is %s, which is not a finite number", name, shown(value))
	}
	return v, nil
}

func parseTime(value jsontext.Value) (time.Time, error) {
	if value.Kind() != '"' {
		return time.Time{}, refuse(WrongType, "timestamp is %s, want a string such as %q", shown(value), "2026-01-05T09:30:00Z")
	}
	t, err := time.Parse(layout, string(value[1:len(value)-1]))
	if err != nil {
		return time.Time{}, refuse(BadTimestamp, "timestamp is %s, want RFC 3339 with a zone, such as %q", shown(value), "2026-01-05T09:30:00Z")
	}
	return inMicroseconds(t), nil
}

// inMicroseconds is t in UTC without what Postgres does not keep.
func inMicroseconds(t time.Time) time.Time {
	t = t.UTC()
	return t.Add(-time.Duration(t.Nanosecond() % 1000))
}

// shown is foreign text for an error, cut to a readable length.
func shown(value jsontext.Value) string {
	if len(value) > maxShown {
		return string(value[:maxShown]) + "…"
	}
	return string(value)
}

func malformed(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse(MalformedJSON, "the JSON ends too early")
	}
	return refuse(MalformedJSON, "%v", err)
}
