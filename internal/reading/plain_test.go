package reading

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testfuzz"
)

// The quick way accepts nothing that the strict way refuses, and reads it the same.
func FuzzPlain(f *testing.F) {
	for _, message := range []string{
		`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00.1234567Z","temperature":22.5,"humidity":-0.0e-1,"co2":null}`,
		` { "sensor_id" : "Zürich" , "timestamp" : "2026-01-05T09:30:00+01:00" , "light" : 3, "note":"x", "none" : null } ` + "\n",
		`{"sensor_id":"s","sensor_id":"t"}`, `{"a":1,"a":2}`, `{}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":"\u0041"}`,
		"{\"a\":\"\xff\"}", "{\"a\":\"\t\"}", `{"a":nul}`, `{"a":nullx}`, `{,}`, `{"a":1,}`, `{"a":1}x`, `[]`, `{"a":{}}`, "{\"\xc0\x80\":1}", "{\"a\":1\x00}", "{\"a\":1}\x00",
	} {
		f.Add([]byte(message))
	}
	testfuzz.Bytes(f, func(t *testing.T, message []byte) {
		d := NewDecoder(time.Now)
		// As the first message, after another one, and after itself.
		for _, before := range []string{"", `{"sensor_id":"s","status":"x","timestamp":"2026-01-05T09:30:07Z","temperature":1,"light":3}`, ""} {
			if before != "" {
				_, ok := d.plain(&Reading{}, []byte(before))
				require.True(t, ok)
			}
			quick := &Reading{Values: Absent()}
			timestamp, ok := d.plain(quick, message)
			if !ok {
				continue
			}
			strict := &Reading{Values: Absent()}
			want, err := NewDecoder(time.Now).strict(strict, message)
			require.NoError(t, err)
			require.Equal(t, want, timestamp)
			require.Equal(t, string(strict.AppendJSON(nil)), string(quick.AppendJSON(nil)))
			require.Equal(t, strict.Identity(), quick.Identity())
		}
	})
}

// A decoder that knows how messages look reads each as one that knows nothing.
func TestHabitsChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	member := func() string {
		return pick(
			`"sensor_id":`+pick(`"a"`, `"b"`, `"ä"`, `"a\u0062"`, `null`, `7`),
			`"room_id":`+pick(`"R1"`, `"R2"`, `"R"`, `"R12"`, `null`, `""`),
			`"floor" : `+pick(`"R1"`, `"1"`, `"1`, `"1\""`),
			`"status":`+pick(`"Normal"`, `"Normal "`, `"\u0000"`, `[]`),
			`"timestamp":`+pick(`"2026-01-05T09:30:00Z"`, `"2026-01-05T09:30:59.123456789Z"`, `"2026-01-05T9:30:00Z"`, `"2026-01-05T09:30:60Z"`, `"2026-01-05T09:30:00+01:00"`, `""`),
			`"temperature":`+pick(`1`, `-0`, `20.25`, `1e400`, `3000`, `"1"`),
			`"light": `+pick(`1`, `"x"`, `null`, `{}`),
			`"`+pick(`a`, `b`, `\u0061`)+`":`+pick(`1`, `"R1"`),
		)
	}
	d, read := NewDecoder(time.Now), 0
	for range 100_000 {
		message := []byte(`{"sensor_id":` + pick(`"a"`, `"b"`, `"c"`))
		for range rng.IntN(4) {
			message = append(append(message, pick(",", ", ", ",\n")...), member()...)
		}
		message = append(message, `,"timestamp":"2026-01-05T09:30:00Z"}`...)
		want, wantErr := NewDecoder(time.Now).Decode(message)
		got, err := d.Decode(message)
		require.Equal(t, wantErr, err, "%s", message)
		if err == nil {
			read++
			require.Equal(t, want.Identity(), got.Identity(), "%s", message)
			require.Equal(t, string(want.AppendJSON(nil)), string(got.AppendJSON(nil)), "%s", message)
		}
	}
	require.Greater(t, read, 10_000)
}

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	f := func(text string) {
		t.Helper()
		want, err := strconv.ParseFloat(text, 64)
		s := scanner{data: []byte(text)}
		got, ok := s.number()
		require.Equal(t, err == nil, ok, text)
		require.Equal(t, math.Float64bits(want), math.Float64bits(got), text)
	}
	for _, text := range []string{
		"0", "-0", "0.0", "-0.000000000000000", "999999999999999", "9999999999999999", "0.1", "0.30000000000000004", "123456789012345e0",
		"0.000000000000001", "0.0000000000000001", "9007199254740993", "18446744073709551616", "1e-400", "2.2250738585072011e-308",
	} {
		f(text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		digits := strconv.FormatUint(rng.Uint64()>>rng.IntN(64), 10)
		if point := rng.IntN(len(digits)); point > 0 {
			digits = digits[:point] + "." + digits[point:]
		}
		f([]string{"", "-"}[rng.IntN(2)] + digits)
	}
}

func TestMomentsAreThoseOfTime(t *testing.T) {
	var m moments
	f := func(text string) {
		t.Helper()
		want, err := parseTime(jsontext.Value(strconv.Quote(text)))
		got, ok := m.parse([]byte(text))
		require.Equal(t, err == nil, ok, text)
		if ok {
			require.Equal(t, want, got, text)
		}
	}
	for _, minute := range []string{"2026-01-05T09:30:", "2026-01-05T9:30:0", "2026-01-05T9:30:", "2026-02-29T09:30:", "2024-02-29T23:59:", "2026-01-05t09:30:", "0000-01-01T00:00:"} {
		for _, rest := range []string{
			"00Z", "59Z", "60Z", "5Z", "05.5Z", "05.123456Z", "05.123456999Z", "05.1234567891234Z", "05,5Z", "05.Z", "05.x5Z", "05Zx", "05z", "x5Z", "5xZ",
			"05", "05+00:00", "05.25-07:00", "05.5", "", "05.000001Z", "00.000000Z",
		} {
			f(minute + rest)
		}
	}
}

// What devices send takes the quick way.
func TestPlain(t *testing.T) {
	f := func(message string, want bool) {
		t.Helper()
		_, ok := NewDecoder(time.Now).plain(&Reading{Values: Absent()}, []byte(message))
		require.Equal(t, want, ok)
	}
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","temperature":22.5,"co2":4e2,"humidity":null}`, true)
	// As Python writes it, and with members of its own.
	f(`{"sensor_id": "Zürich 1", "timestamp": "2026-01-05T09:30:00+01:00", "light": -3, "note": "x"}`, true)
	f(`{"sensor_id":"\u0041"}`, false)
	f(`{"sensor_id":"s","tags":["a"]}`, false)
	f(`{"a":1,"b":2,"a":3}`, false)
	f(`{"sensor_id":"s"} `+"\x00", false)
	f(`{"sensor_id":"s",}`, false)
}
