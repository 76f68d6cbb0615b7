package alert_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
)

var start = time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC) // a Monday

func at(minutes float64) time.Time {
	return start.Add(time.Duration(minutes * float64(time.Minute)))
}

func config() alert.Config {
	return alert.Config{
		DedupBy: []string{"sensor_id", "metric"}, GroupBy: []string{"building"},
		GroupInterval: 5 * time.Minute, CoolDown: 15 * time.Minute, MaxAge: time.Hour,
		MaxListed: 20, Location: time.UTC,
		Routes: []alert.Route{{Name: "chat", MinSeverity: anomaly.High}},
	}
}

// tester steps an engine and notes what it sends, each alert as
// "route status severity sensor metric".
type tester struct {
	*testing.T
	engine     *alert.Engine
	suppressed map[alert.Reason]int
}

func newTester(t *testing.T, cfg alert.Config) *tester {
	engine, err := alert.NewEngine(cfg)
	require.NoError(t, err)
	return &tester{t, engine, map[alert.Reason]int{}}
}

func (t *tester) step(minutes float64, events ...alert.Event) (told []string) {
	t.Helper()
	// Whatever happens, a restart between two steps makes no difference.
	text, err := t.engine.MarshalState()
	require.NoError(t, err)
	require.NoError(t, t.engine.RestoreState(text))
	result := t.engine.Step(at(minutes), events)
	for reason, n := range result.Suppressed {
		t.suppressed[reason] += n
	}
	for _, m := range result.Messages {
		for _, a := range m.Alerts {
			told = append(told, fmt.Sprintf("%s %s %s %s %s", m.Route, a.Status, a.Severity, a.SensorID, a.Metric))
		}
	}
	return told
}

// event is open, began at a minute and was found last two minutes later.
func event(sensor, metric string, severity anomaly.Severity, minutes float64) alert.Event {
	return alert.Event{
		Subject: alert.Subject{SensorID: sensor, Metric: metric},
		Place:   alert.Place{Building: "Building " + strings.ToUpper(sensor[:1]), RoomID: "room-" + sensor},
		Started: at(minutes), Last: at(minutes + 2), Open: true, Severity: severity,
		Detector: "threshold", Type: metric + "_too_high", Explanation: "It is too high.",
	}
}

func over(e alert.Event) alert.Event {
	e.Open = false
	return e
}

func TestAlertFromBeginningToEnd(t *testing.T) {
	s := newTester(t, config())
	e := event("a1", "co2", anomaly.High, 0)
	require.Equal(t, []string{"chat new high a1 co2"}, s.step(2, e))
	require.Equal(t, 1, s.engine.Firing("chat"))
	require.Empty(t, s.step(3, e), "told already")
	e.Severity, e.Last = anomaly.Critical, at(5)
	require.Empty(t, s.step(6, e), "the group was told less than five minutes ago")
	require.Equal(t, []string{"chat worse critical a1 co2"}, s.step(7))
	require.Len(t, s.engine.Open(), 1)
	require.Equal(t, []string{"chat resolved critical a1 co2"}, s.step(40, over(e)))
	require.Zero(t, s.engine.Firing("chat"))
	require.Empty(t, s.step(41, over(e)))
	require.Empty(t, s.suppressed)
}

func TestEventsOfOneThingAreOneAlert(t *testing.T) {
	s := newTester(t, config())
	e := event("a1", "co2", anomaly.High, 0)
	drift := e
	drift.Detector, drift.Type, drift.Drift = "baseline", "co2_drift", true
	require.Equal(t, []string{"chat new high a1 co2"}, s.step(1, e, drift))
	require.Empty(t, s.step(40, over(e)), "the other is open")
	require.Equal(t, []string{"chat resolved high a1 co2"}, s.step(41, over(drift)))
}

// More of a silence is found: what it is about stays, its place and its type do not.
func TestEventThatGrowsIsOneAlert(t *testing.T) {
	cfg := config()
	cfg.DedupBy = []string{"room_id", "anomaly_type"}
	s := newTester(t, cfg)
	e := event("a1", "silence", anomaly.High, 0)
	require.Equal(t, []string{"chat new high a1 silence"}, s.step(2, e))
	e.RoomID, e.Type, e.Started, e.Last = "", "group_silent", at(1), at(3)
	require.Empty(t, s.step(10, e))
	require.Equal(t, []string{"chat resolved high a1 silence"}, s.step(20, over(e)))
	require.Empty(t, s.step(21, over(e)), "it may be seen again")
	require.Empty(t, s.engine.Open())

	// The next one is an alert of its own, which a step may see together with the last.
	next := event("a1", "silence", anomaly.High, 30)
	require.Equal(t, []string{"chat new high a1 silence"}, s.step(40, over(e), next))
}

