package iforest_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
	"buildmon/internal/testfuzz"
)

func monitorConfig() iforest.MonitorConfig {
	d := detectorConfig()
	d.RetrainInterval = 5 * time.Minute
	d.MinSamples, d.MaxHistory, d.History = 64, 256, 3*time.Hour
	d.Forest = iforest.Config{Trees: 20, SampleSize: 64}
	return iforest.MonitorConfig{
		Detector: d, Metrics: 3, Kinds: []features.Kind{features.Value, features.Step},
		Quiet: 10 * time.Minute, Scores: true, MaxGroups: 10, Schema: "a,b,c by kind",
	}
}

func newMonitor(tb testing.TB, cfg iforest.MonitorConfig) *iforest.Monitor {
	tb.Helper()
	m, err := iforest.NewMonitor(cfg)
	require.NoError(tb, err)
	return m
}

type event struct {
	sensor, group string
	at            time.Time
	point         []float64
}

// building is some hours of ten sensors of two kinds, every 30 s; here and there a
// reading is odd, late, or comes twice.
func building(n int, seed uint64) []event {
	rng := rand.New(rand.NewPCG(seed, 0))
	events := make([]event, 0, n)
	for i := range n {
		s := i % 10
		kitchen := float64(s % 2)
		e := event{
			sensor: fmt.Sprintf("sensor-%d", s), group: [2]string{"Office", "Kitchen"}[s%2],
			at:    start.Add(time.Duration(i/10)*30*time.Second + time.Duration(s)*time.Second),
			point: []float64{20 + 10*kitchen + rng.NormFloat64(), 10*kitchen + rng.NormFloat64(), 5*kitchen + rng.NormFloat64()},
		}
		switch rng.IntN(100) {
		case 0:
			e.point[rng.IntN(3)] += 12
		case 1:
			e.at = e.at.Add(-time.Duration(rng.IntN(600)) * time.Second)
		case 2:
			if i > 0 {
				e = events[i-1]
			}
		}
		events = append(events, e)
	}
	return events
}

func observe(m *iforest.Monitor, events []event) []iforest.Verdict {
	verdicts := make([]iforest.Verdict, len(events))
	for i, e := range events {
		verdicts[i] = m.Observe(e.sensor, []byte(e.group), e.at, e.point)
	}
	return verdicts
}

func count(verdicts []iforest.Verdict, o iforest.Outcome) (n int) {
	for _, v := range verdicts {
		if v.Outcome == o {
			n++
		}
	}
	return n
}

func TestMonitorJudgesEachGroupByItsOwn(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	verdicts := observe(m, building(4000, 1))
	require.Equal(t, iforest.Learning, verdicts[0].Outcome)
	require.InDelta(t, 2*64, count(verdicts, iforest.Learning), 8)
	at := start.Add(4 * time.Hour)
	// What is usual in a kitchen is not in an office.
	require.Equal(t, iforest.Usual, m.Observe("k", []byte("Kitchen"), at, []float64{30, 10, 5}).Outcome)
	v := m.Observe("o", []byte("Office"), at, []float64{30, 10, 5})
	require.Equal(t, iforest.Anomalous, v.Outcome)
	require.InDelta(t, 1, v.Reasons[0].Share+v.Reasons[1].Share+v.Reasons[2].Share, 1e-9)
	require.Less(t, v.Reasons[0].Usual.High, 25.0)
	require.Equal(t, features.Value, v.Reasons[0].Kind)
	require.Equal(t, 30.0, v.Reasons[0].Off)
}

func TestMonitorIsReproducible(t *testing.T) {
	events := building(3000, 1)
	require.Equal(t, observe(newMonitor(t, monitorConfig()), events), observe(newMonitor(t, monitorConfig()), events))
}

func TestMonitorLearnsFromEachReadingOnce(t *testing.T) {
	events := building(3000, 1)
	once, twice := newMonitor(t, monitorConfig()), newMonitor(t, monitorConfig())
	observe(once, events[:2000])
	observe(twice, events[:2000])
	// A batch that was not acknowledged comes again.
	for _, v := range observe(twice, events[1500:2000]) {
		require.False(t, v.Fitted)
	}
	require.Equal(t, observe(once, events[2000:]), observe(twice, events[2000:]))
}

