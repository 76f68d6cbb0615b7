package alert

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"buildmon/internal/anomaly"
)

// Engine keeps what routes were told and says what they are to be told next. It is
// not safe for concurrent use.
type Engine struct {
	cfg     Config
	windows []Window
	state   State
}

// NewEngine makes an engine that has told nobody anything yet.
func NewEngine(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Engine{cfg: cfg, state: newState()}, nil
}

// SetMaintenance replaces the maintenance windows, which must be valid.
func (e *Engine) SetMaintenance(windows []Window) { e.windows = windows }

// State is what an engine remembers.
type State struct {
	Alerts map[string]*alert `json:"alerts"`
	Groups map[string]*group `json:"groups"`
}

func newState() State { return State{map[string]*alert{}, map[string]*group{}} }

// alert is one thing that is wrong, or was.
type alert struct {
	Events map[string]*Event `json:"events"` // by subject; of each the latest
	Lines  map[string]*line  `json:"lines"`  // by route

	fresh map[string]bool // events that were over when they were first seen, in this step
}

// line is what a route knows of an alert.
type line struct {
	Firing bool      `json:"firing,omitempty"` // as the route was told
	Told   *Event    `json:"told,omitempty"`   // the worst, as it was told last
	At     time.Time `json:"at,omitzero"`      // when that was
	Owed   *Event    `json:"owed,omitempty"`   // the worst of what is new and not told yet
	Held   Reason    `json:"held,omitempty"`   // why it is not told
}

// group is what is told in one message.
type group struct {
	Since time.Time `json:"since,omitzero"` // of the first news that was not told yet
	At    time.Time `json:"at,omitzero"`    // of the last message
}

// Reason is why somebody was not told.
type Reason string

// The reasons.
const (
	Maintenance Reason = "maintenance" // began and ended within a maintenance window
	CoolDown    Reason = "cool_down"   // came back soon after a message about it, and went again
	TooOld      Reason = "max_age"     // ended too long ago to be news
)

// Result is what a step came to.
type Result struct {
	Messages   []Message
	Suppressed map[Reason]int // alerts that a route will not be told of
}

// Step says what is to be told at now, given events that are new or have changed. To
// bring an event again changes nothing. Time must not go back.
func (e *Engine) Step(now time.Time, events []Event) Result {
	result := Result{Suppressed: map[Reason]int{}}
	e.absorb(now, events, &result)
	news := map[string][]item{}
	for _, key := range slices.Sorted(maps.Keys(e.state.Alerts)) {
		a := e.state.Alerts[key]
		for i := range e.cfg.Routes {
			e.review(now, a, &e.cfg.Routes[i], news, &result)
		}
		a.fresh = nil
	}
	e.send(now, news, &result)
	e.forget(now)
	return result
}

// Open are the events that are open as far as the engine knows.
func (e *Engine) Open() []Event {
	var open []Event
	for _, a := range e.state.Alerts {
		for _, ev := range a.Events {
			if ev.Open {
				open = append(open, *ev)
			}
		}
	}
	return open
}

// Firing is how many alerts a route was told of that are not resolved.
func (e *Engine) Firing(route string) (n int) {
	for _, a := range e.state.Alerts {
		if l := a.Lines[route]; l != nil && l.Firing {
			n++
		}
	}
	return n
}

// MarshalState writes what the engine remembers.
func (e *Engine) MarshalState() ([]byte, error) { return json.Marshal(e.state) }

// RestoreState lets the engine remember what MarshalState wrote.
func (e *Engine) RestoreState(text []byte) error {
	state := newState()
	if err := json.Unmarshal(text, &state); err != nil {
		return err
	}
	for _, a := range state.Alerts {
		a.rename()
	}
	e.state = state
	return nil
}

// rename names events anew: those of each detector used to have a name of their own.
func (a *alert) rename() {
	events := map[string]*Event{}
	for _, old := range slices.Sorted(maps.Keys(a.Events)) {
		ev := a.Events[old]
		ev.Drift = anomaly.Drifts(ev.Type)
		if known := events[ev.name()]; known == nil || known.Last.Before(ev.Last) {
			events[ev.name()] = ev
		}
	}
	a.Events = events
}

