package reading

import (
	"testing"
	"time"

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
		quick := &Reading{Values: Absent()}
		timestamp, ok := d.plain(quick, message)
		if !ok {
			return
		}
		strict := &Reading{Values: Absent()}
		want, err := d.strict(strict, message)
		require.NoError(t, err)
		require.Equal(t, want, timestamp)
		require.Equal(t, string(strict.AppendJSON(nil)), string(quick.AppendJSON(nil)))
		require.Equal(t, strict.Identity(), quick.Identity())
	})
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