func TestRoutesBySeverityAndPlace(t *testing.T) {
	cfg := config()
	cfg.Routes = []alert.Route{
		{Name: "all", MinSeverity: anomaly.Low},
		{Name: "phone", MinSeverity: anomaly.Critical},
		{Name: "north", MinSeverity: anomaly.Low, Where: alert.Where{"building": "Building A"}},
		{Name: "lasting", MinSeverity: anomaly.Low, For: 10 * time.Minute},
	}
	s := newTester(t, cfg)
	a, b := event("a1", "co2", anomaly.Critical, 0), event("b1", "humidity", anomaly.Low, 0)
	require.Equal(t, []string{
		"all new critical a1 co2", "all new low b1 humidity", "north new critical a1 co2", "phone new critical a1 co2",
	}, s.step(2, a, b))
	a.Last = at(10)
	require.Equal(t, []string{"lasting new critical a1 co2"}, s.step(10, a))
}

func TestManyAtOnceAreOneMessage(t *testing.T) {
	cfg := config()
	cfg.GroupWait = 30 * time.Second
	s := newTester(t, cfg)
	var events []alert.Event
	for i := range 100 {
		severity := anomaly.High
		if i == 57 {
			severity = anomaly.Critical
		}
		events = append(events, event(fmt.Sprintf("a%03d", i), "temperature", severity, 0))
	}
	require.Empty(t, s.engine.Step(at(1), events[:60]).Messages)
	messages := s.engine.Step(at(1.5), events[60:]).Messages
	require.Len(t, messages, 1)
	m := messages[0]
	require.Equal(t, map[alert.Status]int{alert.New: 100}, m.Counts)
	require.Len(t, m.Alerts, 20)
	require.Equal(t, 80, m.LeftOut)
	require.Equal(t, "a057", m.Alerts[0].SensorID, "the worst first")
	require.Equal(t, "Building A: 100 new (up to critical)", m.Title)
	require.Equal(t, "firing", m.Status)
	require.Equal(t, map[string]string{"building": "Building A"}, m.Group)
	lines := strings.Split(m.Text, "\n")
	require.Len(t, lines, 21)
	require.Equal(t, "▲ new, critical: room-a057 temperature, since 2026-01-05 09:30:00 UTC. It is too high.", lines[0])
	require.Equal(t, "… and 80 more", lines[20])
}

func TestCoolDown(t *testing.T) {
	s := newTester(t, config())
	first := event("a1", "co2", anomaly.High, 0)
	require.NotEmpty(t, s.step(2, first))
	require.Equal(t, []string{"chat resolved high a1 co2"}, s.step(10, over(first)))

	// Back within a quarter of an hour of the last message, and gone again.
	second := event("a1", "co2", anomaly.High, 12)
	require.Empty(t, s.step(14, second))
	require.Empty(t, s.step(20, over(second)))
	require.Equal(t, map[alert.Reason]int{alert.CoolDown: 1}, s.suppressed)

	// Back and staying: told when the cool-down is over.
	third := event("a1", "co2", anomaly.High, 21)
	require.Empty(t, s.step(24, third))
	require.Equal(t, []string{"chat new high a1 co2"}, s.step(25))
	require.Equal(t, []string{"chat resolved high a1 co2"}, s.step(40, over(third)))

	// Back and worse: told at once.
	require.Equal(t, []string{"chat new critical a1 co2"}, s.step(46, event("a1", "co2", anomaly.Critical, 45)))
}

func TestReminder(t *testing.T) {
	cfg := config()
	cfg.RepeatInterval = time.Hour
	s := newTester(t, cfg)
	e := event("a1", "co2", anomaly.High, 0)
	require.NotEmpty(t, s.step(2, e))
	require.Empty(t, s.step(61))
	require.Equal(t, []string{"chat reminder high a1 co2"}, s.step(62))
	require.Equal(t, []string{"chat reminder high a1 co2"}, s.step(122))
}

// What began and ended while nobody looked is told all the same, unless it is old.
func TestEventThatWasOverWhenFirstSeen(t *testing.T) {
	s := newTester(t, config())
	require.Equal(t, []string{"chat over high a1 co2"}, s.step(50, over(event("a1", "co2", anomaly.High, 0))))
	require.Empty(t, s.step(51, over(event("a1", "co2", anomaly.High, 0))))
	require.Empty(t, s.step(70, over(event("b1", "co2", anomaly.High, 0))))
	require.Equal(t, map[alert.Reason]int{alert.TooOld: 1}, s.suppressed)
}

