package silence

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MaxSensors is how many sensors a detector keeps. A new one beyond it makes
	// the detector forget the half that has been silent longest.
	MaxSensors = 1_000_000

	// ForgetAfter is how long a sensor may be silent before it is forgotten.
	ForgetAfter = 30 * 24 * time.Hour

	forgetAfter = int64(ForgetAfter / time.Microsecond)

	// What a sensor without a steady interval did not do in its first days may
	// come every night, or every weekend.
	acquainted = 8 * day
	stranger   = 3 * day

	lookAgain = 3600 * second
)

// Config says what silence is.
type Config struct {
	// Intervals is how many of its usual intervals a sensor may say nothing, at
	// least 2.
	Intervals float64

	// Least is the shortest silence, positive.
	Least time.Duration
}

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	if !(c.Intervals >= 2 && c.Intervals <= 1000) {
		return fmt.Errorf("intervals must be 2 to 1000, got %v", c.Intervals)
	}
	if c.Least <= 0 {
		return fmt.Errorf("least must be positive, got %s", c.Least)
	}
	return nil
}

// Place is where a sensor is; what is not known is empty.
type Place struct {
	RoomID, Building, Floor, RoomType string
}

// Reading is what a detector wants to know of a reading.
type Reading struct {
	Sensor string
	Time   time.Time
	Place  Place

	// Group are the labels of the group that the sensor belongs to. If all are
	// empty it belongs to none. The detector keeps the texts and not the slice.
	Group []string

	// Interval is how often the sensor ought to report, or 0 to learn it.
	Interval time.Duration
}

// Scope is what a finding is about.
type Scope uint8

// The scopes.
const (
	Alone  Scope = iota // one sensor, while others of its group go on
	Group               // sensors of one group that stopped together
	Source              // all that the source brings
)

// Silent is a sensor that is silent.
type Silent struct {
	Sensor   string
	Place    Place
	Last     time.Time     // of its latest reading
	Usual    time.Duration // how often it reports
	Patience time.Duration // how long it may say nothing
}

// Finding is one or more sensors that stopped together.
type Finding struct {
	Scope   Scope
	Group   []string // the labels of the group of scope Group
	Sensors []Silent // by their names
	At      time.Time
}

// Detector watches the sensors of one source. It is not safe for concurrent use.
type Detector struct {
	cfg     Config
	clock   clock
	sensors map[string]*sensor
	groups  map[string]*group
	due     queue
	silent  int
	asked   *sensor // the one that was looked for last, or nil
	ordered bool    // it was the next one of the one before, so it is worth while to guess
}

// sensor is what is known of one. What each reading asks for comes first.
type sensor struct {
	last     int64  // newest time that it has shown
	heard    int64  // when it was last heard of, by the clock of the source
	grace    int64  // before which it is not judged again
	interval int64  // that was asked for; 0 if it is learned
	patience int64  // when it was last looked at; 0 while it is not judged
	group    *group // nil if it belongs to none
	told     bool   // that it is silent
	gone     bool   // it is forgotten
	rhythm   rhythm

	id    string
	next  *sensor // the one that was looked for after it
	place Place
	since int64 // when it was first heard of, by the clock of the source
	usual int64 // when it was last looked at
	among int   // its index in the group

	due    int64   // when to look at it again
	slot   int     // in the queue
	outage *outage // that it is part of; nil if it is silent alone
}

// group is sensors that may stop together.
type group struct {
	labels  []string
	members []*sensor
}

// outage is sensors that stopped together.
type outage struct {
	members []*sensor
	size    int // how many they were
	back    int // how many of them have reported again
}

// New returns a detector that knows no sensor. It panics if the configuration does
// not validate.
func New(cfg Config) *Detector {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &Detector{
		cfg:     cfg,
		clock:   clock{event: never, now: never, lead: never},
		sensors: map[string]*sensor{}, groups: map[string]*group{},
	}
}

// Sensors is the number of sensors that are known.
func (d *Detector) Sensors() int { return len(d.sensors) }

// Silent is the number of sensors that were found silent and have not reported
// since.
func (d *Detector) Silent() int { return d.silent }

