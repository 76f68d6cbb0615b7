package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/simulate"
)

// Gateways fail in a simulated day that comes over three partitions. Each outage is
// one event, from the last reading of its floor until half of its six sensors report
// again, and nothing else is one. Read again by a group that has learned nothing, all
// stays as it is.
func TestSilentGatewaysAreOneEventEach(t *testing.T) {
	pipeline := simulation(t, "kinds: [ gateway_failure ]", "max_in_flight: 1") // so that no batch overtakes another
	s := newSite(t)
	_, err := s.admin.CreateTopic(t.Context(), 3, 1, nil, s.topic)
	require.NoError(t, err)
	const n = 30_000
	s.start(pipeline, append(simulated(n), "BUILDMON_SIMULATOR_FAULTS=0.1", "BUILDMON_SIMULATOR_INTERVAL=1m")...).wait(soon)
	p := s.start("monitor.yaml")
	s.waitForReadings(n)
	p.stop()

	// Too little is known in the first minutes of a sensor.
	const outages = `WITH spoken AS (
			SELECT building, floor, "timestamp" AS back, lag("timestamp") OVER (PARTITION BY building, floor ORDER BY "timestamp") AS last FROM sensor_readings
		), outages AS (
			SELECT * FROM spoken WHERE back - last > '6 minutes' AND last > (SELECT min("timestamp") FROM sensor_readings) + interval '10 minutes'
			UNION ALL SELECT building, floor, NULL, max("timestamp") FROM sensor_readings GROUP BY building, floor
			HAVING (SELECT max("timestamp") FROM sensor_readings) - max("timestamp") > '6 minutes'
		), events AS (SELECT * FROM sensor_events WHERE detector = 'silence') `
	require.Greater(t, s.number(outages+`SELECT count(*) FROM outages`), int64(5))
	require.Zero(t, s.number(outages+`SELECT count(*) FROM outages o FULL JOIN events e
		ON (e.building, e.floor, e.started_at) = (o.building, o.floor, o.last) AND e.anomaly_type = 'group_silent' AND cardinality(e.sensors) = 6
		AND e.open = (o.back IS NULL) AND (e.open OR e.ended_at - o.back BETWEEN '0' AND '1 minute')
		AND e.explanation LIKE '6 sensors of ' || o.building || ', ' || o.floor || ' stopped reporting together: %'
		WHERE e.started_at IS NULL OR o.last IS NULL`))
	require.Zero(t, s.number(`SELECT count(*) FROM sensor_anomalies a WHERE NOT EXISTS (SELECT FROM sensor_readings r WHERE (r.sensor_id, r."timestamp") = (a.sensor_id, a."timestamp"))`))

	const digest = `SELECT hashtextextended(string_agg(x, ',' ORDER BY x), 0) FROM (
		SELECT e::text AS x FROM anomaly_events e UNION ALL SELECT a::text FROM sensor_anomalies a) y`
	before := s.number(digest)
	p = s.start("monitor.yaml", "BUILDMON_KAFKA_GROUP="+s.topic+"-replay", "BUILDMON_STATE_CACHE=none")
	require.Eventually(t, func() bool { return s.committed(s.topic+"-replay") == n }, soon, 100*time.Millisecond)
	p.stop()
	require.Equal(t, before, s.number(digest))
}

// A backlog is read in which messages of a minute overtook those of three minutes before
// it, and later, when that is known, those of seven: for longer than a sensor may say
// nothing, nobody said anything of the minutes between. Nobody is missed.
func TestBacklogIsNoSilence(t *testing.T) {
	s := newSite(t)
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	sim, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 2, Floors: 2, RoomsPerFloor: 6, Location: time.UTC,
		Start: start, End: start.Add(time.Hour), Interval: 10 * time.Second,
	})
	require.NoError(t, err)
	var minutes [60][]*kgo.Record
	var e simulate.Event
	for sim.Next(&e) {
		m := &minutes[e.Reading.Time.Sub(start)/time.Minute]
		*m = append(*m, &kgo.Record{Topic: s.topic, Value: e.Reading.AppendJSON(nil)})
	}
	overtake := func(minute, by int) {
		first := minutes[minute]
		copy(minutes[minute-by+1:], minutes[minute-by:minute])
		minutes[minute-by] = first
	}
	overtake(23, 3)
	overtake(47, 7)
	records := slices.Concat(minutes[:]...)
	_, err = s.admin.CreateTopic(t.Context(), 1, 1, nil, s.topic)
	require.NoError(t, err)
	require.NoError(t, s.client.ProduceSync(t.Context(), records...).FirstErr())

	p := s.start("monitor.yaml")
	s.waitForReadings(int64(len(records)))
	p.stop()
	require.Zero(t, s.number(`SELECT count(*) FROM sensor_events WHERE detector = 'silence'`))
}

// simulation is simulate.yaml with a line more about faults and one of its output.
func simulation(t *testing.T, faults, output string) (path string) {
	t.Helper()
	original, err := os.ReadFile("../../pipelines/simulate.yaml")
	require.NoError(t, err)
	const before = "    faults:\n"
	require.Contains(t, string(original), before)
	path = filepath.Join(t.TempDir(), "simulate.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(original), before, before+"      "+faults+"\n", 1)+"    "+output+"\n"), 0o644))
	return path
}
