package silence

import "math"

const (
	never = math.MinInt64

	// mostLag is by how much messages that overtake one another may hold judgement
	// up. They are forgotten after one or two days.
	mostLag = 3600 * second

	// word is after how many readings in a row one sensor alone is believed.
	word = 8
)

// clock is the progress of a source. One sensor whose own clock is ahead must not
// make all others look silent, so a time counts when two sensors have passed it, or
// when nobody else speaks.
type clock struct {
	event int64 // by readings
	now   int64 // likewise less the lag, or by ticks

	leader *sensor // that has shown the latest time
	lead   int64
	alone  int // readings of the leader since another sensor spoke

	late [2]lateness // today and yesterday
	turn int64       // when today began

	real int64 // when the last reading came, by the clock of the world; 0 if not known
	base int64 // now at that moment
}

// observe takes the time of a reading.
func (c *clock) observe(s *sensor, at int64) {
	switch {
	case s == c.leader:
		c.lead = max(c.lead, at)
		if c.alone = min(c.alone+1, word); c.alone == word {
			c.event = max(c.event, c.lead)
		}
	case at > c.lead:
		c.event = max(c.event, c.lead)
		c.leader, c.lead, c.alone = s, at, 0
	default:
		c.event = max(c.event, at)
		c.alone = 0
	}
	if c.event == never {
		return
	}
	if c.event-c.turn >= day {
		c.late = [2]lateness{{}, c.late[0]}
		c.turn = c.event
	}
	c.now = max(c.now, c.event-c.lag())
}

// lateness is by how much readings came after later ones of their sensors: while
// messages overtake one another, who is missing may be on the way. What one sensor
// does alone, such as sending its history, holds up nobody.
type lateness struct {
	most   int64  // of one sensor
	whose  string // this one
	others int64  // of any other
}

// overtaken takes the time of a late reading.
func (c *clock) overtaken(s *sensor, at int64) {
	if c.event == never {
		return
	}
	l, by := &c.late[0], min(c.event-at, mostLag)
	switch {
	case s.id == l.whose:
		l.most = max(l.most, by)
	case by > l.most:
		l.most, l.whose, l.others = by, s.id, l.most
	default:
		l.others = max(l.others, by)
	}
}

// lag is how long a reading may be on the way.
func (c *clock) lag() int64 { return max(c.late[0].others, c.late[1].others) }

// came notes that something came, at a time of the world.
func (c *clock) came(real int64) { c.real, c.base = real, c.now }

// tick lets time go on as it does in the world since something came. What is not
// known, after a restart, begins now.
func (c *clock) tick(real int64) {
	switch {
	case c.now == never:
	case c.real == 0:
		c.came(real)
	default:
		c.now = max(c.now, c.base+max(0, real-c.real))
	}
}