// Observe takes a reading that came at a time of the world, and appends who is
// silent by now, this sensor included if it was until then. A reading that is not
// newer than what its sensor has shown is no sign of life.
func (d *Detector) Observe(r *Reading, now time.Time, found []Finding) []Finding {
	at := r.Time.UnixMicro()
	s := d.find(r.Sensor)
	if s != nil && at <= s.last {
		if at < s.last {
			d.clock.overtaken(s, at)
		}
		return found
	}
	fresh := s == nil
	if fresh {
		s = d.meet(r)
	}
	own := min(at, now.UnixMicro()) // nobody reports from the future
	before := d.clock.event
	d.clock.observe(s, own)
	d.clock.came(now.UnixMicro())
	found = d.expire(before, found)
	if s.gone { // it was away for so long that it is forgotten
		fresh, s = true, d.meet(r)
	}

	if fresh {
		s.since = max(d.clock.now, own)
	} else {
		// Before others confirm how late it is, it shows itself how long it was away.
		if !s.told && s.patience > 0 && own-d.clock.lag() > s.up() {
			s.due = s.up()
			found = d.report(s, before, true, found)
		}
		gap := max(d.clock.now, own) - s.heard
		s.rhythm.add(gap, s.patience > 0 && gap > s.patience)
	}
	s.heard = max(d.clock.now, own)
	s.last, s.interval = at, r.Interval.Microseconds()
	if s.place != r.Place {
		s.place = r.Place
	}
	d.join(s, r.Group)
	if s.told {
		d.returned(s)
	}
	if fresh {
		d.schedule(s)
		heap.Push(&d.due, s)
	}
	return found
}

// Tick says that nothing more came up to a time of the world, and appends who is
// silent by then.
func (d *Detector) Tick(now time.Time, found []Finding) []Finding {
	d.clock.tick(now.UnixMicro())
	return d.expire(d.clock.event, found)
}

// find returns what is known of a sensor, or nil. Sensors report in turns, so most often it
// is the one that came next before.
func (d *Detector) find(id string) *sensor {
	var s *sensor
	if d.ordered {
		s = d.asked.next
	}
	if s == nil || s.gone || s.id != id {
		if s = d.sensors[id]; s == nil {
			return nil
		}
		if d.ordered = d.asked != nil && d.asked.next == s; d.asked != nil {
			d.asked.next = s
		}
	}
	d.asked = s
	return s
}

// meet begins to know a sensor.
func (d *Detector) meet(r *Reading) *sensor {
	if len(d.sensors) >= MaxSensors {
		d.forgetHalf()
	}
	s := &sensor{id: r.Sensor}
	d.sensors[s.id] = s
	return s
}

// join sees to it that a sensor is in the group of these labels.
func (d *Detector) join(s *sensor, labels []string) {
	if s.group != nil && slices.Equal(s.group.labels, labels) {
		return
	}
	d.leave(s)
	if !slices.ContainsFunc(labels, func(l string) bool { return l != "" }) {
		return
	}
	key := strings.Join(labels, "\x00")
	g := d.groups[key]
	if g == nil {
		g = &group{labels: slices.Clone(labels)}
		d.groups[key] = g
	}
	s.group, s.among = g, len(g.members)
	g.members = append(g.members, s)
}

func (d *Detector) leave(s *sensor) {
	g := s.group
	if g == nil {
		return
	}
	last := len(g.members) - 1
	g.members[s.among] = g.members[last]
	g.members[s.among].among = s.among
	g.members[last] = nil
	g.members = g.members[:last]
	if last == 0 {
		delete(d.groups, strings.Join(g.labels, "\x00"))
	}
	s.group = nil
}

// judge finds out how long a sensor may say nothing.
func (d *Detector) judge(s *sensor) {
	steady := true
	if s.usual = s.interval; s.usual == 0 {
		s.usual, steady = s.rhythm.usual()
	}
	if s.usual == 0 {
		s.patience = 0
		return
	}
	s.patience = max(d.cfg.Least.Microseconds(), int64(min(d.cfg.Intervals*float64(s.usual), float64(forgetAfter))))
	if !steady && s.heard-s.since < acquainted {
		s.patience = max(s.patience, stranger)
	}
}

// expire looks at all sensors whose time is up. before is how far the source had
// come when it last said something.
func (d *Detector) expire(before int64, found []Finding) []Finding {
	for len(d.due) > 0 && d.due[0].due <= d.clock.now {
		s := d.due[0]
		if d.clock.now-s.heard >= forgetAfter {
			d.forget(s)
			continue
		}
		d.judge(s)
		if up := s.up(); !s.told && s.patience > 0 && up <= d.clock.now {
			s.due = up
			found = d.report(s, before, false, found)
		}
		d.schedule(s)
		heap.Fix(&d.due, 0)
	}
	return found
}

