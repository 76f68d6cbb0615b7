package silence

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/testconfig"
	"buildmon/plugins/internal/testdetect"
)

func TestConfig(t *testing.T) {
	testconfig.Run(t, component, spec(), Step.Processor, service.MockResources(), []testconfig.Case{
		{Name: "defaults", Config: `{}`},
		{Name: "all", Config: `{ group_by: [ gateway ], intervals: 2, least: 1s, expected: [ { interval: 1h, where: { room_type: Office } }, { interval: 10s } ] }`},
		{Name: "no groups", Config: `{ group_by: [] }`},
		{Name: "too soon", Config: `{ intervals: 1.5 }`, Err: "intervals must be 2 to 1000, got 1.5", Lint: "must be 2 to 1000, got 1.5"},
		{Name: "never", Config: `{ intervals: 1e6 }`, Err: "intervals must be 2 to 1000, got 1e+06", Lint: "must be 2 to 1000, got 1e+06"},
		{Name: "at once", Config: `{ least: 0s }`, Err: "least must be positive, got 0s", Lint: "must be positive, got 0s"},
		{Name: "labels twice", Config: `{ group_by: [ floor, floor ] }`, Err: `group_by must be different names, got ["floor" "floor"]`, Lint: "must be different names"},
		{Name: "label without a name", Config: `{ group_by: [ "" ] }`, Err: "group_by must be different names", Lint: "must be different names"},
		{Name: "expected never", Config: `{ expected: [ { interval: -1s } ] }`, Err: "interval of expected must be positive, got -1s", Lint: "must be positive, got -1s"},
		{Name: "unknown cache", Config: `{ state: { cache: nowhere } }`, Err: `state cache "nowhere" is not a cache resource`, Lint: testconfig.NotLinted},
	})
}

func processor(t *testing.T, config string, res *service.Resources) service.BatchProcessor {
	t.Helper()
	conf, err := spec().ParseYAML(config, nil)
	require.NoError(t, err)
	p, err := Step.Processor(conf, res)
	require.NoError(t, err)
	return p
}

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// judged feeds messages and returns the anomalies.
func judged(t *testing.T, p service.BatchProcessor, batch ...*service.Message) []anomaly.Anomaly {
	t.Helper()
	return testdetect.Judge(t, p, batch)
}

// floor is a reading of each of n sensors of a floor each ten seconds.
func floor(name string, n int, from, to time.Duration) (all []*service.Message) {
	for at := from; at < to; at += 10 * time.Second {
		for i := range n {
			all = append(all, service.NewMessage(fmt.Appendf(nil,
				`{"sensor_id":"f%[1]s-%[2]d","room_id":"Room %[1]s0%[2]d","building":"HQ","floor":"Floor %[1]s","temperature":21,"timestamp":%[3]q}`,
				name, i, start.Add(at+time.Duration(i)*time.Second).Format(time.RFC3339))))
		}
	}
	return all
}

// together mixes feeds as they come.
func together(feeds ...[]*service.Message) []*service.Message {
	all := slices.Concat(feeds...)
	items := carry.NewDecoder(time.Now).Batch(all)
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return items[a].Reading.Time.Compare(items[b].Reading.Time) })
	sorted := make([]*service.Message, len(all))
	for i, from := range order {
		sorted[i] = all[from]
	}
	return sorted
}

func TestSilence(t *testing.T) {
	p := processor(t, `{}`, service.MockResources())
	require.Empty(t, judged(t, p, together(floor("1", 6, 0, 10*time.Minute), floor("2", 3, 0, 10*time.Minute))...))

	// Floor 1 stops, and one sensor of floor 2.
	found := judged(t, p, append(floor("2", 2, 10*time.Minute, 20*time.Minute), service.NewMessage([]byte("garbage")))...)
	require.Len(t, found, 2)
	slices.SortFunc(found, func(a, b anomaly.Anomaly) int { return len(a.Silence.Sensors) - len(b.Silence.Sensors) })
	one, all := found[0], found[1]
	assert.Equal(t, "sensor_silent", one.Type)
	assert.Equal(t, "f2-2", one.Reading.SensorID)
	assert.True(t, one.Reading.Time.Equal(start.Add(9*time.Minute+52*time.Second)))
	assert.Equal(t, anomaly.Medium, one.Severity)
	assert.Equal(t, "Sensor f2-2 in Room 202 stopped reporting; it usually reports every 10s.", one.Explanation)

	assert.Equal(t, "group_silent", all.Type)
	assert.Equal(t, "f1-5", all.Reading.SensorID, "the last one that was heard of")
	assert.Equal(t, "HQ", all.Reading.Building)
	assert.Equal(t, "Floor 1", all.Reading.Floor)
	assert.Empty(t, all.Reading.RoomID)
	assert.Equal(t, "6 sensors of HQ, Floor 1 stopped reporting together: f1-0, f1-1, f1-2, f1-3, f1-4 and 1 more. Look first at their gateway, network or power.", all.Explanation)
}

func TestExpectedIntervalsAreByLabel(t *testing.T) {
	p := processor(t, `{ group_by: [ site ], intervals: 2, least: 1s, expected: [ { interval: 30s, where: { site: roof } } ] }`, service.MockResources())
	at := func(sensor, site string, second int) *service.Message {
		return service.NewMessage(fmt.Appendf(nil, `{"sensor_id":%q,"site":%q,"timestamp":%q}`, sensor, site, start.Add(time.Duration(second)*time.Second).Format(time.RFC3339)))
	}
	batch := []*service.Message{at("dead", "roof", 0), at("new", "cellar", 0)}
	for second := range 100 {
		batch = append(batch, at("a", "cellar", second), at("b", "cellar", second))
	}
	found := judged(t, p, batch...)
	require.Len(t, found, 1, "of the cellar's too little is known")
	assert.Equal(t, "dead", found[0].Reading.SensorID)
	assert.Equal(t, time.Minute, found[0].Silence.Sensors[0].Patience)
}

