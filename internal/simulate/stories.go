package simulate

import "time"

// story is a fault that comes back in one place on the same days of each week, at the
// same local time, so that any week has it, and most of them any three days.
type story struct {
	fault                 Fault
	building, floor, room int // from 0; everyRoom for those of a floor
	days                  []time.Weekday
	hour                  int
	length                int64   // minutes, less than the time to its next day
	bits                  uint64  // what chance says otherwise: a metric, a sign
	size                  float64 // instead of what bits come to, if not 0
}

const everyRoom = -1

var (
	workdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	mondays  = []time.Weekday{time.Monday}
)

// stories are what a visitor is told to look for. Rooms count in the order of
// roomKinds. A stuck sensor is short of WarmUp, or the value that it keeps would depend
// on when the simulation began.
var stories = []story{
	// A temperature stands still for most of a day.
	{fault: Stuck, building: 0, floor: 1, room: 0, days: []time.Weekday{time.Monday, time.Wednesday, time.Friday, time.Sunday}, hour: 9, length: 7 * 60, bits: 0},
	// A gateway is down over lunch.
	{fault: GatewayFailure, building: 1, floor: 2, room: everyRoom, days: []time.Weekday{time.Tuesday, time.Thursday, time.Saturday}, hour: 12, length: 70},
	// The dampers of a conference room stay shut while people meet.
	{fault: VentilationFailure, building: 0, floor: 0, room: 1, days: workdays, hour: 13, length: 2 * 60, size: 900},
	// A kitchen is left on over the weekend.
	{fault: EquipmentMalfunction, building: 2, floor: 0, room: 3, days: []time.Weekday{time.Saturday}, hour: 6, length: 40 * 60, size: 25},
	// Somebody works at night.
	{fault: NightUse, building: 2, floor: 2, room: 0, days: []time.Weekday{time.Tuesday, time.Thursday, time.Sunday}, hour: 1, length: 2 * 60, bits: 1},
	// A CO₂ sensor drifts until it is calibrated early on Monday.
	{fault: CO2Drift, building: 1, floor: 3, room: 0, days: mondays, hour: 0, length: 7*24*60 - 1, size: 30},
	// Two batteries never last a week; one or the other is empty at any time.
	{fault: Dropout, building: 2, floor: 3, room: 5, days: []time.Weekday{time.Thursday}, hour: 12, length: 4*24*60 - 4*60},
	{fault: Dropout, building: 0, floor: 3, room: 5, days: mondays, hour: 7, length: 3*24*60 + 6*60},
}

// storiesOf are those of a room.
func storiesOf(building, floor, room int) (list []*story) {
	for i := range stories {
		if s := &stories[i]; s.building == building && s.floor == floor && (s.room == room || s.room == everyRoom) {
			list = append(list, s)
		}
	}
	return list
}

// at tells for how many minutes the story has been going on, -1 if it is not, and how
// many are left until it ends or begins. A change of the clock moves the days after it.
func (s *story) at(m *moment) (gone, left int64) {
	const week = 7 * 24 * 60
	gone, left = -1, week
	for _, day := range s.days {
		since := (int64(m.weekday-day)*24*60 + int64(m.minute-s.hour*60) + week) % week
		if since < s.length {
			return since, s.length - since
		}
		left = min(left, week-since)
	}
	return gone, left
}

// tell puts a story in the place of what chance has found for a room.
func (r *room) tell(m *moment, tick int64, found episode) (_ episode, current *story) {
	for _, s := range r.stories {
		gone, left := s.at(m)
		r.until = min(r.until, tick+left)
		if gone >= 0 && current == nil {
			found, current = episode{fault: s.fault, since: tick - gone}, s
		}
	}
	return found, current
}