func (e *Engine) absorb(now time.Time, events []Event, result *Result) {
	keys := e.latestKeys()
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Or(a.Last.Compare(b.Last), a.Started.Compare(b.Started)) })
	for i := range events {
		ev := &events[i]
		key, name := keyOf(e.cfg.DedupBy, ev), ev.name()
		// It stays with its alert, though its place or its type change as more is found.
		if known, ok := keys[name]; ok && !e.state.Alerts[known].Events[name].endedBefore(ev) {
			key = known
		}
		a := e.state.Alerts[key]
		old := func() bool { return ev.Last.Before(now.Add(-e.cfg.MaxAge)) }
		if a == nil || a.Events[name] == nil {
			if old() {
				result.Suppressed[TooOld]++
				continue
			}
			if a == nil {
				a = &alert{Events: map[string]*Event{}, Lines: map[string]*line{}}
				e.state.Alerts[key] = a
			}
		}
		a.absorb(name, ev)
		keys[name] = key
	}
}

// latestKeys are the keys of the alerts that have the latest event of each subject.
func (e *Engine) latestKeys() map[string]string {
	keys := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(e.state.Alerts)) {
		for name, ev := range e.state.Alerts[key].Events {
			if other, ok := keys[name]; !ok || e.state.Alerts[other].Events[name].endedBefore(ev) {
				keys[name] = key
			}
		}
	}
	return keys
}

// endedBefore tells that an event of the same subject is another one.
func (e *Event) endedBefore(other *Event) bool { return !e.Open && other.Started.After(e.Last) }

func (a *alert) absorb(name string, ev *Event) {
	known := a.Events[name]
	another := known == nil || known.endedBefore(ev)
	switch {
	case another:
	case ev.Last.Before(known.Last): // an older event, which came late
		return
	default:
		if ev.Severity.Rank() < known.Severity.Rank() {
			ev.Severity, ev.Detector, ev.Type, ev.Explanation = known.Severity, known.Detector, known.Type, known.Explanation
		}
		ev.Started = earlier(ev.Started, known.Started)
	}
	a.Events[name] = ev
	// What came late may also make worse what is over.
	if !ev.Open && (another || !known.Open && ev.Severity.Rank() > known.Severity.Rank()) {
		if a.fresh == nil {
			a.fresh = map[string]bool{}
		}
		a.fresh[name] = true
	}
}

// view is an alert as one route sees it.
type view struct {
	open  []*Event  // the worst first
	fresh []*Event  // over when they were first seen; the worst first
	last  time.Time // of all
}

func (a *alert) seenBy(r *Route) (v view) {
	for name, ev := range a.Events {
		if !r.fits(ev) {
			continue
		}
		if ev.Open {
			v.open = append(v.open, ev)
		} else if a.fresh[name] {
			v.fresh = append(v.fresh, ev)
		}
		if ev.Last.After(v.last) {
			v.last = ev.Last
		}
	}
	slices.SortFunc(v.open, worstFirst)
	slices.SortFunc(v.fresh, worstFirst)
	return v
}

func worstFirst(a, b *Event) int {
	return cmp.Or(-cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), a.Started.Compare(b.Started),
		cmp.Compare(a.Detector, b.Detector), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.SensorID, b.SensorID))
}

// item is something to tell.
type item struct {
	line   *line
	view   view
	status Status
}

// worst is what the item is about.
func (it *item) worst() *Event {
	switch it.status {
	case New, Over:
		return it.line.Owed
	case Worse:
		return it.view.open[0]
	}
	return it.line.Told
}

// review finds out what a route is to be told of an alert.
func (e *Engine) review(now time.Time, a *alert, r *Route, news map[string][]item, result *Result) {
	l := a.Lines[r.Name]
	if l == nil {
		l = &line{}
	}
	it := item{line: l, view: a.seenBy(r)}
	if it.status = e.next(now, l, it.view, result); it.status != "" {
		key := r.Name + "\n" + keyOf(e.cfg.GroupBy, it.worst())
		news[key] = append(news[key], it)
	}
	if l.Told != nil || l.Owed != nil || l.Held != "" {
		a.Lines[r.Name] = l
	}
}

