package threshold

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/evaluate"
	"buildmon/internal/simulate"
)

// After three days, faults of the simulator that move a value or stop it are found,
// most of them once.
func TestFaultsAreFound(t *testing.T) {
	conf, err := spec().ParseYAML(`{}`, nil)
	require.NoError(t, err)
	counter := service.MockResources().Metrics().NewCounter("any")
	j := &judge{learning: counter, late: counter, invalid: counter}
	require.NoError(t, j.parse(conf, service.MockResources()))
	s := newState(j)

	sim, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC,
		Start: start, End: start.AddDate(0, 0, 8), Interval: time.Minute,
		FaultShare: 0.02, FaultKinds: simulate.Faults(),
	})
	require.NoError(t, err)
	type tally struct{ episodes, found, reports int }
	kinds := map[simulate.Fault]*tally{}
	open := map[string]bool{} // sensors in a fault, and whether it was found
	var e simulate.Event
	var found []*anomaly.Anomaly
	for sim.Next(&e) {
		id := e.Reading.SensorID
		found = slices.DeleteFunc(s.Judge(&e.Reading, found[:0]), func(a *anomaly.Anomaly) bool { return a.Continues })
		if e.Reading.Time.Before(start.AddDate(0, 0, 3)) {
			continue
		}
		k := kinds[e.Truth.Fault]
		if k == nil {
			k = &tally{}
			kinds[e.Truth.Fault] = k
		}
		hit, known := open[id]
		if e.Truth.Fault == simulate.Healthy {
			delete(open, id)
			k.episodes++
			k.reports += len(found)
			continue
		}
		if !known {
			k.episodes++
			open[id] = false
		}
		for _, a := range found {
			if a.Metric == e.Truth.Metric.String() {
				k.reports++
				if !hit {
					hit, open[id] = true, true
					k.found++
				}
			}
		}
	}
	least := map[simulate.Fault]float64{
		simulate.Overheating: 0.9, simulate.HumiditySpike: 0.8, simulate.VentilationFailure: 0.7,
		simulate.EquipmentMalfunction: 0.9, simulate.Stuck: 0.7,
	}
	for _, f := range simulate.Faults() {
		if k := kinds[f]; k != nil {
			t.Logf("%-22s %3d of %3d found, %4d reports", f, k.found, k.episodes, k.reports)
			assert.GreaterOrEqual(t, float64(k.found), least[f]*float64(k.episodes), f)
			if f != simulate.Drift { // which gets worse and worse
				assert.LessOrEqual(t, k.reports, 3*k.episodes, f)
			}
		}
	}
	healthy := kinds[simulate.Healthy]
	t.Logf("%d reports on %d healthy readings", healthy.reports, healthy.episodes)
	assert.Less(t, float64(healthy.reports)/float64(healthy.episodes), 0.003)
}

// The Numenta Anomaly Benchmark through the whole processor, by what it says of each
// reading; internal/limits has the bars for the engine.
func TestNumentaBenchmark(t *testing.T) {
	dir := os.Getenv("BUILDMON_DATA")
	if dir == "" {
		t.Skip("set BUILDMON_DATA")
	}
	streams, err := evaluate.ReadNAB(filepath.Join(dir, "nab"))
	require.NoError(t, err)
	scores := make([][]float64, len(streams))
	for n := range streams {
		s := &streams[n]
		p := processor(t, `{ metrics: [ value ], emit_scores: true }`, service.MockResources())
		batch := make(service.MessageBatch, len(s.Values))
		for i, v := range s.Values {
			batch[i] = service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"stream","value":%v,"timestamp":%q}`, v, s.Times[i].Format(time.RFC3339)))
		}
		out, err := p.ProcessBatch(t.Context(), batch)
		require.NoError(t, err)
		for _, msg := range out[0][:len(batch)] {
			score, ok := msg.MetaGetMut("buildmon_threshold_score")
			require.True(t, ok)
			scores[n] = append(scores[n], score.(float64))
		}
	}
	got := evaluate.ScoreNAB(streams, scores, evaluate.Standard, math.NaN())
	t.Logf("standard %.1f, %d of %d windows found, %d false rows", got.Score, got.Found, got.Windows, got.FalseRows)
	assert.GreaterOrEqual(t, got.Score, 68.0)

	// Why it is not how rare each is among the last of its stream.
	for n := range scores {
		scores[n] = evaluate.Combine(scores[n])
	}
	calibrated := evaluate.ScoreNAB(streams, scores, evaluate.Standard, math.NaN())
	t.Logf("calibrated: %.1f", calibrated.Score)
	assert.Less(t, calibrated.Score, got.Score)
}
