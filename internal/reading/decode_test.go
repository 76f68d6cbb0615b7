package reading_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
)

const wire = `{"sensor_id":"bldg-a-f1-office-101","room_id":"BuildingA-Floor1-Office-101","building":"Building A","floor":"Floor 1","room_type":"Office","temperature":22.31,"humidity":45.2,"co2":612.4,"occupancy":7,"energy_consumption":41.7,"status":"Normal","timestamp":"2026-01-05T09:30:00Z"}`

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func decoder() *reading.Decoder { return reading.NewDecoder(func() time.Time { return noon }) }

func TestDecodeReading(t *testing.T) {
	r, err := decoder().Decode([]byte(wire))
	require.NoError(t, err)
	require.Equal(t, &reading.Reading{
		SensorID: "bldg-a-f1-office-101", RoomID: "BuildingA-Floor1-Office-101", Building: "Building A",
		Floor: "Floor 1", RoomType: "Office", Status: "Normal",
		Time: time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC),
		Values: [reading.NumMetrics]float64{
			reading.Temperature: 22.31, reading.Humidity: 45.2, reading.CO2: 612.4, reading.Occupancy: 7, reading.Energy: 41.7,
		},
	}, r)
	require.Equal(t, wire, string(r.AppendJSON(nil)))
}

func TestDecodeKeepsWhatHasNoColumn(t *testing.T) {
	r, err := decoder().Decode([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00+01:00","light":250,"co2":null,
		"note":"caf\u00e9","tags":{"a":[1,"x"]}, "void":null}`))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC), r.Time)
	_, known := r.Value("co2")
	require.False(t, known, "null is absent")
	light, known := r.Value("light")
	require.True(t, known)
	require.Equal(t, 250.0, light)
	_, known = r.Value("note")
	require.False(t, known)
	require.Equal(t, "café", r.Label("note"))
	require.JSONEq(t, `{"light":250,"note":"café","tags":{"a":[1,"x"]},"void":null}`, string(r.AppendExtra(nil)))
}

func TestDecodeRefuses(t *testing.T) {
	f := func(message string, reason reading.Reason, contains string) {
		t.Helper()
		r, err := decoder().Decode([]byte(message))
		require.Nil(t, r)
		var refused *reading.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, reason, refused.Reason, err.Error())
		require.Contains(t, err.Error(), contains)
	}
	with := func(member string) string {
		return `{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z",` + member + `}`
	}

	f(``, reading.MalformedJSON, "ends too early")
	f(`{"sensor_id":"s"`, reading.MalformedJSON, "ends too early")
	f(`{"sensor_id":"s",}`, reading.MalformedJSON, "")
	f(with(`"temperature":NaN`), reading.MalformedJSON, "")
	f(with(`"temperature":1,"temperature":2`), reading.MalformedJSON, "duplicate")
	f(with("\"note\":\"\xff\""), reading.MalformedJSON, "UTF-8")
	f(wire+wire, reading.MalformedJSON, "goes on")
	f(`["s"]`, reading.WrongType, "expected a JSON object")
	f(`"s"`, reading.WrongType, "expected a JSON object")
	f(`{"timestamp":"2026-01-05T09:30:00Z"}`, reading.MissingSensorID, "")
	f(`{"sensor_id":"","timestamp":"2026-01-05T09:30:00Z"}`, reading.MissingSensorID, "")
	f(`{"sensor_id":null,"timestamp":"2026-01-05T09:30:00Z"}`, reading.MissingSensorID, "")
	f(`{"sensor_id":7,"timestamp":"2026-01-05T09:30:00Z"}`, reading.WrongType, "sensor_id is 7, want a string")
	f(`{"sensor_id":"s"}`, reading.MissingTimestamp, `reading of sensor "s" has no timestamp`)
	f(`{"sensor_id":"s","timestamp":null}`, reading.MissingTimestamp, "")
	f(`{"sensor_id":"s","timestamp":1767605400}`, reading.WrongType, "timestamp is 1767605400, want a string")
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00"}`, reading.BadTimestamp, "RFC 3339 with a zone")
	f(`{"sensor_id":"s","timestamp":"yesterday"}`, reading.BadTimestamp, `"yesterday"`)
	f(`{"sensor_id":"s","timestamp":"1970-01-01T00:00:03Z"}`, reading.PastTimestamp, "check the clock")
	f(`{"sensor_id":"s","timestamp":"2026-01-05T13:00:01Z"}`, reading.FutureTimestamp, "more than 1h0m0s ahead")
	f(with(`"temperature":"22"`), reading.WrongType, `temperature is "22", want a number`)
	f(with(`"temperature":1e999`), reading.OutOfRange, "not a finite number")
	f(with(`"light":1e999`), reading.OutOfRange, "not a finite number")
	f(with(`"temperature":-300`), reading.OutOfRange, "temperature is -300 °C, want -273.15 to 2000")
	f(with(`"humidity":500`), reading.OutOfRange, "humidity is 500 %")
	f(with(`"note":"a\u0000b"`), reading.NULCharacter, "NUL")
	f(with(`"room_id":"a\u0000b"`), reading.NULCharacter, "room_id")
	f(with(`"room_id":"`+strings.Repeat("x", 257)+`"`), reading.TextTooLong, "room_id has 257 bytes, at most 256")
	f(with(`"note":"`+strings.Repeat("x", reading.MaxBytes)+`"`), reading.TooLarge, "at most 1048576")
}

func TestDecodeAcceptsTheEdges(t *testing.T) {
	f := func(message string) {
		t.Helper()
		_, err := decoder().Decode([]byte(message))
		require.NoError(t, err)
	}
	f(`{"sensor_id":"s","timestamp":"2026-01-05T13:00:00Z"}`)
	f(`{"sensor_id":"s","timestamp":"2000-01-02T00:00:00Z"}`)
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","energy_consumption":-4.2}`)
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","note":"a literal \\u0000"}`)
	f(" {\"sensor_id\" : \"s\" ,\n\"timestamp\":\"2026-01-05T09:30:00Z\"} \n")
}

// Postgres keeps microseconds: readings that it could not tell apart must be one
// reading here as well.
func TestIdentityIsInMicroseconds(t *testing.T) {
	a, err := decoder().Decode([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00.1234561Z"}`))
	require.NoError(t, err)
	b, err := decoder().Decode([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T10:30:00.1234569+01:00"}`))
	require.NoError(t, err)
	require.Equal(t, a.Identity(), b.Identity())
}

func TestDecodeDoesNotKeepTheMessage(t *testing.T) {
	message := []byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","light":250}`)
	r, err := decoder().Decode(message)
	require.NoError(t, err)
	clear(message)
	require.Equal(t, "s", r.SensorID)
	require.Equal(t, `{"light":250}`, string(r.AppendExtra(nil)))
}

func TestErrorIsOfOneType(t *testing.T) {
	_, err := decoder().Decode([]byte("{"))
	var refused *reading.Error
	require.ErrorAs(t, err, &refused)
	require.True(t, strings.HasPrefix(err.Error(), "decoding reading: "))
}

func TestAbsentIsNaN(t *testing.T) {
	for _, v := range reading.Absent() {
		require.True(t, math.IsNaN(v))
	}
}
