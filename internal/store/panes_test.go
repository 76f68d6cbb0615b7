package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	"buildmon/internal/window"
)

// Processors around the windows may copy, change and drop what the windows counted.
// Whatever they do, each stored reading counts once, with the values that are stored.
func TestEachStoredReadingCountsOnce(t *testing.T) {
	r, other := room(1, monday, 20), room(1, monday.Add(5*time.Second), 25)
	changed := *r
	changed.Values[reading.Temperature], changed.Values[reading.CO2] = 35, math.NaN()
	changed.Floor, changed.RoomID = "Floor 7", "elsewhere"
	moved := *other
	moved.SensorID = "sensor-7"

	type list = []*reading.Reading
	perHour := &window.Spec{Size: time.Hour, GroupBy: []string{"building", "floor"}, Metrics: reading.MetricNames()}
	climate := &window.Spec{Size: perFloor.Size, GroupBy: []string{"floor", "building"}, Metrics: []string{"co2", "temperature"}}
	rest := &window.Spec{Size: perFloor.Size, GroupBy: []string{"building", "floor"}, Metrics: []string{"humidity", "co2", "occupancy", "energy_consumption"}}
	for name, c := range map[string]struct {
		counted list
		specs   []*window.Spec // perFloor unless it says otherwise
		twice   bool           // the rows of the windows were copied, too
		stored  list
		strange int
	}{
		"copied before":                {counted: list{r, r, other}, stored: list{r, r, other}},
		"copied before, late":          {counted: list{other, r, r}, stored: list{r, other, r}},
		"copied before, dropped after": {counted: list{r, r, other}, stored: list{other, r}},
		"copied after":                 {counted: list{r, other}, stored: list{r, r, other, r}},
		"all copied after":             {counted: list{r, other}, twice: true, stored: list{r, other, r, other}},
		"rows copied after":            {counted: list{r, other}, twice: true, stored: list{r, other}},
		"dropped":                      {counted: list{other, r}, stored: list{r}, strange: 1},
		"changed":                      {counted: list{r, other}, stored: list{&changed, other}},
		"copied before, changed after": {counted: list{r, r}, stored: list{&changed, r}},
		"copied after, first changed":  {counted: list{r, other}, stored: list{&changed, r, other}},
		"copied after, second changed": {counted: list{r, other}, stored: list{r, &changed, other}},
		"changed before":               {counted: list{r, &changed, other}, stored: list{r, &changed, other}},
		"changed before, swapped":      {counted: list{r, &changed, other}, stored: list{&changed, r, other}},
		"two sizes":                    {counted: list{r, r, other}, specs: []*window.Spec{perFloor, perHour}, stored: list{r, other, r}},
		"two processors":               {counted: list{r, other}, specs: []*window.Spec{climate, rest}, stored: list{r, other}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.specs == nil {
				c.specs = []*window.Spec{perFloor}
			}
			b := &store.Batch{Readings: c.stored}
			for _, spec := range c.specs {
				b.Panes = append(b.Panes, panes(spec, c.counted)...)
			}
			if c.twice {
				b.Panes = append(b.Panes, b.Panes...)
			}
			for _, found := range c.counted {
				if found == r {
					b.Anomalies = append(b.Anomalies, &anomaly.Anomaly{Reading: r, Detector: "threshold", Type: "temperature_too_high", Metric: "temperature", Score: 0.8})
				}
			}
			distinct := map[reading.Identity]bool{}
			for _, r := range c.stored {
				distinct[r.Identity()] = true
			}

			// All are new, or one of them is known.
			for _, before := range []list{nil, {c.stored[len(c.stored)-1]}} {
				s := open(t, testpg.New(t), store.Retention{})
				known := &store.Batch{Readings: before}
				for _, spec := range c.specs {
					known.Panes = append(known.Panes, panes(spec, before)...)
				}
				write(t, s, known)
				result := write(t, s, b)
				require.Equal(t, len(distinct)-len(before), result.Stored)
				require.Equal(t, len(c.stored), result.Stored+result.Duplicates)
				require.Equal(t, c.strange, result.Strangers)
				requireAggregatesEqualReadings(t, s.Pool())
				events := 1
				if len(before) == 1 && before[0].Identity() == r.Identity() {
					events = 0 // what is known is not judged again
				}
				require.Equal(t, events, result.Anomalies)
				require.Equal(t, events, count(t, s.Pool(), "SELECT coalesce(sum(readings), 0)::int FROM anomaly_events"))

				after := dump(t, s.Pool())
				again := write(t, s, b)
				require.Equal(t, len(c.stored), again.Duplicates)
				require.Equal(t, after, dump(t, s.Pool()))
			}
		})
	}

	// A reading that becomes another one after the windows is in no window, as the
	// windows know nothing of it.
	s := open(t, testpg.New(t), store.Retention{})
	b := &store.Batch{Readings: list{r, &moved}, Panes: panes(perFloor, list{r, other})}
	require.Equal(t, 1, write(t, s, b).Strangers)
	require.Equal(t, 1, count(t, s.Pool(), "SELECT sum(reading_count)::int FROM sensor_aggregates"))
}
