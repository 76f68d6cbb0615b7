package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"buildmon/internal/anomaly"
)

// Status is what a message says of an alert.
type Status string

// The statuses.
const (
	New      Status = "new"
	Worse    Status = "worse"    // more severe than told before
	Reminder Status = "reminder" // still open
	Resolved Status = "resolved"
	Over     Status = "over" // it was over before it could be told
)

// statuses in the order in which messages list them.
var statuses = []Status{New, Worse, Reminder, Over, Resolved}

// Message is what one route is told at one time about one group of alerts.
type Message struct {
	ID    string `json:"id"` // stays the same when the message is delivered again; given by whoever keeps it
	Route string `json:"route"`

	// Status is firing if anything of the message is open, else resolved.
	Status   string            `json:"status"`
	Severity anomaly.Severity  `json:"severity"` // the highest of what is listed
	At       time.Time         `json:"at"`
	Group    map[string]string `json:"group"`
	Title    string            `json:"title"`
	Text     string            `json:"text"`
	Counts   map[Status]int    `json:"counts"`
	Alerts   []Alert           `json:"alerts"`
	LeftOut  int               `json:"left_out"` // alerts that are counted and not listed
}

// Alert is what a message says of one alert.
type Alert struct {
	Status Status `json:"status"`
	Place
	SensorID    string           `json:"sensor_id"`
	Metric      string           `json:"metric"`
	Severity    anomaly.Severity `json:"severity"`
	Started     time.Time        `json:"started_at"`
	Last        time.Time        `json:"last_at"`
	Explanation string           `json:"explanation"`
	Findings    []Finding        `json:"findings"`
}

// Finding is an event that belongs to an alert.
type Finding struct {
	Detector    string           `json:"detector"`
	Type        string           `json:"anomaly_type"`
	Metric      string           `json:"metric"`
	Severity    anomaly.Severity `json:"severity"`
	Explanation string           `json:"explanation"`
}

func (e *Engine) message(now time.Time, key string, items []item) Message {
	route, _, _ := strings.Cut(key, "\n")
	m := Message{Route: route, Status: "resolved", At: now.UTC(), Group: map[string]string{}, Counts: map[Status]int{}}
	for _, name := range e.cfg.GroupBy {
		m.Group[name] = items[0].worst().member(name)
	}
	for _, it := range items {
		a := it.alert()
		m.Alerts = append(m.Alerts, a)
		m.Counts[a.Status]++
		if len(it.view.open) > 0 {
			m.Status = "firing"
		}
		if a.Severity.Rank() > m.Severity.Rank() {
			m.Severity = a.Severity
		}
	}
	slices.SortStableFunc(m.Alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(slices.Index(statuses, a.Status), slices.Index(statuses, b.Status)),
			-cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), a.Started.Compare(b.Started))
	})
	m.Title = m.title(e.cfg.GroupBy)
	if over := len(m.Alerts) - e.cfg.MaxListed; over > 0 {
		m.Alerts, m.LeftOut = m.Alerts[:e.cfg.MaxListed], over
	}
	m.Text = m.text(e.cfg.Location)
	return m
}

func (it *item) alert() Alert {
	w := it.worst()
	a := Alert{
		Status: it.status, Place: w.Place, SensorID: w.SensorID, Metric: w.Metric, Severity: w.Severity,
		Started: w.Started.UTC(), Last: later(w.Last, it.view.last).UTC(), Explanation: w.Explanation,
	}
	if it.line.Firing {
		a.Started = it.line.Told.Started.UTC()
	}
	findings := it.view.open
	if !slices.ContainsFunc(findings, func(ev *Event) bool { return ev.Subject == w.Subject }) {
		findings = append([]*Event{w}, findings...)
	}
	for _, ev := range findings {
		a.Findings = append(a.Findings, Finding{ev.Detector, ev.Type, ev.Metric, ev.Severity, ev.Explanation})
	}
	return a
}

// title says in one line what is in the message.
func (m *Message) title(groupBy []string) string {
	if len(m.Alerts) == 1 {
		a := &m.Alerts[0]
		return fmt.Sprintf("%s: %s", a.heading(), a.where())
	}
	var counts, group []string
	for _, s := range statuses {
		if n := m.Counts[s]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	for _, name := range groupBy {
		if value := m.Group[name]; value != "" {
			group = append(group, value)
		}
	}
	text := strings.Join(counts, ", ")
	if m.Status == "firing" {
		text += fmt.Sprintf(" (up to %s)", m.Severity)
	}
	if len(group) == 0 {
		return text
	}
	return strings.Join(group, ", ") + ": " + text
}

// heading is such as "new, critical" or "resolved".
func (a *Alert) heading() string {
	if a.Status == Resolved {
		return string(Resolved)
	}
	return fmt.Sprintf("%s, %s", a.Status, a.Severity)
}

func (a *Alert) where() string {
	place := cmp.Or(a.RoomID, a.SensorID)
	if a.Metric == anomaly.MultipleMetrics {
		return place
	}
	return place + " " + strings.ReplaceAll(a.Metric, "_", " ")
}

// text lists the alerts, a line for each.
func (m *Message) text(loc *time.Location) string {
	var b strings.Builder
	for i := range m.Alerts {
		a := &m.Alerts[i]
		fmt.Fprintf(&b, "%s %s: %s, %s. %s\n", a.Status.mark(), a.heading(), a.where(), a.when(loc), a.Explanation)
	}
	if m.LeftOut > 0 {
		fmt.Fprintf(&b, "… and %d more\n", m.LeftOut)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// when is from when to when.
func (a *Alert) when(loc *time.Location) string {
	const layout = "2006-01-02 15:04:05 MST"
	from := a.Started.In(loc).Format(layout)
	if a.Status != Resolved && a.Status != Over {
		return "since " + from
	}
	return from + " to " + a.Last.In(loc).Format(layout)
}

// mark is for eyes that run down a list.
func (s Status) mark() string {
	switch s {
	case New:
		return "▲"
	case Worse:
		return "⏫"
	case Reminder:
		return "•"
	}
	return "✔"
}
