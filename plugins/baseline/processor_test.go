package baseline

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/internal/store"
	"buildmon/plugins/internal/testconfig"
)

func TestConfig(t *testing.T) {
	for _, test := range []struct{ name, config, errContains string }{
		{"defaults", `{}`, ""},
		{"one of two", `{ presence: "" }`, ""},
		{"nothing", `{ drift: "", presence: "" }`, "drift and presence are both empty"},
		{"tolerance", `{ tolerance: 0 }`, "tolerance must be positive, got 0"},
		{"zone", `{ time_zone: Mars/Olympus }`, `unknown time_zone "Mars/Olympus", want an IANA name`},
		{"zone of the machine", `{ time_zone: Local }`, `unknown time_zone "Local"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := spec().ParseYAML(test.config, nil)
			require.NoError(t, err)
			_, err = Step.Processor(conf, service.MockResources())
			lints, lintErr := service.GlobalEnvironment().NewComponentConfigLinter().LintProcessorYAML([]byte("baseline: " + test.config))
			require.NoError(t, lintErr)
			testconfig.Require(t, err, lints, test.errContains, "")
		})
	}
}

// start is a Monday.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// A sensor that drifts and a room in use at night are each found in the simulator, as
// one event each, with a sentence for a caretaker; and healthy rooms are not.
func TestSimulatedFaultsAreOneEventEach(t *testing.T) {
	for _, kind := range []simulate.Fault{simulate.CO2Drift, simulate.NightUse, simulate.Healthy} {
		t.Run(kind.String(), func(t *testing.T) {
			cfg := simulate.Config{
				Seed: 3, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC,
				Start: start, End: start.AddDate(0, 0, 28), Interval: 5 * time.Minute,
			}
			if kind != simulate.Healthy {
				cfg.FaultShare, cfg.FaultKinds = map[simulate.Fault]float64{simulate.CO2Drift: 0.15, simulate.NightUse: 0.005}[kind], []simulate.Fault{kind}
			}
			sim, err := simulate.New(cfg)
			require.NoError(t, err)
			conf, err := spec().ParseYAML(`{}`, nil)
			require.NoError(t, err)
			r, err := parse(conf)
			require.NoError(t, err)
			s := newState(r)

			type episode struct {
				sensor      string
				first, last time.Time
			}
			var episodes []*episode
			open := map[string]*episode{}
			var found []*anomaly.Anomaly
			var e simulate.Event
			readings := 0
			for sim.Next(&e) {
				readings++
				copied := e.Reading
				found = s.Judge(&copied, found)
				id := copied.SensorID
				if e.Truth.Fault == simulate.Healthy {
					delete(open, id)
					continue
				}
				if open[id] == nil {
					open[id] = &episode{sensor: id, first: copied.Time}
					episodes = append(episodes, open[id])
				}
				open[id].last = copied.Time
			}
			metric := reading.Occupancy
			if kind == simulate.CO2Drift {
				metric = reading.CO2
			}
			events := store.Events(found, store.DefaultQuiet)
			if kind == simulate.Healthy {
				t.Logf("%d events and %d of %d readings in alert", len(events), len(found), readings)
				assert.LessOrEqual(t, float64(len(found)), 0.0003*float64(readings))
				return
			}
			judged, hit, total := 0, 0, 0
			for _, ep := range episodes {
				long := kind == simulate.NightUse && ep.last.Sub(ep.first) > 15*time.Minute || ep.last.Sub(ep.first) > 8*24*time.Hour
				if !long || ep.first.Before(start.AddDate(0, 0, 9)) || ep.first.Equal(start) {
					continue
				}
				judged++
				n := 0
				for _, ev := range events {
					if ev.SensorID == ep.sensor && ev.Metric == metric.String() && !ev.Started.Before(ep.first) && !ev.Started.After(ep.last.Add(24*time.Hour)) {
						n++
						if n == 1 && hit < 3 {
							t.Log(ev.Explanation)
						}
					}
				}
				if n > 0 {
					hit++
				}
				total += n
			}
			t.Logf("%d of %d found, in %d events", hit, judged, total)
			require.Greater(t, judged, 3)
			assert.GreaterOrEqual(t, float64(hit), 0.9*float64(judged))
			assert.Equal(t, hit, total, "one event each")
		})
	}
}

func TestSentences(t *testing.T) {
	conf, err := spec().ParseYAML(`{}`, nil)
	require.NoError(t, err)
	r, err := parse(conf)
	require.NoError(t, err)
	s := newState(r)
	sim, err := simulate.New(simulate.Config{Seed: 1, Buildings: 1, Floors: 1, RoomsPerFloor: 1, Location: time.UTC, Start: start, End: start.AddDate(0, 0, 24), Interval: 10 * time.Minute})
	require.NoError(t, err)
	var e simulate.Event
	var found []*anomaly.Anomaly
	night := start.AddDate(0, 0, 23).Add(2 * time.Hour)
	for sim.Next(&e) {
		reading := e.Reading
		if reading.Time.After(night) && reading.Time.Before(night.Add(time.Hour)) {
			reading.Values[3] = 2
		}
		found = s.Judge(&reading, found)
	}
	require.NotEmpty(t, found)
	assert.Equal(t, "after_hours_use", found[0].Type)
	assert.Equal(t, "Occupancy is 2 persons at an hour when this room was empty on the last 17 work days, as rooms of its kind are.", found[0].Explanation)
	assert.False(t, found[0].Continues)
	for _, a := range found[1:] {
		assert.True(t, a.Continues)
	}
	assert.Equal(t, anomaly.Medium, anomaly.SeverityOf(found[0].Strength))
	state, err := s.AppendBinary(nil)
	require.NoError(t, err)
	again := newState(r)
	require.NoError(t, again.UnmarshalBinary(state))
	same, err := again.AppendBinary(nil)
	require.NoError(t, err)
	assert.Equal(t, state, same)
	require.Error(t, again.UnmarshalBinary([]byte("?")))
}
