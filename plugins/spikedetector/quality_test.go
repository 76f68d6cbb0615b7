package spikedetector

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
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// defaults is a lane of a processor with the default configuration.
func defaults(t *testing.T) *state {
	t.Helper()
	conf, err := spec().ParseYAML(`{}`, nil)
	require.NoError(t, err)
	cfg, err := parse(conf)
	require.NoError(t, err)
	counter := service.MockResources().Metrics().NewCounter("any")
	return newState(&judge{cfg: cfg, learning: counter, late: counter, gaps: counter})
}

// portfolio is three days of 36 rooms.
func portfolio(t *testing.T, interval time.Duration, faults float64) *simulate.Simulator {
	t.Helper()
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC,
		Start: start, End: start.Add(72 * time.Hour), Interval: interval,
		FaultShare: faults, FaultKinds: simulate.Faults(),
	})
	require.NoError(t, err)
	return s
}

func TestHealthyBuildingsAreQuiet(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} {
		s, sim := defaults(t), portfolio(t, interval, 0)
		var e simulate.Event
		var found []*anomaly.Anomaly
		readings, flagged := 0, 0
		for sim.Next(&e) {
			readings++
			if found = s.Judge(&e.Reading, found[:0]); len(found) > 0 {
				flagged++
			}
		}
		t.Logf("every %s: %d of %d healthy readings reported", interval, flagged, readings)
		assert.Less(t, float64(flagged)/float64(readings), 0.0005)
	}
}

// A fault that begins within a minute is found where it begins, and the way back is
// not taken for another.
func TestFaultsAreFound(t *testing.T) {
	s, sim := defaults(t), portfolio(t, time.Minute, 0.03)
	sudden := map[simulate.Fault]bool{
		simulate.Overheating: true, simulate.HumiditySpike: true, simulate.VentilationFailure: true, simulate.EquipmentMalfunction: true,
	}
	type fault struct{ found bool }
	var e simulate.Event
	var found []*anomaly.Anomaly
	open := map[string]*fault{}
	episodes, hits, extra, healthy := 0, 0, 0, 0
	for sim.Next(&e) {
		id := e.Reading.SensorID
		found = s.Judge(&e.Reading, found[:0])
		switch {
		case e.Truth.Fault == simulate.Healthy:
			delete(open, id)
			healthy += len(found)
		case sudden[e.Truth.Fault]:
			if open[id] == nil {
				open[id] = &fault{}
				episodes++
			}
			for _, a := range found {
				switch {
				case a.Metric != e.Truth.Metric.String():
				case open[id].found:
					extra++
				default:
					open[id].found = true
					hits++
				}
			}
		}
	}
	t.Logf("%d of %d faults found, %d reported again, %d reports on healthy readings", hits, episodes, extra, healthy)
	require.Greater(t, episodes, 50)
	assert.Greater(t, float64(hits)/float64(episodes), 0.9)
	assert.Less(t, float64(extra)/float64(hits), 0.5)
	assert.Less(t, float64(healthy)/float64(hits), 0.2)
}

// One real office, a reading a minute: Candanedo and Feldheim, "Occupancy
// Detection" (2016), https://doi.org/10.24432/C5X01N.
func TestRealRoomIsQuiet(t *testing.T) {
	data := os.Getenv("BUILDMON_DATA")
	if data == "" {
		t.Skip("set BUILDMON_DATA")
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
		flagged := 0
		for _, row := range rows[1:] {
			at, err := time.Parse(time.DateTime, row[1])
			require.NoError(t, err)
			r := &reading.Reading{SensorID: "room", Time: at, Values: reading.Absent()}
			for m, column := range map[reading.Metric]int{reading.Temperature: 2, reading.Humidity: 3, reading.CO2: 5, reading.Occupancy: 7} {
				r.Values[m], err = strconv.ParseFloat(row[column], 64)
				require.NoError(t, err)
			}
			if found := s.Judge(r, nil); len(found) > 0 {
				flagged++
			}
		}
		t.Logf("%s: %d of %d readings reported", name, flagged, len(rows)-1)
		assert.Less(t, float64(flagged)/float64(len(rows)-1), 0.01)
	}
}