// up is when the time of a sensor is up.
func (s *sensor) up() int64 { return max(s.heard, s.grace) + s.patience }

// schedule decides when to look at a sensor again. A patience that was long may be
// short by then.
func (d *Detector) schedule(s *sensor) {
	switch {
	case s.told:
		s.due = s.heard + forgetAfter
	case s.patience == 0:
		s.due = max(s.heard, d.clock.now) + d.cfg.Least.Microseconds()
	default:
		s.due = min(s.up(), max(s.heard, d.clock.now)+lookAgain)
	}
}

// report finds those that stopped together with a sensor whose time is up at its
// due. If nobody but the sensor itself says so, it says nothing of others.
func (d *Detector) report(s *sensor, before int64, itself bool, found []Finding) []Finding {
	f := Finding{Scope: Alone, At: time.UnixMicro(d.clock.now).UTC()}
	members := []*sensor{s}
	if before-s.heard <= s.patience/2 {
		// The source itself said nothing since.
		all := make([]*sensor, 0, len(d.sensors))
		for _, m := range d.sensors {
			all = append(all, m)
		}
		f.Scope, members = Source, stopped(s, all)
		if g := s.group; g != nil && !slices.ContainsFunc(members, func(m *sensor) bool { return m.group != g }) {
			f.Scope, f.Group = Group, g.labels
		}
	} else if g := s.group; g != nil {
		together := stopped(s, g.members)
		alive := 0
		for _, m := range g.members {
			if !m.told && m.heard > s.heard+s.patience/2 && m.heard <= s.due && !slices.Contains(together, m) {
				alive++
			}
		}
		if len(together) > alive {
			f.Scope, f.Group, members = Group, g.labels, together
		}
	}
	if itself {
		members = []*sensor{s}
	}
	slices.SortFunc(members, func(a, b *sensor) int { return cmp.Compare(a.id, b.id) })
	var o *outage
	if len(members) > 1 {
		o = &outage{members: members, size: len(members)}
	}
	for _, m := range members {
		m.told, m.outage = true, o
		d.silent++
		f.Sensors = append(f.Sensors, Silent{
			Sensor: m.id, Place: m.place, Last: time.UnixMicro(m.last).UTC(),
			Usual: time.Duration(m.usual) * time.Microsecond, Patience: time.Duration(m.patience) * time.Microsecond,
		})
	}
	return append(found, f)
}

// stopped are the sensors among others that have been silent, when the time of s is
// up, for half of what they may be.
func stopped(s *sensor, others []*sensor) []*sensor {
	members := []*sensor{s}
	for _, m := range others {
		if m != s && !m.told && m.patience > 0 && m.heard <= s.due && s.due-max(m.heard, m.grace) >= m.patience/2 {
			members = append(members, m)
		}
	}
	return members
}

// returned ends the silence of a sensor. When half of an outage is back it is over,
// and who is still missing is judged anew.
func (d *Detector) returned(s *sensor) {
	o := s.outage
	s.told, s.outage = false, nil
	d.silent--
	d.wait(s)
	if o == nil {
		return
	}
	if o.back++; 2*o.back < o.size {
		return
	}
	for _, m := range o.members {
		if m.outage == o {
			m.told, m.outage, m.grace = false, nil, d.clock.now
			d.silent--
			d.wait(m)
		}
	}
}

// wait puts a sensor that was told back to where its time is up.
func (d *Detector) wait(s *sensor) {
	d.schedule(s)
	heap.Fix(&d.due, s.slot)
}

func (d *Detector) forget(s *sensor) {
	heap.Remove(&d.due, s.slot)
	d.leave(s)
	delete(d.sensors, s.id)
	if s.told {
		d.silent--
	}
	s.outage, s.next, s.gone = nil, nil, true
	if d.clock.leader == s {
		d.clock.leader = nil
	}
}

func (d *Detector) forgetHalf() {
	all := slices.SortedFunc(slices.Values(d.due), func(a, b *sensor) int {
		return cmp.Or(cmp.Compare(a.heard, b.heard), cmp.Compare(a.id, b.id))
	})
	for _, s := range all[:(len(all)+1)/2] {
		d.forget(s)
	}
}

// queue orders sensors by when to look at them.
type queue []*sensor

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].id < q[j].id
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

func (q *queue) Push(x any) {
	s := x.(*sensor)
	s.slot = len(*q)
	*q = append(*q, s)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return s
}
