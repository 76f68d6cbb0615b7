package evaluate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"buildmon/internal/anomaly"
	"buildmon/internal/store"
)

// Report is what the detectors of a pipeline are worth.
type Report struct {
	Seed       uint64  `json:"seed"`
	Sensors    int     `json:"sensors"`
	Days       int     `json:"days_judged"`
	Faults     []Kind  `json:"faults"`
	All        Kind    `json:"all_faults"`
	Detectors  []Voice `json:"detectors"`
	Everything Voice   `json:"all_detectors"`
}

// Kind is how a kind of fault is found.
type Kind struct {
	Name   string  `json:"fault"`
	Of     int     `json:"faults"`
	Found  int     `json:"found"`
	Recall float64 `json:"recall"`
	Metric float64 `json:"metric_right"` // share of those found in which an event names the metric at fault

	// Time from the first affected reading to the first that is reported, of those
	// found: half and nine tenths are faster.
	DelayMedian float64 `json:"delay_median_seconds"`
	Delay90     float64 `json:"delay_p90_seconds"`

	Events float64 `json:"events_per_fault"` // of those found

	delays        []float64
	events, named int
}

// Voice is what one detector says, or all of them.
type Voice struct {
	Name      string  `json:"detector"`
	Anomalies int     `json:"anomalies"` // rows of sensor_anomalies
	Events    int     `json:"events"`    // rows of sensor_events
	True      int     `json:"true_events"`
	Precision float64 `json:"precision"`

	// False events for each day of a healthy sensor, in the simulation with faults.
	FalseAlarms float64 `json:"false_alarms_per_sensor_day"`

	// Without faults: the share of readings that are reported or belong to an event,
	// and events for each day of a sensor.
	CleanAlert  float64 `json:"clean_readings_in_alert"`
	CleanEvents float64 `json:"clean_events_per_sensor_day"`
}

