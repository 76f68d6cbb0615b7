package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Windows lie in the database, so an open one is not read again after a restart,
// however long it is: offsets are committed while it is open, and what is there is
// added to.
func TestWindowOfADayIsNotReadAgain(t *testing.T) {
	s := newSite(t)
	const n = 200_000 // of less than a day, so all of one window and one partition of days
	s.start("simulate.yaml", simulated(n)...).wait(soon)
	text, err := os.ReadFile("../../pipelines/monitor.yaml")
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("size: 30s"), []byte("size: 24h"), 1)
	text = bytes.Replace(text, []byte("  kafka:\n"), []byte("  kafka:\n    commit_period: 100ms\n    session_timeout: 6s\n"), 1)
	daily := filepath.Join(t.TempDir(), "daily.yaml")
	require.NoError(t, os.WriteFile(daily, text, 0o600))

	p := s.start(daily)
	require.Eventually(t, func() bool { return s.committed(s.topic) >= n/10 }, soon, 5*time.Millisecond)
	p.kill()
	require.Less(t, s.readings(), int64(n), "killed too late to prove anything")

	p = s.start(daily)
	s.waitForReadings(n)
	p.stop()
	s.requireAggregatesEqualReadings()
	require.EqualValues(t, 1, s.number("SELECT count(DISTINCT (window_start, window_end)) FROM sensor_aggregates"))
}

// One, two and four processes share the partitions, then one again. The second half of
// the readings comes when all four are there.
func TestProcessesJoinAndLeaveUnderLoad(t *testing.T) {
	s := newSite(t)
	const n, partitions = 200_000, 8
	_, err := s.admin.CreateTopic(t.Context(), partitions, 1, nil, s.topic)
	require.NoError(t, err)
	s.start("simulate.yaml", simulated(n/2)...)

	group := []*process{s.start("monitor.yaml")}
	reach := func(share int64) {
		t.Helper()
		require.Eventually(t, func() bool { return s.readings() >= share*n/100 }, soon, 5*time.Millisecond)
	}
	members := func() (active int) {
		described, err := s.admin.DescribeGroups(t.Context(), s.topic)
		require.NoError(t, err)
		for _, m := range described[s.topic].Members {
			if a, ok := m.Assigned.AsConsumer(); ok && len(a.Topics) > 0 {
				active++
			}
		}
		return active
	}
	reach(10)
	for len(group) < 2 {
		group = append(group, s.start("monitor.yaml"))
	}
	reach(20)
	for len(group) < 4 {
		group = append(group, s.start("monitor.yaml"))
	}
	require.Eventually(t, func() bool { return members() == 4 }, soon, 50*time.Millisecond, "all four get partitions")
	s.start("simulate.yaml", append(simulated(n/2), "BUILDMON_SIMULATOR_START=2026-01-06T00:00:00Z")...)
	reach(60)
	for _, p := range group[:3] {
		p.stop()
	}
	s.waitForReadings(n)
	group[3].stop()
	s.requireAggregatesEqualReadings()
	require.Zero(t, s.number("SELECT count(*) FROM dead_letters"))
}
