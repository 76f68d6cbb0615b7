package baseline

import (
	"math"
	"time"

	"buildmon/internal/anomaly"
	"buildmon/internal/recent"
)

const (
	confirmed = 5 * 60 * 1_000_000  // how long somebody must be there, in microseconds
	over      = 30 * 60 * 1_000_000 // how long nobody must be there for a use to be over

	// tenths is what an hour of use counts, and reported what one counts that was
	// reported.
	tenths   = 10
	reported = 2

	// Hours that must have been seen of a room and of its kind, in the hour of the day
	// and its neighbours, and the share of them in which somebody may have been there.
	roomSeen, roomUsed = 9, 0.05
	kindSeen, kindUsed = 50, 0.02

	// overtime is how many times as much must be known of hours of a weekend in which rooms
	// of the kind are used on work days: somebody may well come then, if seldom.
	overtime = 2

	// keptUsed is the share of its busiest hours in which a kind of room is used that has
	// hours at all, after which its use is odd. Others are visited now and then, at any time.
	keptUsed = 0.2

	// once is what one use counts in these hours, if it was not reported because too
	// little was known: it makes nothing usual.
	once = 3

	// evidence is how many empty hours make the strength 0.75; it is 0.5 with none.
	evidence = 1000

	// fadeAt is how many hours of one kind a room remembers before older ones fade.
	fadeAt = 60

	daySlots  = 24
	weekSlots = 2 * daySlots // the second half is for weekends
)

// Use is somebody in a room at an hour when it is empty.
type Use struct {
	Hours     int     // how many such hours the room was empty before
	Weekend   bool    // and whether these were hours of weekends
	Strength  float64 // 0.5 where hardly anything is known, to 1
	Continues bool    // it was reported before
}

// Presence finds rooms in use at empty hours. It is not safe for concurrent use.
type Presence struct {
	zone  *time.Location
	rooms *recent.Map[room]
	kinds map[string]*kind
}

// room is the week of one room, and the use that goes on.
type room struct {
	last       int64 // time of the newest reading
	hour       int64 // of the newest reading, since 1970 in local time
	since      int64 // when the use began; 0 while nobody is there
	there      int64 // when somebody was there last
	week       *week // nil in the first hour
	open       bool  // the use was reported
	inUse, odd bool  // in this hour: somebody was there, and that was reported
}

// week is in how many hours a room was seen, and in use, in tenths.
type week struct{ seen, used [weekSlots]uint8 }

// kind is the week of all rooms of a kind.
type kind struct{ seen, used [weekSlots]float64 }

// NewPresence returns a presence of no room. The zone is where people keep their
// hours.
func NewPresence(zone *time.Location) *Presence {
	return &Presence{zone, recent.New[room](ForgetAfter, MaxSensors), map[string]*kind{}}
}

// Observe takes how many people are in a room of a kind, and tells whether that is at
// an hour when it is empty. A number that is not finite is absent. Without a kind
// rooms are compared with themselves alone.
func (p *Presence) Observe(id string, kindOf string, at time.Time, people float64) (Use, bool) {
	if math.IsNaN(people) || math.IsInf(people, 0) {
		return Use{}, false
	}
	micros := at.UnixMicro()
	r := p.rooms.Get(id, micros, func() room { return room{last: math.MinInt64} })
	if micros <= r.last {
		return Use{}, false
	}
	k := p.kinds[kindOf]
	if k == nil {
		k = &kind{}
		p.kinds[kindOf] = k
	}
	_, offset := at.In(p.zone).Zone()
	now := floorDiv(micros+int64(offset)*1_000_000, hour)
	if r.last != math.MinInt64 && now != r.hour {
		r.learn(k)
	}
	r.last, r.hour = micros, now
	if people <= 0 {
		if r.since = 0; micros-r.there > over {
			r.open = false
		}
		return Use{}, false
	}
	r.inUse = true
	r.there = micros
	if r.since == 0 {
		r.since = micros
	}
	use, empty := r.empty(k, kindOf == "")
	use.Continues = r.open
	if r.open = empty && (r.open || micros-r.since >= confirmed); !r.open {
		return Use{}, false
	}
	r.odd = true
	return use, true
}

// slotOf is the place of an hour in a week.
func slotOf(hours int64) int {
	days := floorDiv(hours, daySlots)
	slot := int(hours - days*daySlots)
	const thursday, friday = 4, 5 // the first of January 1970 was a Thursday
	if weekday := (days + thursday) % 7; (weekday+7)%7 > friday || (weekday+7)%7 == 0 {
		return slot + daySlots
	}
	return slot
}

// learn takes the hour that is over.
func (r *room) learn(k *kind) {
	if r.week == nil {
		r.week = &week{}
	}
	w, slot := r.week, slotOf(r.hour)
	if w.seen[slot] >= fadeAt {
		w.seen[slot] /= 2
		w.used[slot] /= 2
	}
	worth := uint8(0)
	switch {
	case r.odd:
		worth = reported
	case r.inUse:
		worth = tenths
	}
	w.seen[slot]++
	w.used[slot] = uint8(min(int(w.used[slot])+int(worth), math.MaxUint8))
	k.seen[slot]++
	k.used[slot] += float64(worth) / tenths
	r.inUse, r.odd = false, false
}

// empty tells whether hardly ever anybody is there at this hour. While too little is
// known of weekends, what is known of work days holds, and the reverse.
func (r *room) empty(k *kind, alone bool) (Use, bool) {
	if r.week == nil {
		return Use{}, false
	}
	slot := slotOf(r.hour)
	use, empty, known := r.week.emptyAt(slot, k, alone)
	if !known {
		use, empty, _ = r.week.emptyAt((slot+daySlots)%weekSlots, k, alone)
	}
	return use, empty
}

func (w *week) emptyAt(slot int, k *kind, alone bool) (use Use, empty, known bool) {
	seen, used := around(w, slot)
	allSeen, allUsed := around(k, slot)
	all := habits(k)
	if alone {
		allSeen, allUsed, all = seen, 0, w
	}
	need := float64(kindSeen)
	if slot >= daySlots {
		if hours, worked := around(all, slot-daySlots); worked > kindUsed*hours {
			need *= overtime
		}
	}
	switch {
	case seen < roomSeen || allSeen < need:
		return Use{}, false, false
	case used > max(roomUsed*seen, once) || allUsed > kindUsed*allSeen || !kept(all):
		return Use{}, false, true
	}
	return Use{Hours: int(w.seen[slot]), Weekend: slot >= daySlots, Strength: anomaly.StrengthBeyond(allSeen, evidence)}, true, true
}

// habits are in how many hours of a place in the week somebody was looked for and found.
type habits interface {
	at(slot int) (seen, used float64)
}

func (w *week) at(slot int) (seen, used float64) {
	return float64(w.seen[slot]), float64(w.used[slot]) / tenths
}

func (k *kind) at(slot int) (seen, used float64) { return k.seen[slot], k.used[slot] }

// around adds up an hour of the day and its neighbours.
func around(h habits, slot int) (seen, used float64) {
	first := slot - slot%daySlots
	for _, near := range [...]int{daySlots - 1, 0, 1} {
		s, u := h.at(first + (slot+near)%daySlots)
		seen, used = seen+s, used+u
	}
	return seen, used
}

// kept tells whether there are hours in which there is often somebody.
func kept(h habits) bool {
	for slot := range weekSlots {
		if seen, used := around(h, slot); used > keptUsed*seen {
			return true
		}
	}
	return false
}
