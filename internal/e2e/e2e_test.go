package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simulated makes the simulator push a number of readings as fast as it can.
func simulated(count int) []string {
	return []string{
		"BUILDMON_SIMULATOR_START=2026-01-05T00:00:00Z", "BUILDMON_SIMULATOR_SPEED=0",
		fmt.Sprintf("BUILDMON_SIMULATOR_COUNT=%d", count),
	}
}

// requireFaultsFound wants anomalies of what the simulator did to its sensors, and no
// silence: it did none of that, but readings that overtake others would look like it.
func (s *site) requireFaultsFound() {
	s.t.Helper()
	require.NotZero(s.t, s.number("SELECT count(*) FROM sensor_anomalies WHERE detector <> 'silence'"))
	require.Zero(s.t, s.number("SELECT count(*) FROM sensor_anomalies WHERE detector = 'silence'"))
}

func TestFullPipelineFillsTheTables(t *testing.T) {
	s := newSite(t)
	const n = 20_000
	p := s.start("full.yaml", simulated(n)...)
	s.waitForReadings(n)
	p.stop()
	require.EqualValues(t, n, s.produced(), "all of it went through Kafka")
	s.requireAggregatesEqualReadings()
	s.requireFaultsFound()
	require.EqualValues(t, 3, s.number("SELECT count(DISTINCT building) FROM sensor_aggregates"))
	require.NotZero(t, s.number("SELECT count(*) FROM sensor_aggregates WHERE final"))
	require.Zero(t, s.number("SELECT count(*) FROM dead_letters"))
}

func TestSimulateAndMonitorAsTwoProcesses(t *testing.T) {
	s := newSite(t)
	const n = 20_000
	monitor := s.start("monitor.yaml") // before the topic is there
	s.start("simulate.yaml", simulated(n)...).wait(soon)
	require.EqualValues(t, n, s.produced())
	s.waitForReadings(n)
	monitor.stop()
	s.requireAggregatesEqualReadings()
	s.requireFaultsFound()
}

// The process dies three times under load. What it had not committed comes
// again, and what it had committed is not counted again.
func TestKilledMonitorLosesAndDoublesNothing(t *testing.T) {
	s := newSite(t)
	const n = 120_000
	s.start("simulate.yaml", simulated(n)...).wait(soon)
	for i := int64(1); i <= 3; i++ {
		p := s.start("monitor.yaml")
		require.Eventually(t, func() bool { return s.readings() >= i*n/10 }, soon, 5*time.Millisecond)
		p.kill()
		require.Less(t, s.readings(), int64(n), "killed too late to prove anything")
		s.requireAggregatesEqualReadings()
	}
	p := s.start("monitor.yaml")
	s.waitForReadings(n)
	p.stop()
	s.requireAggregatesEqualReadings()
	require.Zero(t, s.number("SELECT count(*) FROM dead_letters"))
}

// A replay of the topic into the same database changes nothing (except that
// nothing is new).
func TestReplayChangesNothing(t *testing.T) {
	s := newSite(t)
	const n = 5_000
	s.start("simulate.yaml", simulated(n)...).wait(soon)
	p := s.start("monitor.yaml")
	s.waitForReadings(n)
	p.stop()
	const digest = `SELECT hashtextextended(string_agg(x::text, ',' ORDER BY x::text), 0) FROM (
		SELECT sensor_id || "timestamp" || coalesce(temperature::text, '') AS x FROM sensor_readings
		UNION ALL SELECT window_start || building || floor || reading_count || avg_co2 FROM sensor_aggregates
		UNION ALL SELECT sensor_id || "timestamp" || detector || metric || anomaly_score FROM sensor_anomalies) y`
	before := s.number(digest)

	p = s.start("monitor.yaml", "BUILDMON_KAFKA_GROUP="+s.topic+"-replay")
	require.Eventually(t, func() bool { return s.committed(s.topic+"-replay") == n }, soon, 100*time.Millisecond)
	p.stop()
	require.Equal(t, before, s.number(digest))
}

func TestReadingsFromCSV(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "readings.csv")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{
		"sensor_id,building,floor,timestamp,temperature,light,note",
		"101,HQ,1,2026-01-05T09:30:00Z,21.5,250,window open",
		"101,HQ,1,2026-01-05T09:30:10Z,,260,",
		"101,HQ,1,someday,21.5,250,",
	}, "\n")), 0o644))
	s.start("csv.yaml", "BUILDMON_CSV_PATHS="+file).wait(soon)
	require.EqualValues(t, 2, s.readings())
	require.EqualValues(t, 1, s.number("SELECT count(*) FROM sensor_readings WHERE temperature IS NULL AND energy_consumption IS NULL AND extra = '{\"light\": 260}'"))
	require.EqualValues(t, 1, s.number("SELECT count(*) FROM sensor_readings WHERE sensor_id = '101' AND extra->>'note' = 'window open'"))
	require.EqualValues(t, 1, s.number("SELECT count(*) FROM dead_letters WHERE reason = 'bad_timestamp'"))
	s.requireAggregatesEqualReadings()
}

// The readings of one real office: Candanedo and Feldheim, "Occupancy Detection",
// UCI Machine Learning Repository, 2016, doi 10.24432/C5X01N.
func TestReadingsOfARealOffice(t *testing.T) {
	data := os.Getenv("BUILDMON_DATA")
	if data == "" {
		t.Skip("needs the UCI occupancy readings: set BUILDMON_DATA to the folder that holds occupancy/datatraining.txt")
	}
	// csv.yaml with another mapping: the first line of this file has one name less
	// than the others have cells, so these come as lists.
	original, err := os.ReadFile("../../pipelines/csv.yaml")
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(original), "      mapping: |\n")
	require.True(t, found)
	_, after, found := strings.Cut(rest, "    - one_step:")
	require.True(t, found)
	office := filepath.Join(t.TempDir(), "office.yaml")
	require.NoError(t, os.WriteFile(office, []byte(before+`      mapping: |
        root.sensor_id = "office"
        root.building = "Mons"
        root.timestamp = this.1.ts_parse("2006-01-02 15:04:05").ts_format("2006-01-02T15:04:05Z07:00")
        root.temperature = this.2.number()
        root.humidity = this.3.number()
        root.light = this.4.number()
        root.co2 = this.5.number()
        root.occupancy = this.7.number()
    - one_step:`+after), 0o644))

	s := newSite(t)
	s.start(office, "BUILDMON_CSV_PATHS="+filepath.Join(data, "occupancy", "datatraining.txt")).wait(soon)
	require.EqualValues(t, 8143, s.readings())
	require.EqualValues(t, 8143, s.number("SELECT count(*) FROM sensor_readings WHERE extra ? 'light' AND energy_consumption IS NULL AND co2 > 400"))
	require.Zero(t, s.number("SELECT count(*) FROM dead_letters"))
	s.requireAggregatesEqualReadings()
}
