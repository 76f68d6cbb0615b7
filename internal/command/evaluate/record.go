package evaluate

import (
	"slices"
	"time"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/internal/store"
)

// record is what happened in a run, and what the detectors said of it.
type record struct {
	interval time.Duration
	sensors  map[string]*sensor
	found    []*anomaly.Anomaly
	decoder  *reading.Decoder
	err      error
}

// sensor is what one of them said.
type sensor struct {
	floor    string
	times    []time.Time
	episodes []*episode // in the order of time
	faulty   bool       // the last of them goes on
}

// episode is a fault from its first affected reading to its last.
type episode struct {
	sensor      string
	kind        string
	metric      string   // empty for silence
	also        []string // other metrics in which it shows
	first, last time.Time
}

// spoke notes a reading and the truth about it. A gap is the truth about readings
// that are missing: nothing but silence makes one.
func (r *record) spoke(x *reading.Reading, fault, metric string) {
	s := r.sensors[x.SensorID]
	if s == nil {
		s = &sensor{floor: x.Building + "/" + x.Floor}
		r.sensors[x.SensorID] = s
		s.silent(x.SensorID, start, x.Time, r.interval)
	} else {
		s.silent(x.SensorID, s.times[len(s.times)-1], x.Time, r.interval)
	}
	s.times = append(s.times, x.Time)
	if fault == "" {
		s.faulty = false
		return
	}
	if n := len(s.episodes); s.faulty && s.episodes[n-1].kind == fault && s.episodes[n-1].metric == metric {
		s.episodes[n-1].last = x.Time
		return
	}
	s.faulty = true
	s.episodes = append(s.episodes, &episode{x.SensorID, fault, metric, also(fault), x.Time, x.Time})
}

// also are the metrics in which a fault shows beside the one that is at fault.
func also(fault string) (names []string) {
	if kind, err := simulate.ParseFault(fault); err == nil {
		for _, m := range kind.Also() {
			names = append(names, m.String())
		}
	}
	return names
}

func (s *sensor) silent(id string, from, to time.Time, interval time.Duration) {
	if to.Sub(from) > interval*3/2 {
		s.faulty = false
		s.episodes = append(s.episodes, &episode{sensor: id, kind: simulate.Dropout.String(), first: from.Add(interval), last: to})
	}
}

// finish ends what goes on, and tells gateways from sensors: what all sensors of a
// floor do together is its gateway's.
func (r *record) finish(end time.Time) {
	floors := map[string][]*sensor{}
	for id, s := range r.sensors {
		s.silent(id, s.times[len(s.times)-1], end.Add(-1), r.interval)
		floors[s.floor] = append(floors[s.floor], s)
	}
	for _, sensors := range floors {
		for _, e := range sensors[0].episodes {
			together := e.silence()
			for _, s := range sensors {
				together = together && slices.ContainsFunc(s.episodes, func(o *episode) bool { return o.with(e, r.interval) })
			}
			if !together {
				continue
			}
			for _, s := range sensors {
				for _, o := range s.episodes {
					if o.with(e, r.interval) {
						o.kind = simulate.GatewayFailure.String()
					}
				}
			}
		}
	}
}

func (e *episode) silence() bool { return e.metric == "" }

// with tells whether two silences begin and end together.
func (e *episode) with(o *episode, interval time.Duration) bool {
	return e.silence() && o.silence() && e.first.Sub(o.first).Abs() <= interval && e.last.Sub(o.last).Abs() <= interval
}

// about is the episode that an event is about, or nil: one that the sensor was in then, or
// shortly before, since what a detector says while things settle is about the fault too.
func (s *sensor) about(e *store.Event) *episode {
	for _, ep := range slices.Backward(s.episodes) {
		if ep.last.Add(settling).Before(e.Started) {
			return nil
		}
		if !ep.first.After(e.Last) && ep.shows(e.Metric) {
			return ep
		}
	}
	return nil
}

// shows tells whether the fault shows in the metric of an event. What is said of several
// metrics together may be about any fault but silence, and what else happens to a sensor
// while it has one is not about that.
func (e *episode) shows(metric string) bool {
	return metric == e.metric || slices.Contains(e.also, metric) || metric == anomaly.MultipleMetrics && !e.silence()
}

// settling is how long after a fault its consequences last.
const settling = time.Hour