// The same feed with and without restarts yields the same, word for word.
func TestRestartChangesNothing(t *testing.T) {
	feed := together(floor("1", 4, 0, 10*time.Minute), floor("2", 4, 0, 20*time.Minute),
		floor("2", 3, 20*time.Minute, 40*time.Minute), floor("1", 4, 30*time.Minute, 40*time.Minute))
	want := judged(t, processor(t, `{}`, service.MockResources()), feed...)
	require.Len(t, want, 2)

	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	var got []anomaly.Anomaly
	for chunk := range slices.Chunk(feed, 64) {
		p := processor(t, `state: { cache: learned }`, res)
		got = append(got, judged(t, p, chunk...)...)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Equal(t, fmt.Sprint(explained(want)), fmt.Sprint(explained(got)))
}

func explained(found []anomaly.Anomaly) (said []string) {
	for _, a := range found {
		said = append(said, a.Reading.Time.String()+a.Explanation)
	}
	return said
}

// The whole feed stops. Ticks, and nothing else, find it after five minutes of the
// clock; once, also if a tick comes again, and not at once after a restart.
func TestTicksFindThatTheFeedStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.AddDate(1, 0, 0)))
		tick := func() *service.Message { return carry.NewTick(time.Now()) }
		res := service.MockResources(service.MockResourcesOptAddCache("learned"))
		p := processor(t, `state: { cache: learned }`, res)
		require.Empty(t, judged(t, p, together(floor("1", 4, 0, 10*time.Minute), floor("2", 4, 0, 10*time.Minute))...))

		time.Sleep(4 * time.Minute)
		require.Empty(t, judged(t, p, tick()))
		require.NoError(t, p.Close(t.Context()))
		time.Sleep(time.Hour)
		p = processor(t, `state: { cache: learned }`, res)
		require.Empty(t, judged(t, p, tick()), "nobody knows what came while it was away")
		time.Sleep(2 * time.Minute)
		late := tick()
		found := judged(t, p, late)
		require.Len(t, found, 1)
		assert.Equal(t, "8 sensors stopped reporting together, and nothing else came with them: f1-0, f1-1, f1-2, f1-3, f2-0 and 3 more. Look first at what brings their readings.", found[0].Explanation)
		assert.Equal(t, "HQ", found[0].Reading.Building)
		assert.Empty(t, found[0].Reading.Floor)
		assert.Equal(t, explained(found), explained(judged(t, p, late)), "a tick that comes again")
		time.Sleep(time.Hour)
		require.Empty(t, judged(t, p, tick()))
		require.Empty(t, judged(t, p, floor("1", 4, 2*time.Hour, 2*time.Hour+time.Minute)...), "they are back")
	})
}

// simulated is a day of the simulator.
func simulated(t *testing.T, faults ...simulate.Fault) (batch []*service.Message, dark int64) {
	t.Helper()
	cfg := simulate.Config{
		Seed: 3, Buildings: 2, Floors: 3, RoomsPerFloor: 6, Location: time.UTC, Interval: time.Minute,
		Start: start.Truncate(24 * time.Hour), FaultKinds: faults,
	}
	if cfg.End = cfg.Start.Add(24 * time.Hour); len(faults) > 0 {
		cfg.FaultShare = 0.1
	}
	sim, err := simulate.New(cfg)
	require.NoError(t, err)
	var e simulate.Event
	for sim.Next(&e) {
		r := new(reading.Reading)
		*r = e.Reading
		batch = append(batch, carry.NewReading(r))
	}
	return batch, sim.Silent(simulate.GatewayFailure)
}

func TestADayWithoutFaultsIsQuiet(t *testing.T) {
	batch, _ := simulated(t)
	require.Empty(t, judged(t, processor(t, `{}`, service.MockResources()), batch...))
}

// Each failure of a gateway in a day of the simulator is one finding with all six
// sensors of the floor, and nothing else is found.
func TestGatewaysOfADay(t *testing.T) {
	batch, dark := simulated(t, simulate.GatewayFailure)
	gaps := map[string]int{} // outages by floor
	learned := start.Truncate(24 * time.Hour).Add(10 * time.Minute)
	last := map[string]time.Time{}
	for _, item := range carry.NewDecoder(time.Now).Batch(batch) {
		r := item.Reading
		key := r.Building + ", " + r.Floor
		if before := last[key]; before.After(learned) && r.Time.Sub(before) > 5*time.Minute {
			gaps[key]++
		}
		last[key] = r.Time
	}
	for key, at := range last { // those that have not ended at midnight
		if start.Truncate(24*time.Hour).Add(24*time.Hour).Sub(at) > 6*time.Minute {
			gaps[key]++
		}
	}
	require.Greater(t, dark, int64(36*50))
	found := map[string]int{}
	for _, a := range judged(t, processor(t, `{}`, service.MockResources()), batch...) {
		require.Len(t, a.Silence.Sensors, 6, a.Explanation)
		found[a.Silence.Group]++
	}
	require.Equal(t, gaps, found)
}
