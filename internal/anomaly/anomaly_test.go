package anomaly_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
)

func warm() *anomaly.Anomaly {
	r := &reading.Reading{SensorID: "s", RoomID: "r", Building: "A", Floor: "1", RoomType: "Office", Time: time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC), Values: reading.Absent()}
	r.Values[reading.Temperature] = 31.4
	return &anomaly.Anomaly{
		Reading: r, Detector: "threshold", Type: "temperature_too_high", Metric: "temperature",
		Severity: anomaly.Critical, Score: 0.8, Value: 31.4, Low: math.NaN(), High: 24.6, Explanation: "Temperature 31.4 °C is above the usual 24.6 °C.",
	}
}

func TestJSONNamesTheColumnsAndComesBack(t *testing.T) {
	encoded, err := json.Marshal(warm())
	require.NoError(t, err)
	require.JSONEq(t, `{"sensor_id":"s","room_id":"r","building":"A","floor":"1","room_type":"Office","timestamp":"2026-01-05T09:30:00Z",
		"detector":"threshold","anomaly_type":"temperature_too_high","metric":"temperature","anomaly_score":0.8,"severity":"critical",
		"value":31.4,"expected_high":24.6,"explanation":"Temperature 31.4 °C is above the usual 24.6 °C.","temperature":31.4}`, string(encoded))
	var back anomaly.Anomaly
	require.NoError(t, json.Unmarshal(encoded, &back))
	again, err := json.Marshal(&back)
	require.NoError(t, err)
	require.JSONEq(t, string(encoded), string(again))
}

func TestUnmarshalRefuses(t *testing.T) {
	f := func(message, contains string) {
		t.Helper()
		require.ErrorContains(t, new(anomaly.Anomaly).UnmarshalJSON([]byte(message)), contains)
	}
	f(`[]`, "decoding anomaly")
	f(`{}`, "sensor_id is missing")
	f(`{"sensor_id":"s"}`, "timestamp is missing")
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z"}`, "detector, metric and anomaly_type are needed")
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","detector":"d","metric":"m","anomaly_type":"t","anomaly_score":2}`, "not within 0 to 1")
	f(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","detector":"d","metric":"m","anomaly_type":"t","anomaly_score":0.5,"severity":"bad"}`,
		`unknown severity "bad", want one of [low medium high critical]`)
}

func TestSeverity(t *testing.T) {
	for strength, want := range map[float64]anomaly.Severity{0: anomaly.Low, 0.5: anomaly.Medium, 0.7: anomaly.High, 0.9: anomaly.Critical, 1: anomaly.Critical} {
		require.Equal(t, want, anomaly.SeverityOf(strength))
	}
}

// Who sends anomalies of their own need not know severities.
func TestAMissingSeverityIsThatOfTheScore(t *testing.T) {
	var a anomaly.Anomaly
	require.NoError(t, a.UnmarshalJSON([]byte(`{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z","detector":"d","metric":"m","anomaly_type":"t","anomaly_score":0.75}`)))
	require.Equal(t, anomaly.High, a.Severity)
}
