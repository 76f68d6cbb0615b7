package pipelines_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/evaluate"
	"buildmon/internal/limits"
)

// What score.yaml alone says of files of the Numenta Anomaly Benchmark is what the
// engine says of them: one with events that go on, one whose times go back.
func TestScoresByYAMLAreThoseOfTheEngine(t *testing.T) {
	data := os.Getenv("BUILDMON_DATA")
	if data == "" {
		t.Skip("needs the Numenta Anomaly Benchmark: set BUILDMON_DATA to the folder that holds nab/data")
	}
	streams, err := evaluate.ReadNAB(filepath.Join(data, "nab"))
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "buildmon")
	out, err := exec.Command("go", "build", "-o", program, "..").CombinedOutput()
	require.NoError(t, err, string(out))
	n := 0
	for i := range streams {
		s := &streams[i]
		if s.Name != "realKnownCause/ambient_temperature_system_failure.csv" && s.Name != "realKnownCause/machine_temperature_system_failure.csv" {
			continue
		}
		n++
		cmd := exec.Command(program, "run", "--log.level", "warn", "-s", "http.enabled=false", "score.yaml")
		cmd.Env = append(os.Environ(), "BUILDMON_CSV_PATHS="+filepath.Join(data, "nab", "data", s.Name))
		var scored, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &scored, &problems
		require.NoError(t, cmd.Run(), problems.String())
		rows, err := csv.NewReader(&scored).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"timestamp", "value", "anomaly_score"}, rows[0])
		rows = rows[1:]
		if len(rows) != len(s.Values) {
			t.Fatalf("%s has %d scores of %d rows", s.Name, len(rows), len(s.Values))
		}

		d := limits.New(limits.Config{Metrics: []string{"value"}, Threshold: limits.Normal})
		var scores [1]limits.Score
		alarms := 0
		for i, v := range s.Values {
			d.Observe("stream", s.Times[i], []float64{v}, scores[:], nil)
			got, err := strconv.ParseFloat(rows[i][2], 64)
			require.NoError(t, err)
			require.InDelta(t, max(scores[0].Past, scores[0].Stuck), got, 1e-12, "%s row %d", s.Name, i)
			if got >= limits.Normal/(1+limits.Normal) {
				alarms++
			}
		}
		require.Positive(t, alarms, s.Name)
	}
	require.Equal(t, 2, n)
}