// It may be seen again, as when a late reading changes it, long after the cool-down.
func TestEventThatIsSeenAgain(t *testing.T) {
	s := newTester(t, config())
	e := over(event("a1", "co2", anomaly.High, 0))
	require.Equal(t, []string{"chat over high a1 co2"}, s.step(5, e))
	require.Empty(t, s.step(30))
	require.Empty(t, s.step(31, e))
	require.Empty(t, s.step(61.9, e))
	require.Empty(t, s.step(63))
	require.Empty(t, s.step(64, e), "it is too old by now")
	require.Equal(t, map[alert.Reason]int{alert.TooOld: 1}, s.suppressed)
}

func TestMaintenance(t *testing.T) {
	s := newTester(t, config())
	window := alert.Window{Where: alert.Where{"building": "Building A"}, From: at(0), To: at(60)}
	s.engine.SetMaintenance([]alert.Window{window})
	brief, lasting, elsewhere := event("a1", "co2", anomaly.High, 1), event("a2", "co2", anomaly.High, 1), event("b1", "co2", anomaly.High, 1)
	require.Equal(t, []string{"chat new high b1 co2"}, s.step(3, brief, lasting, elsewhere))
	require.Empty(t, s.step(40, over(brief)))
	require.Equal(t, map[alert.Reason]int{alert.Maintenance: 1}, s.suppressed)
	require.Empty(t, s.step(59.9))
	require.Equal(t, []string{"chat new high a2 co2"}, s.step(60), "still open when the window has ended")

	// What was told before a window is resolved within one.
	window.From, window.To = at(65), at(120)
	s.engine.SetMaintenance([]alert.Window{window})
	lasting.Severity = anomaly.Critical
	require.Empty(t, s.step(70, lasting), "worse, but somebody works there")
	require.Equal(t, []string{"chat resolved high a2 co2"}, s.step(80, over(lasting)))
}

func TestNothingIsKeptForEver(t *testing.T) {
	s := newTester(t, config())
	e := event("a1", "co2", anomaly.High, 0)
	s.step(2, e)
	s.step(10, over(e))
	s.step(300)
	text, err := s.engine.MarshalState()
	require.NoError(t, err)
	require.JSONEq(t, `{"alerts":{},"groups":{}}`, string(text))
}

func TestConfig(t *testing.T) {
	f := func(change func(*alert.Config), want string) {
		t.Helper()
		cfg := config()
		change(&cfg)
		_, err := alert.NewEngine(cfg)
		require.EqualError(t, err, want)
	}
	f(func(c *alert.Config) { c.GroupWait = -time.Second }, "group_wait must be at least 0s, got -1s")
	f(func(c *alert.Config) { c.MaxAge = 0 }, "max_age must be at least 1s, got 0s")
	f(func(c *alert.Config) { c.DedupBy = nil }, "dedup_by must not be empty")
	f(func(c *alert.Config) { c.GroupBy = []string{"site"} }, `unknown member "site" in group_by, want one of sensor_id, room_id, building, floor, room_type, detector, anomaly_type, metric`)
	f(func(c *alert.Config) { c.GroupBy = []string{"floor", "floor"} }, `group_by has "floor" twice`)
	f(func(c *alert.Config) { c.MaxListed = 0 }, "max_listed must be at least 1, got 0")
	f(func(c *alert.Config) { c.Routes = nil }, "routes must not be empty")
	f(func(c *alert.Config) { c.Routes = append(c.Routes, c.Routes[0]) }, `route "chat" is there twice`)
	f(func(c *alert.Config) { c.Routes[0].MinSeverity = "severe" }, `route "chat": unknown min_severity "severe", want one of [low medium high critical]`)
	f(func(c *alert.Config) { c.Routes[0].Where = alert.Where{"room": "1"} }, `route "chat": unknown member "room" in where, want one of sensor_id, room_id, building, floor, room_type, detector, anomaly_type, metric`)
}

// The state of before, in which events of each detector had a name of their own.
func TestStateWithOtherNamesIsTaken(t *testing.T) {
	s := newTester(t, config())
	e := event("a1", "co2", anomaly.High, 0)
	require.Equal(t, []string{"chat new high a1 co2"}, s.step(1, e))
	state, err := s.engine.MarshalState()
	require.NoError(t, err)
	var content map[string]any
	require.NoError(t, json.Unmarshal(state, &content))
	for _, a := range content["alerts"].(map[string]any) {
		events := a.(map[string]any)["events"].(map[string]any)
		require.Len(t, events, 1)
		for name, ev := range events {
			delete(events, name)
			events[`["a1","threshold","co2"]`] = ev
		}
	}
	state, err = json.Marshal(content)
	require.NoError(t, err)
	require.NoError(t, s.engine.RestoreState(state))
	require.Len(t, s.engine.Open(), 1)
	require.Equal(t, []string{"chat resolved high a1 co2"}, s.step(40, over(e)))
	require.Empty(t, s.engine.Open())
}