func judge(c *Config, faulty, clean *record) *Report {
	r := &Report{Seed: c.Seed, Sensors: c.Sensors, Days: c.Days - c.Learn}
	from := c.judgedFrom()

	var names []string
	for _, a := range slices.Concat(faulty.found, clean.found) {
		if !slices.Contains(names, a.Detector) {
			names = append(names, a.Detector)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r.Detectors = append(r.Detectors, voice(name, from, faulty, clean, func(a *anomaly.Anomaly) bool { return a.Detector == name }))
	}
	r.Everything = voice("all", from, faulty, clean, func(*anomaly.Anomaly) bool { return true })
	r.faults(from, faulty)
	return r
}

// faults says how each kind of fault was found.
func (r *Report) faults(from time.Time, run *record) {
	events := map[string][]store.Event{}
	for _, e := range store.Events(run.found, store.DefaultQuiet) {
		events[e.SensorID] = append(events[e.SensorID], e)
	}
	kinds := map[string]*Kind{}
	r.All.Name = "all"
	for id, s := range run.sensors {
		for _, ep := range s.episodes {
			if ep.first.Before(from) {
				continue
			}
			k := kinds[ep.kind]
			if k == nil {
				k = &Kind{Name: ep.kind}
				kinds[ep.kind] = k
			}
			for _, k := range []*Kind{k, &r.All} {
				k.take(ep, events[id], run)
			}
		}
	}
	for _, k := range kinds {
		k.finish()
		r.Faults = append(r.Faults, *k)
	}
	r.All.finish()
	slices.SortFunc(r.Faults, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
}

func (k *Kind) take(ep *episode, events []store.Event, run *record) {
	k.Of++
	var first time.Time
	n, named := 0, false
	about := slices.DeleteFunc(slices.Clone(events), func(e store.Event) bool { return run.sensors[ep.sensor].about(&e) != ep })
	if len(about) == 0 { // but one may have gone on into this fault or out of it
		about = slices.DeleteFunc(slices.Clone(events), func(e store.Event) bool {
			return !ep.shows(e.Metric) || e.Started.After(ep.last) || e.Last.Before(ep.first)
		})
	}
	for i := range about {
		e := &about[i]
		n++
		named = named || e.Metric == ep.metric
		if first.IsZero() || e.Started.Before(first) {
			first = e.Started
		}
	}
	if n == 0 {
		return
	}
	k.Found++
	k.events += n
	if named {
		k.named++
	}
	k.delays = append(k.delays, max(first.Sub(ep.first), 0).Seconds())
}

func (k *Kind) finish() {
	k.Recall = share(k.Found, k.Of)
	k.Metric = share(k.named, k.Found)
	k.Events = share(k.events, k.Found)
	if n := len(k.delays); n > 0 {
		slices.Sort(k.delays)
		k.DelayMedian, k.Delay90 = k.delays[n/2], k.delays[n*9/10]
	}
}

func voice(name string, from time.Time, faulty, clean *record, says func(*anomaly.Anomaly) bool) Voice {
	v := Voice{Name: name}
	mine := func(run *record) (found []*anomaly.Anomaly) {
		for _, a := range run.found {
			if says(a) && !a.Reading.Time.Before(from) {
				found = append(found, a)
			}
		}
		return found
	}
	found := mine(faulty)
	for _, a := range found {
		if !a.Continues {
			v.Anomalies++
		}
	}
	for _, e := range store.Events(found, store.DefaultQuiet) {
		v.Events++
		if s := faulty.sensors[e.SensorID]; s != nil && s.about(&e) != nil {
			v.True++
		}
	}
	v.Precision = share(v.True, v.Events)
	v.FalseAlarms = float64(v.Events-v.True) / faulty.healthyDays(from)

	type instant struct {
		sensor string
		at     time.Time
	}
	quiet := mine(clean)
	alert := map[instant]bool{}
	for _, a := range quiet {
		alert[instant{a.Reading.SensorID, a.Reading.Time}] = true
	}
	readings := 0
	for _, s := range clean.sensors {
		for _, at := range s.times {
			if !at.Before(from) {
				readings++
			}
		}
	}
	v.CleanAlert = share(len(alert), readings)
	v.CleanEvents = float64(len(store.Events(quiet, store.DefaultQuiet))) / clean.healthyDays(from)
	return v
}

// healthyDays is how long sensors spoke and nothing was wrong with them, added up.
func (r *record) healthyDays(from time.Time) float64 {
	healthy := 0
	for _, s := range r.sensors {
		next := 0
		for _, at := range s.times {
			for next < len(s.episodes) && s.episodes[next].last.Before(at) {
				next++
			}
			if !at.Before(from) && (next == len(s.episodes) || at.Before(s.episodes[next].first)) {
				healthy++
			}
		}
	}
	return float64(healthy) * r.interval.Hours() / 24
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// String is the report as tables.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sensors, judged on %d days, seed %d\n\n", r.Sensors, r.Days, r.Seed)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "fault\tfound\tof\trecall\tmetric right\tmedian delay\t90 % within\tevents per fault\t")
	for _, k := range append(slices.Clone(r.Faults), r.All) {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%.0f %%\t%.0f %%\t%s\t%s\t%.2f\t\n", k.Name, k.Found, k.Of, 100*k.Recall, 100*k.Metric,
			seconds(k.DelayMedian), seconds(k.Delay90), k.Events)
	}
	_ = t.Flush()
	b.WriteString("\n")
	_, _ = fmt.Fprintln(t, "detector\tanomalies\tevents\tprecision\tfalse alarms per sensor-day\twithout faults: readings in alert\tevents per sensor-day\t")
	for _, v := range append(slices.Clone(r.Detectors), r.Everything) {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%.0f %%\t%.3f\t%.3f %%\t%.3f\t\n", v.Name, v.Anomalies, v.Events, 100*v.Precision,
			v.FalseAlarms, 100*v.CleanAlert, v.CleanEvents)
	}
	_ = t.Flush()
	return b.String()
}

func seconds(s float64) string { return time.Duration(s * float64(time.Second)).String() }
