package sensorsimulator

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"buildmon/internal/reading"
)

// malformations are ways in which devices, gateways and networks spoil a
// message, each with the reason for which a decoder refuses the result.
var malformations = []struct {
	reason reading.Reason
	spoil  func(r reading.Reading) []byte
}{
	{reading.MalformedJSON, func(r reading.Reading) []byte {
		raw := r.AppendJSON(nil)
		return raw[:len(raw)/2]
	}},
	{reading.MalformedJSON, func(r reading.Reading) []byte {
		return []byte("ERR " + r.SensorID + ": bus timeout")
	}},
	{reading.MalformedJSON, func(r reading.Reading) []byte {
		return r.AppendJSON(r.AppendJSON(nil))
	}},
	{reading.WrongType, func(r reading.Reading) []byte {
		return append(r.AppendJSON([]byte{'['}), ']')
	}},
	{reading.WrongType, func(r reading.Reading) []byte {
		text := strconv.FormatFloat(r.Values[reading.Temperature], 'f', 1, 64) + " C"
		r.Values[reading.Temperature] = math.NaN()
		r.Extra = []reading.Field{{Name: reading.Temperature.String(), Raw: []byte(strconv.Quote(text))}}
		return r.AppendJSON(nil)
	}},
	{reading.MissingSensorID, func(r reading.Reading) []byte {
		r.SensorID = ""
		return r.AppendJSON(nil)
	}},
	{reading.MissingTimestamp, func(r reading.Reading) []byte {
		return bytes.Replace(r.AppendJSON(nil), timestamp(&r), nil, 1)
	}},
	{reading.BadTimestamp, func(r reading.Reading) []byte {
		return bytes.Replace(r.AppendJSON(nil), timestamp(&r), []byte(`,"timestamp":"`+r.Time.Format(time.ANSIC)+`"`), 1)
	}},
	{reading.FutureTimestamp, func(r reading.Reading) []byte {
		r.Time = r.Time.AddDate(1000, 0, 0)
		return r.AppendJSON(nil)
	}},
	{reading.PastTimestamp, func(r reading.Reading) []byte {
		r.Time = time.Unix(0, 0)
		return r.AppendJSON(nil)
	}},
	{reading.OutOfRange, func(r reading.Reading) []byte {
		r.Values[reading.Temperature] = 65535 // what a broken register reads
		return r.AppendJSON(nil)
	}},
	{reading.NULCharacter, func(r reading.Reading) []byte {
		r.RoomID += "\x00\x00"
		return r.AppendJSON(nil)
	}},
}

// malform spoils a reading in a way that bits select.
func malform(r reading.Reading, bits uint64) ([]byte, reading.Reason) {
	m := &malformations[bits>>32%uint64(len(malformations))]
	return m.spoil(r), m.reason
}

// timestamp is the member of the wire format with the comma before it.
func timestamp(r *reading.Reading) []byte {
	return []byte(`,"timestamp":"` + r.Time.UTC().Format(time.RFC3339Nano) + `"`)
}
