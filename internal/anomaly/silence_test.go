package anomaly_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// silent is n sensors of a floor of which the last one spoke last.
func silent(n int, group string) *anomaly.Silence {
	s := &anomaly.Silence{Together: n > 1, Group: group, At: noon.Add(5 * time.Minute)}
	for i := range n {
		s.Sensors = append(s.Sensors, anomaly.SilentSensor{
			SensorID: fmt.Sprintf("office-10%d", i+1), RoomID: fmt.Sprintf("Room 10%d", i+1), Building: "HQ", Floor: "1",
			Last: noon.Add(time.Duration(i) * time.Second), Usual: 10*time.Second + 3*time.Millisecond, Patience: 5 * time.Minute,
		})
	}
	return s
}

func TestSilence(t *testing.T) {
	f := func(s *anomaly.Silence, kind, sensor, room string, severity anomaly.Severity, explanation string) {
		t.Helper()
		a := anomaly.NewSilence("silence", s)
		require.Equal(t, kind, a.Type)
		require.Equal(t, sensor, a.Reading.SensorID)
		require.Equal(t, room, a.Reading.RoomID)
		require.Equal(t, "HQ", a.Reading.Building)
		require.Equal(t, severity, a.Severity)
		require.Equal(t, explanation, a.Explanation)

		a.Score = 0.6
		encoded, err := json.Marshal(a)
		require.NoError(t, err)
		var back anomaly.Anomaly
		require.NoError(t, json.Unmarshal(encoded, &back))
		again, err := json.Marshal(&back)
		require.NoError(t, err)
		require.JSONEq(t, string(encoded), string(again))
		require.Equal(t, a.Silence, back.Silence)
	}

	f(silent(1, ""), anomaly.SensorSilent, "office-101", "Room 101", anomaly.Medium,
		"Sensor office-101 in Room 101 stopped reporting; it usually reports every 10s.")
	f(silent(2, "HQ, 1"), anomaly.GroupSilent, "office-102", "", anomaly.High,
		"2 sensors of HQ, 1 stopped reporting together: office-101 and office-102. Look first at their gateway, network or power.")
	f(silent(7, "HQ, 1"), anomaly.GroupSilent, "office-107", "", anomaly.Critical,
		"7 sensors of HQ, 1 stopped reporting together: office-101, office-102, office-103, office-104, office-105 and 2 more. Look first at their gateway, network or power.")
	f(silent(3, ""), anomaly.GroupSilent, "office-103", "", anomaly.High,
		"3 sensors stopped reporting together, and nothing else came with them: office-101, office-102 and office-103. Look first at what brings their readings.")
}

func TestUnmarshalRefusesSilencesOfNobody(t *testing.T) {
	const head = `{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","detector":"d","metric":"m","anomaly_type":"t","anomaly_score":0.5,"silence":`
	f := func(silence, contains string) {
		t.Helper()
		require.ErrorContains(t, new(anomaly.Anomaly).UnmarshalJSON([]byte(head+silence+"}")), contains)
	}
	f(`{}`, "silence names no sensors")
	f(`{"sensors":[{"sensor_id":"s"}]}`, "needs sensor_id and last")
	f(`{"sensors":[{"sensor_id":"s","last":"2026-01-05T09:30:00Z","usual_seconds":-1}]}`, "usual_seconds -1")
	f(`{"sensors":[{"sensor_id":"s","last":"2026-01-05T09:30:00Z","patience_seconds":1e300}]}`, "must be 0 to 1e+09")
}
