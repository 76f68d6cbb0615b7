package reading_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/testfuzz"
)

// Whatever is accepted is JSON that encoding/json reads in the same way, and
// comes back the same from its own wire format.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(wire))
	f.Add([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","light":2.5e2,"note":"\u00e9\n","deep":[[{}]]}`))
	f.Add([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","temperature":null,"co2":-0}`))
	f.Add([]byte(`{"\u0073ensor_id":"s"}`))
	testfuzz.Bytes(f, func(t *testing.T, message []byte) {
		d := decoder()
		r, err := d.Decode(message)
		if err != nil {
			return
		}
		// Into a map, as encoding/json takes members that differ in case for a
		// field of a struct.
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(message, &members))
		var sensor string
		require.NoError(t, json.Unmarshal(members["sensor_id"], &sensor))
		require.Equal(t, sensor, r.SensorID)
		if raw, ok := members["temperature"]; ok {
			var want *float64
			require.NoError(t, json.Unmarshal(raw, &want))
			got, known := r.Value("temperature")
			require.Equal(t, want != nil, known)
			if known {
				require.Equal(t, *want, got)
			}
		}

		encoded := r.AppendJSON(nil)
		require.True(t, json.Valid(encoded), "%s", encoded)
		again, err := d.Decode(encoded)
		require.NoError(t, err)
		require.Equal(t, r.Identity(), again.Identity())
		require.Equal(t, string(encoded), string(again.AppendJSON(nil)))
	})
}