func TestMonitorTimeDoesNotGoBack(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(2000, 1)
	observe(m, events)
	late := m.Observe("new", []byte("Office"), start.Add(-1000*time.Hour), []float64{20, 0, 0})
	require.Equal(t, iforest.Usual, late.Outcome)
	require.False(t, late.Fitted)
	last := events[len(events)-1]
	require.Equal(t, iforest.Usual, m.Observe("x", []byte(last.group), last.at, []float64{30, 10, 5}).Outcome)
}

func TestMonitorGoesOnAfterARestart(t *testing.T) {
	events := building(4000, 1)
	all := observe(newMonitor(t, monitorConfig()), events)
	require.Greater(t, count(all, iforest.Anomalous), 20)
	for _, at := range []int{0, 50, 700, 2001, 3999} {
		before := newMonitor(t, monitorConfig())
		observe(before, events[:at])
		data, err := before.AppendBinary(nil)
		require.NoError(t, err)
		after := newMonitor(t, monitorConfig())
		require.NoError(t, after.UnmarshalBinary(data))
		again, err := after.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, data, again)
		require.Equal(t, all[at:], observe(after, events[at:]), "restart before reading %d", at)
	}
}

func TestMonitorRefusesForeignState(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(2000, 1)
	observe(m, events)
	data, err := m.AppendBinary(nil)
	require.NoError(t, err)

	other := monitorConfig()
	other.Schema = "a,b by kind"
	f := func(cfg iforest.MonitorConfig, data []byte, errContains string) {
		t.Helper()
		m := newMonitor(t, cfg)
		require.ErrorContains(t, m.UnmarshalBinary(data), errContains)
		require.Equal(t, newMonitor(t, cfg), m)
	}
	f(other, data, `decoding state: it was learned from "a,b,c by kind", want "a,b by kind"`)
	f(monitorConfig(), nil, "it ends too early")
	f(monitorConfig(), data[:len(data)/2], "it ends too early")
	f(monitorConfig(), append(data[:len(data):len(data)], 0), "goes on for 1 bytes after its end")
	version := append([]byte(nil), data...)
	version[17] = 9 // after the name of the kind and its length
	f(monitorConfig(), version, "it has version 9, want version 3")
}

func TestMonitorTakesAFixedThresholdAtOnce(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(2000, 1)
	observe(m, events)
	data, err := m.AppendBinary(nil)
	require.NoError(t, err)
	cfg := monitorConfig()
	cfg.Detector.Contamination, cfg.Detector.Threshold = 0, 0.0001
	m = newMonitor(t, cfg)
	require.NoError(t, m.UnmarshalBinary(data))
	last := events[len(events)-1]
	require.Equal(t, iforest.Anomalous, m.Observe("x", []byte(last.group), last.at, last.point).Outcome)
}

// A fault is one event, however long it lasts; it is reported again when it gets worse,
// and after it was quiet.
func TestMonitorReportsAnEventOnce(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(3000, 1)
	observe(m, events)
	now := events[len(events)-1].at
	f := func(after time.Duration, off float64, outcome iforest.Outcome, continues bool) {
		t.Helper()
		v := m.Observe("sensor-0", []byte("Office"), now.Add(after), []float64{20 + off, off, off})
		require.Equal(t, outcome, v.Outcome)
		require.Equal(t, continues, v.Continues)
	}

	f(30*time.Second, 12, iforest.Anomalous, false)
	for i := 2; i < 20; i++ {
		f(time.Duration(i)*30*time.Second, 12-float64(i%2), iforest.Anomalous, true)
	}
	f(9*time.Minute, 12, iforest.Anomalous, true) // late
	f(15*time.Minute, 0, iforest.Usual, false)
	for i := 31; i < 60; i++ {
		f(time.Duration(i)*30*time.Second, 0, iforest.Usual, false)
	}
	f(31*time.Minute, 12, iforest.Anomalous, false)
}

