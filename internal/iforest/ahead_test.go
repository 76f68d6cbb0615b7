package iforest_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
)

// city is a stream of many sensors in more groups than there may be, with readings that
// are odd, late, repeated or incomplete, sensors that change their group, and gaps.
func city(n int, seed uint64) []event {
	rng := rand.New(rand.NewPCG(seed, 0))
	events := make([]event, 0, n)
	now := start
	for i := range n {
		sensor := rng.IntN(40)
		group := sensor % 12
		now = now.Add(time.Duration(rng.IntN(6000)) * time.Millisecond)
		e := event{at: now, point: around(rng, float64(group))()}
		switch rng.IntN(60) {
		case 0:
			e.point[rng.IntN(3)] += 12
		case 1:
			e.at = now.Add(-time.Duration(rng.IntN(600)) * time.Second)
		case 2:
			e.point[rng.IntN(3)] = math.NaN()
		case 3:
			group = rng.IntN(12)
		case 4:
			e.point[0], e.point[1] = math.NaN(), math.NaN()
		}
		if rng.IntN(n) < 3 {
			now = now.Add(time.Duration(rng.IntN(5)) * time.Hour)
		}
		e.sensor, e.group = fmt.Sprint("sensor-", sensor), fmt.Sprint("group-", group)
		if i > 0 && rng.IntN(60) == 0 {
			e = events[rng.IntN(i)]
		}
		events = append(events, e)
	}
	return events
}

// observeAhead observes events some at a time.
func observeAhead(m *iforest.Monitor, events []event, some func() int) []iforest.Verdict {
	verdicts := make([]iforest.Verdict, 0, len(events))
	prepared := 0
	for len(verdicts) < len(events) {
		for range min(some(), len(events)-prepared) {
			e := events[prepared]
			m.Prepare(e.sensor, []byte(e.group), e.at, e.point)
			prepared++
		}
		for range min(some(), prepared-len(verdicts)) {
			verdicts = append(verdicts, m.Judge())
		}
	}
	return verdicts
}

// Readings that are prepared before others are judged get the same verdicts, and leave
// the same behind, as those that are observed one by one.
func TestMonitorSaysTheSameAhead(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := monitorConfig()
		cfg.Detector.History, cfg.Detector.WarmUp = 2*time.Hour, 10*time.Minute
		switch seed % 4 {
		case 0:
			cfg.Detector.Contamination, cfg.Detector.Quantile = 0, 0.98
		case 1:
			cfg.Detector.Contamination, cfg.Detector.Threshold = 0, 0.6
		}
		if seed%3 == 0 {
			cfg.Metrics, cfg.Kinds = 3, features.Default
		}
		events := city(8000, seed)
		alone, ahead := newMonitor(t, cfg), newMonitor(t, cfg)
		want := observe(alone, events)
		fits := 0
		for _, v := range want {
			if v.Fitted {
				fits++
			}
		}
		require.Greater(t, fits, 15)
		for o := range iforest.Anomalous + 1 {
			require.Positive(t, count(want, o))
		}
		most := []int{2, 20, 700, 9000}[rng.IntN(4)]
		got := observeAhead(ahead, events, func() int { return 1 + rng.IntN(most) })
		for i := range want {
			require.Equal(t, fmt.Sprint(want[i]), fmt.Sprint(got[i]), "seed %d, reading %d", seed, i) // texts, as NaN is not NaN
		}
		a, err := alone.AppendBinary(nil)
		require.NoError(t, err)
		b, err := ahead.AppendBinary(nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), "seed %d", seed)
	}
}

func TestMonitorDoesNotAllocateAhead(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(3000, 1)
	observe(m, events)
	at, values, group := events[len(events)-1].at, []float64{20, 0, 0}, []byte("Office")
	some := func() {
		for range 20 {
			at = at.Add(time.Second)
			m.Prepare("sensor-0", group, at, values)
		}
		for range 20 {
			m.Judge()
		}
	}
	some()
	require.Zero(t, testing.AllocsPerRun(5, some))
}

// BenchmarkMonitorGroups observes the readings of a thousand sensors in three partitions
// of twelve groups: 36 forests, by batches of 5,000 of one partition.
func BenchmarkMonitorGroups(b *testing.B) {
	const partitions, groups, sensors, batch = 3, 12, 333, 5000
	for _, some := range []int{1, 128, 256, 512, 1024} {
		b.Run(fmt.Sprint(some), func(b *testing.B) {
			cfg := iforest.MonitorConfig{
				Detector: detectorConfig(), Metrics: 5, Kinds: features.Default, Quiet: time.Hour, MaxGroups: groups,
			}
			cfg.Detector.Contamination, cfg.Detector.Quantile, cfg.Detector.MaxHistory = 0, 0.9998, 2048
			var monitors [partitions]*iforest.Monitor
			for i := range monitors {
				monitors[i] = newMonitor(b, cfg)
			}
			var names, of [sensors]string
			for i := range names {
				names[i], of[i] = fmt.Sprint("sensor-", i), fmt.Sprint("group-", i%groups)
			}
			points := cloud(4096, 5, 1)
			var seen [partitions]int
			run := func(p, n int) {
				i, j := seen[p], seen[p]
				seen[p] += n
				for j < seen[p] {
					for ; i < min(j+some, seen[p]); i++ {
						monitors[p].Prepare(names[i%sensors], []byte(of[i%sensors]), start.Add(time.Duration(i)*time.Millisecond), points[i&4095])
					}
					for ; j < i; j++ {
						monitors[p].Judge()
					}
				}
			}
			for p := range monitors {
				run(p, 12*5000) // past the fits of young groups
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				run(i/batch%partitions, min(batch, b.N-i))
			}
		})
	}
}
