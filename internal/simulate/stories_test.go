package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// told is a portfolio with stories and nothing else.
func told(start time.Time, length time.Duration) simulate.Config {
	cfg := portfolio()
	cfg.Start, cfg.End, cfg.Interval = start, start.Add(length), time.Minute
	cfg.FaultShare, cfg.FaultKinds, cfg.Stories = 0, nil, true
	return cfg
}

// Whenever a week begins, it has every story, in its place and for as long as it takes.
func TestAnyWeekHasEveryStory(t *testing.T) {
	// Hours in the plan, by hand. Faults that silence a sensor leave no reading.
	want := map[string]map[simulate.Fault]int{
		"bldg-a-f2-office-201":          {simulate.Stuck: 4 * 7 * 60},
		"bldg-a-f1-conference-room-102": {simulate.VentilationFailure: 5 * 2 * 60},
		"bldg-c-f1-cafeteria-104":       {simulate.EquipmentMalfunction: 40 * 60},
		"bldg-c-f3-office-301":          {simulate.NightUse: 3 * 2 * 60},
		"bldg-b-f4-office-401":          {simulate.CO2Drift: 7*24*60 - 1},
	}
	const week = 7 * 24 * 60
	for _, start := range []time.Time{monday, monday.Add(3*24*time.Hour + 10*time.Hour), monday.Add(200*24*time.Hour + 13*time.Hour + 30*time.Minute)} {
		found := map[string]map[simulate.Fault]int{}
		readings := map[string]int{}
		run(t, told(start, week*time.Minute), func(e *simulate.Event) {
			readings[e.Reading.SensorID]++
			if f := e.Truth.Fault; f != simulate.Healthy {
				if found[e.Reading.SensorID] == nil {
					found[e.Reading.SensorID] = map[simulate.Fault]int{}
				}
				found[e.Reading.SensorID][f]++
			}
		})
		require.Equal(t, want, found, "a week from %s", start)
		require.Len(t, readings, 72)
		require.Equal(t, week-3*70, readings["bldg-b-f3-lobby-303"], "the gateway of the floor was down")
		require.Equal(t, week-92*60, readings["bldg-c-f4-warehouse-406"], "the battery was empty")
		require.Equal(t, week-78*60, readings["bldg-a-f4-warehouse-406"], "the battery was empty")
	}
}

// One of two sensors is always silent, so that there is one to be seen.
func TestASensorIsAlwaysSilent(t *testing.T) {
	both := 0
	speaking := map[int64]int{}
	run(t, told(monday, 7*24*time.Hour), func(e *simulate.Event) {
		if id := e.Reading.SensorID; id == "bldg-c-f4-warehouse-406" || id == "bldg-a-f4-warehouse-406" {
			minute := e.Reading.Time.Unix() / 60
			if speaking[minute]++; speaking[minute] == 2 {
				both++
			}
		}
	})
	require.Zero(t, both)
}

func TestStoriesDoNotDependOnTheStart(t *testing.T) {
	wednesday := monday.Add(2*24*time.Hour + 11*time.Hour) // amid a stuck temperature
	at := map[reading.Identity]reading.Reading{}
	run(t, told(monday, 3*24*time.Hour), func(e *simulate.Event) { at[e.Reading.Identity()] = e.Reading })
	run(t, told(wednesday, 13*time.Hour), func(e *simulate.Event) {
		require.Equal(t, at[e.Reading.Identity()], e.Reading)
	})
}
