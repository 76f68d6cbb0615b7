package evaluate_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/evaluate"
)

// data is a folder of public data sets, or skips the test.
func data(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("BUILDMON_DATA")
	if dir == "" {
		t.Skip("set BUILDMON_DATA")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// windowedGaussian is a detector of the benchmark, whose published scores are
// compared with: github.com/numenta/NAB, nab/detectors/gaussian/windowedGaussian_detector.py.
func windowedGaussian(values []float64) []float64 {
	const size, step = 6400, 100
	var window, buffer []float64
	var mean, sd float64
	update := func() {
		mean, sd = 0, 0
		for _, v := range window {
			mean += v
		}
		mean /= float64(len(window))
		for _, v := range window {
			sd += (v - mean) * (v - mean)
		}
		if sd = math.Sqrt(sd / float64(len(window))); sd == 0 {
			sd = 0.000001
		}
	}
	scores := make([]float64, len(values))
	for i, v := range values {
		if len(window) > 0 {
			// Published scores have twelve digits.
			scores[i] = math.Round(1e12*(1-0.5*math.Erfc(math.Abs(v-mean)/sd/1.4142))) / 1e12
		}
		if len(window) < size {
			window = append(window, v)
			update()
		} else if buffer = append(buffer, v); len(buffer) == step {
			window, buffer = append(window[step:], buffer...), nil
			update()
		}
	}
	return scores
}

func TestScoreNABAgreesWithPublishedScores(t *testing.T) {
	dir := data(t, "nab")
	streams, err := evaluate.ReadNAB(dir)
	require.NoError(t, err)
	scores := make([][]float64, len(streams))
	for i := range streams {
		scores[i] = windowedGaussian(streams[i].Values)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "peer_scores_by_split.json"))
	require.NoError(t, err)
	var published map[string]map[string]map[string]struct {
		Score     float64 `json:"score"`
		Threshold float64 `json:"threshold"`
		Found     int     `json:"windows_found"`
		FalseRows int     `json:"false_alarm_rows"`
	}
	require.NoError(t, json.Unmarshal(raw, &published))
	for _, p := range []evaluate.Profile{evaluate.Standard, evaluate.LowFP, evaluate.LowFN} {
		want := published["windowedGaussian"][p.Name]["given (threshold chosen on given)"]
		got := evaluate.ScoreNAB(streams, scores, p, math.NaN())
		t.Logf("%-20s %+v, published %+v", p.Name, got, want)
		assert.Equal(t, 25, got.Windows)
		assert.InDelta(t, want.Score, got.Score, 0.001)
		assert.Equal(t, want.Found, got.Found)
		assert.Equal(t, want.FalseRows, got.FalseRows)
	}
}