// next is what is to be told of a line, if anything.
func (e *Engine) next(now time.Time, l *line, v view, result *Result) Status {
	if l.Firing {
		switch {
		case len(v.open) == 0:
			return Resolved
		case e.maintained(now, v.open[0]):
			return ""
		case v.open[0].Severity.Rank() > l.Told.Severity.Rank():
			return Worse
		case e.cfg.RepeatInterval > 0 && !now.Before(l.At.Add(e.cfg.RepeatInterval)):
			return Reminder
		}
		return ""
	}
	for _, news := range [][]*Event{v.open, v.fresh} {
		if len(news) > 0 {
			l.owe(news[0])
		}
	}
	if l.Owed != nil {
		if l.Held = e.held(now, l); l.Held == "" {
			if len(v.open) > 0 {
				return New
			}
			return Over
		}
		if l.Owed = nil; len(v.open) > 0 {
			return "" // it may be told later
		}
	}
	if l.Held != "" {
		result.Suppressed[l.Held]++
		l.Held = ""
	}
	return ""
}

// owe notes something new.
func (l *line) owe(ev *Event) {
	owed := *ev
	if l.Owed != nil {
		if worstFirst(l.Owed, ev) < 0 {
			owed = *l.Owed
		}
		owed.Started, owed.Last = earlier(l.Owed.Started, ev.Started), later(l.Owed.Last, ev.Last)
	}
	l.Owed = &owed
}

// held says why what is owed is not to be told now.
func (e *Engine) held(now time.Time, l *line) Reason {
	switch {
	case e.maintained(now, l.Owed):
		return Maintenance
	case l.Told != nil && now.Before(l.At.Add(e.cfg.CoolDown)) && l.Owed.Severity.Rank() <= l.Told.Severity.Rank():
		return CoolDown
	}
	return ""
}

func (e *Engine) maintained(now time.Time, ev *Event) bool {
	for i := range e.windows {
		if e.windows[i].covers(now, ev) {
			return true
		}
	}
	return false
}

func earlier(t, u time.Time) time.Time {
	if u.Before(t) {
		return u
	}
	return t
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// send makes messages of the groups whose time has come.
func (e *Engine) send(now time.Time, news map[string][]item, result *Result) {
	for key, g := range e.state.Groups {
		if len(news[key]) == 0 {
			g.Since = time.Time{}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(news)) {
		g := e.state.Groups[key]
		if g == nil {
			g = &group{}
			e.state.Groups[key] = g
		}
		if g.Since.IsZero() {
			g.Since = now
		}
		if now.Before(g.Since.Add(e.cfg.GroupWait)) || now.Before(g.At.Add(e.cfg.GroupInterval)) {
			continue
		}
		items := news[key]
		result.Messages = append(result.Messages, e.message(now, key, items))
		for _, it := range items {
			it.line.tell(now, it)
		}
		g.Since, g.At = time.Time{}, now
	}
}

func (l *line) tell(now time.Time, it item) {
	told := *it.worst()
	if l.Firing {
		told.Started = l.Told.Started
	}
	l.Firing = it.status != Resolved && it.status != Over
	l.Told, l.At, l.Owed = &told, now, nil
}

// forget drops alerts that are over and of which nothing can matter any more.
func (e *Engine) forget(now time.Time) {
	maps.DeleteFunc(e.state.Alerts, func(_ string, a *alert) bool {
		for _, ev := range a.Events {
			// An event that ended less than MaxAge ago may still be seen again, and
			// must be known then.
			if ev.Open || !ev.Last.Before(now.Add(-e.cfg.MaxAge)) {
				return false
			}
		}
		for _, l := range a.Lines {
			if l.Firing || l.Owed != nil || l.Held != "" || now.Before(l.At.Add(e.cfg.CoolDown)) {
				return false
			}
		}
		return true
	})
	maps.DeleteFunc(e.state.Groups, func(_ string, g *group) bool {
		return g.Since.IsZero() && !now.Before(g.At.Add(e.cfg.GroupInterval))
	})
}

// keyOf is what members of an event are, as a text that tells all of them apart.
func keyOf(members []string, ev *Event) string {
	values := make([]string, len(members))
	for i, name := range members {
		values[i] = ev.member(name)
	}
	text, err := json.Marshal(values)
	if err != nil {
		panic("BUG: " + err.Error()) // strings are always written
	}
	return string(text)
}
