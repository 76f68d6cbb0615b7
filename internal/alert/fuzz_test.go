package alert_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
	"buildmon/internal/testfuzz"
)

// listener is somebody at the end of a route, who knows what may follow what.
type listener struct {
	firing   bool
	severity anomaly.Severity
	at       time.Time
	ended    time.Time // when it was last told that the alert is not open
}

// hear fails the test when something comes that must not come now.
func (l *listener) hear(t *testing.T, cfg *alert.Config, now time.Time, a *alert.Alert) {
	switch a.Status {
	case alert.New, alert.Over:
		require.False(t, l.firing, "told as new twice")
		if !l.at.IsZero() && a.Severity.Rank() <= l.severity.Rank() {
			require.False(t, now.Before(l.at.Add(cfg.CoolDown)), "within the cool-down")
		}
		l.firing = a.Status == alert.New
	case alert.Worse:
		require.True(t, l.firing)
		require.Greater(t, a.Severity.Rank(), l.severity.Rank())
	case alert.Reminder:
		require.True(t, l.firing)
		require.False(t, now.Before(l.at.Add(cfg.RepeatInterval)))
	case alert.Resolved:
		require.True(t, l.firing, "resolved without having been told")
		l.firing = false
	}
	l.severity, l.at = a.Severity, now
	if !l.firing {
		l.ended = now
	}
}

// Whatever happens to events, what a route hears of an alert makes sense, nothing is
// left untold, and nothing is remembered for ever. The first byte chooses a
// configuration; each further pair is something that happens.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("\x00\x01\x10\x02\x20\x03\x30"))
	f.Add([]byte("\x07abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte("\x0f\x00\x00\x04\x07\x08\x11\x0c\x00\x00\x00\x00\x40"))
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		cfg := config()
		cfg.Routes = []alert.Route{{Name: "all", MinSeverity: anomaly.Low}, {Name: "bad", MinSeverity: anomaly.High}}
		cfg.CoolDown = time.Duration(data[0]&1) * 15 * time.Minute
		cfg.RepeatInterval = time.Duration(data[0]>>1&1) * time.Hour
		cfg.GroupWait = time.Duration(data[0]>>2&1) * time.Minute
		s := newTester(t, cfg)
		maintained := data[0]>>3&1 == 1
		if maintained {
			s.engine.SetMaintenance([]alert.Window{{Where: alert.Where{"building": "Building A"}, From: at(10), To: at(100)}})
		}

		listeners := map[string]*listener{}
		groups := map[string]time.Time{}
		minute := 0.0
		step := func(events ...alert.Event) {
			text, err := s.engine.MarshalState()
			require.NoError(t, err)
			require.NoError(t, s.engine.RestoreState(text))
			now := at(minute)
			result := s.engine.Step(now, events)
			for reason, n := range result.Suppressed {
				s.suppressed[reason] += n
			}
			for i := range result.Messages {
				m := &result.Messages[i]
				group := m.Route + m.Group["building"]
				last, before := groups[group]
				require.False(t, before && now.Before(last.Add(cfg.GroupInterval)), "two messages of %s within the interval", group)
				groups[group] = now
				for j := range m.Alerts {
					a := &m.Alerts[j]
					key := m.Route + a.SensorID
					if listeners[key] == nil {
						listeners[key] = &listener{}
					}
					listeners[key].hear(t, &cfg, now, a)
					muted := maintained && a.Building == "Building A" && minute >= 10 && minute < 100
					require.False(t, muted && a.Status != alert.Resolved, "told in a maintenance window")
				}
			}
			require.Empty(t, s.engine.Step(now, events).Messages, "to see an event again changes nothing")
		}

		open := map[string]*alert.Event{}
		ended := map[string]time.Time{} // when an event of a route's severity was last seen to be over
		end := func(e *alert.Event) {
			delete(open, e.SensorID)
			step(over(*e))
			ended["all"+e.SensorID] = at(minute)
			if e.Severity.Rank() >= anomaly.High.Rank() {
				ended["bad"+e.SensorID] = at(minute)
			}
		}
		for pairs := data[1:min(len(data), 401)]; len(pairs) >= 2; pairs = pairs[2:] {
			minute += float64(pairs[1]>>4) / 2
			sensor := []string{"a1", "a2", "b1"}[pairs[0]%3]
			e := open[sensor]
			switch action := pairs[0] / 3 % 4; {
			case e == nil: // it begins, and may be over at once
				severity := anomaly.Severities[pairs[1]%4]
				e := event(sensor, "co2", severity, minute)
				e.Last = at(minute)
				open[sensor] = &e
				if action == 0 {
					end(&e)
				} else {
					step(e)
				}
			case action == 0:
				end(e)
			case action == 1:
				e.Severity = anomaly.Severities[max(int(pairs[1]%4), e.Severity.Rank()-1)]
				e.Last = at(minute)
				step(*e)
			default:
				e.Last = at(minute)
				step(*e)
			}
		}
		for _, sensor := range []string{"a1", "a2", "b1"} {
			if e := open[sensor]; e != nil {
				minute += 0.5
				end(e)
			}
		}
		for range 60 {
			minute += 5
			step()
		}
		for key, l := range listeners {
			require.False(t, l.firing, "%s was not told that it is over", key)
		}
		if cfg.CoolDown == 0 && !maintained {
			require.Empty(t, s.suppressed)
			for key, when := range ended {
				require.NotNil(t, listeners[key], "%s heard nothing", key)
				require.False(t, listeners[key].ended.Before(when), "%s was not told of its last event", key)
			}
		}
		text, err := s.engine.MarshalState()
		require.NoError(t, err)
		require.JSONEq(t, `{"alerts":{},"groups":{}}`, string(text))
	})
}