func TestMonitorExplainsExactly(t *testing.T) {
	cfg := monitorConfig()
	cfg.Exact = true
	exact, quick := newMonitor(t, cfg), newMonitor(t, monitorConfig())
	events := building(3000, 1)
	observe(exact, events)
	observe(quick, events)
	at := events[len(events)-1].at.Add(time.Minute)
	a := exact.Observe("sensor-0", []byte("Office"), at, []float64{32, 12, 0})
	b := quick.Observe("sensor-0", []byte("Office"), at, []float64{32, 12, 0})
	require.Equal(t, a.Score, b.Score)
	require.NotEqual(t, a.Reasons, b.Reasons)
	require.Greater(t, a.Reasons[0].Share+a.Reasons[1].Share, 0.9)

	cfg.Metrics = 9
	_, err := iforest.NewMonitor(cfg)
	require.EqualError(t, err, "metrics must be at most 8 to be explained exactly, got 9")
}

// What is stated in the reference of the processor: up to 600 bytes for each metric of
// a sensor, and 750 kB for a group.
func TestMonitorMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("short: memory is not measured")
	}
	cfg := iforest.MonitorConfig{Detector: detectorConfig(), Metrics: 5, Kinds: features.Default, Quiet: time.Hour, MaxGroups: 10}
	cfg.Detector.MaxHistory = 2048
	const sensors = 2000
	m := newMonitor(t, cfg)
	rng := rand.New(rand.NewPCG(1, 0))
	used := func(rounds int, from int) float64 {
		before := heap()
		for round := range rounds {
			for s := range sensors {
				at := start.Add(time.Duration(from+round) * time.Hour)
				m.Observe(fmt.Sprint("sensor-", s), []byte("Office"), at, append(around(rng, 0)(), rng.NormFloat64(), 1))
			}
		}
		return float64(heap() - before)
	}
	all := used(30, 0)
	t.Logf("%.0f bytes for a sensor of 5 metrics, with a group among %d", all/sensors, sensors)
	require.Less(t, all, 5*600.0*sensors+750_000)
	require.Less(t, used(30, 30), 0.2*all, "it does not grow")
	runtime.KeepAlive(m)
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestMonitorDoesNotAllocate(t *testing.T) {
	m := newMonitor(t, monitorConfig())
	events := building(3000, 1)
	observe(m, events)
	at, values, group := events[len(events)-1].at, []float64{20, 0, 0}, []byte("Office")
	require.Zero(t, testing.AllocsPerRun(50, func() {
		at = at.Add(time.Second)
		m.Observe("sensor-0", group, at, values)
	}))
}

func TestMonitorBoundsGroups(t *testing.T) {
	cfg := monitorConfig()
	cfg.MaxGroups = 3
	m := newMonitor(t, cfg)
	f := func(group string, after time.Duration, want iforest.Outcome) {
		t.Helper()
		require.Equal(t, want, m.Observe("s", []byte(group), start.Add(after), []float64{1, 2, 3}).Outcome)
	}
	f("a", 0, iforest.Learning)
	f("b", time.Hour, iforest.Learning)
	f("c", 2*time.Hour, iforest.Learning)
	f("d", 3*time.Hour, iforest.Crowded)
	f("c", 3*time.Hour, iforest.Learning)
	// The history of a is past: it makes room.
	f("d", 3*time.Hour+time.Second, iforest.Learning)
	f("a", 3*time.Hour+time.Second, iforest.Crowded)

	cfg.MaxGroups = 0
	_, err := iforest.NewMonitor(cfg)
	require.EqualError(t, err, "max_groups must be positive, got 0")
}

func FuzzMonitorUnmarshal(f *testing.F) {
	cfg := monitorConfig()
	cfg.Detector.Forest = iforest.Config{Trees: 2, SampleSize: 4}
	cfg.Detector.MinSamples, cfg.Detector.MaxHistory = 4, 8
	for _, n := range []int{0, 3, 100} {
		m := newMonitor(f, cfg)
		observe(m, building(n, 1))
		data, err := m.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(data)
	}
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		m := newMonitor(t, cfg)
		if m.UnmarshalBinary(data) == nil {
			observe(m, building(50, 2))
		}
	})
}
