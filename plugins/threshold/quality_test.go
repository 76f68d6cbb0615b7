package threshold

import (
	"bufio"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/percentile"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// defaults is a lane of a processor with the default configuration.
func defaults(t *testing.T) *state {
	t.Helper()
	conf, err := spec().ParseYAML(`{}`, nil)
	require.NoError(t, err)
	j := &judge{learning: service.MockResources().Metrics().NewCounter("learning")}
	require.NoError(t, j.parse(conf))
	return &state{Learner: percentile.New(j.learn), judge: j, values: make([]float64, len(j.learn.Metrics))}
}

// portfolio is three days of 36 rooms.
func portfolio(t *testing.T, faults float64) *simulate.Simulator {
	t.Helper()
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC,
		Start: start, End: start.Add(72 * time.Hour), Interval: time.Minute,
		FaultShare: faults, FaultKinds: simulate.Faults(),
	})
	require.NoError(t, err)
	return s
}

func TestHealthyBuildingsAreQuiet(t *testing.T) {
	s, sim := defaults(t), portfolio(t, 0)
	var e simulate.Event
	var found []*anomaly.Anomaly
	readings, flagged := 0, 0
	for sim.Next(&e) {
		readings++
		if found = s.Judge(&e.Reading, found[:0]); len(found) > 0 {
			flagged++
		}
	}
	share := float64(flagged) / float64(readings)
	t.Logf("%d of %d healthy readings reported, %.3f %%", flagged, readings, 100*share)
	assert.Less(t, share, 0.002)
}

func TestFaultsAreFound(t *testing.T) {
	s, sim := defaults(t), portfolio(t, 0.02)
	var e simulate.Event
	var found []*anomaly.Anomaly
	faulty, hits := map[simulate.Fault]int{}, map[simulate.Fault]int{}
	for sim.Next(&e) {
		found = s.Judge(&e.Reading, found[:0])
		if e.Truth.Fault == simulate.Healthy {
			continue
		}
		faulty[e.Truth.Fault]++
		for _, a := range found {
			if a.Metric == e.Truth.Metric.String() {
				hits[e.Truth.Fault]++
			}
		}
	}
	// Drift and stuck values stay within what is usual; they need other detectors.
	all, hit := 0, 0
	for _, f := range []simulate.Fault{simulate.Overheating, simulate.HumiditySpike, simulate.VentilationFailure, simulate.EquipmentMalfunction} {
		all, hit = all+faulty[f], hit+hits[f]
		t.Logf("%s: %d of %d readings reported", f, hits[f], faulty[f])
	}
	require.Greater(t, all, 500)
	assert.Greater(t, float64(hit)/float64(all), 0.9)
}

// One real office, a reading a minute: Candanedo and Feldheim, "Occupancy
// Detection" (2016), https://doi.org/10.24432/C5X01N.
func TestRealRoomIsQuiet(t *testing.T) {
	data := os.Getenv("BUILDMON_DATA")
	if data == "" {
		t.Skip("BUILDMON_DATA is not set: no real room to judge")
	}
	for _, name := range []string{"datatraining.txt", "datatest.txt"} {
		file, err := os.Open(filepath.Join(data, "occupancy", name))
		require.NoError(t, err)
		defer file.Close()
		lines := csv.NewReader(bufio.NewReader(file))
		lines.FieldsPerRecord = -1
		rows, err := lines.ReadAll()
		require.NoError(t, err)
		s := defaults(t)
		readings, flagged := 0, 0
		by := map[string]int{}
		for i, row := range rows[1:] {
			at, err := time.Parse(time.DateTime, row[1])
			require.NoError(t, err)
			r := &reading.Reading{SensorID: "room", Time: at, Values: reading.Absent()}
			for m, column := range map[reading.Metric]int{reading.Temperature: 2, reading.Humidity: 3, reading.CO2: 5, reading.Occupancy: 7} {
				r.Values[m], err = strconv.ParseFloat(row[column], 64)
				require.NoError(t, err)
			}
			found := s.Judge(r, nil)
			if i < 1440 { // a day to learn
				continue
			}
			readings++
			for _, a := range found {
				by[a.Type]++
			}
			if len(found) > 0 {
				flagged++
			}
		}
		share := float64(flagged) / float64(readings)
		t.Logf("%s: %d of %d readings reported, %.2f %%: %v", name, flagged, readings, 100*share, by)
		assert.Less(t, share, 0.01)
	}
}
