package simulate

import (
	"math"
	"time"
)

// point is a corner of a daily profile: the share of the capacity at an hour.
type point struct{ hour, share float64 }

// Shares of the capacity over a working day. The profile of the office is close
// to the occupancy schedule of the office among the commercial reference
// buildings of the US Department of Energy: nearly full from nine to five, half
// empty at noon. The others are chosen.
var (
	officeDay = []point{
		{0, 0},
		{6, 0},
		{7, 0.1},
		{8, 0.3},
		{9, 0.9},
		{11.75, 0.92},
		{12.25, 0.5},
		{13, 0.55},
		{13.5, 0.9},
		{16.5, 0.88},
		{17.5, 0.3},
		{18.5, 0.1},
		{20.5, 0.04},
		{22, 0},
		{24, 0},
	}
	lobbyDay = []point{
		{0, 0},
		{6.5, 0},
		{8, 0.2},
		{8.75, 0.55},
		{9.5, 0.2},
		{11.5, 0.15},
		{12.25, 0.35},
		{13.25, 0.3},
		{14, 0.15},
		{16.5, 0.2},
		{17.5, 0.45},
		{18.5, 0.15},
		{20, 0.04},
		{21.5, 0},
		{24, 0},
	}
	cafeteriaDay = []point{
		{0, 0},
		{7, 0},
		{8.25, 0.15},
		{9.25, 0.12},
		{10, 0.06},
		{11.25, 0.12},
		{12, 0.75},
		{12.75, 0.85},
		{13.5, 0.45},
		{14.25, 0.08},
		{15.5, 0.12},
		{16.5, 0.03},
		{17.5, 0},
		{24, 0},
	}
	warehouseDay = []point{
		{0, 0}, {5.5, 0}, {6.25, 0.7}, {9, 0.85}, {12, 0.5}, {13, 0.85}, {14.5, 0.7}, {15.5, 0.6}, {21, 0.55}, {22, 0}, {24, 0},
	}
)

// week is how many of those who might come do so, from Sunday to Saturday.
// Chosen.
type week [7]float64

var (
	officeWeek    = week{0.03, 0.92, 1, 1, 0.97, 0.8, 0.08}
	lobbyWeek     = week{0.06, 0.95, 1, 1, 1, 0.9, 0.15}
	cafeteriaWeek = week{0, 0.92, 1, 1, 0.97, 0.8, 0}
	warehouseWeek = week{0, 1, 1, 1, 1, 1, 0.4}
)

// crowd fills a room by the profile of its kind, with days that differ and a
// slow coming and going.
func crowd(key uint64, capacity float64, m *moment, kind int) int {
	share := m.expected[kind]
	if share == 0 {
		return 0
	}
	share *= between(draw(key, streamDay, m.day), 0.8, 1)
	mean := share * capacity
	n := mean + math.Sqrt(mean*max(1-share, 0.1))*0.6*smooth(key, streamCrowd, m.second, 25*60)
	return int(min(max(math.Round(n), 0), capacity))
}

// booked is the chance of a meeting in each hour of a working day. Chosen.
var booked = [24]float64{8: 0.25, 9: 0.6, 10: 0.75, 11: 0.6, 12: 0.15, 13: 0.4, 14: 0.7, 15: 0.65, 16: 0.45, 17: 0.15}

// meetings fills a conference room for half an hour or for nearly a whole one
// and leaves it empty in between.
func meetings(key uint64, capacity float64, m *moment, _ int) int {
	chance := booked[m.minute/60]
	if weekend(m.weekday) {
		chance /= 40
	}
	slot := m.day*24 + int64(m.minute/60)
	bits := draw(key, streamMeeting, slot)
	if unit(bits) >= chance {
		return 0
	}
	bits = draw(key, streamMeeting, -1-slot)
	u := unit(bits)
	people := math.Round(3 + (capacity-3)*u*u)
	length := 55
	if bits&7 < 3 {
		length = 30
	}
	switch into := m.minute % 60; {
	case into >= length+2:
		return 0
	case into >= length: // leaving
		return int(people / 2)
	case into < 4: // arriving
		return int(math.Ceil(people * float64(into+1) / 5))
	}
	return int(people)
}

// visits sends a technician or two into a room where nobody works.
func visits(key uint64, _ float64, m *moment, _ int) int {
	chance := 0.005
	if hour := m.minute / 60; hour >= 8 && hour < 18 && m.weekday != time.Sunday && m.weekday != time.Saturday {
		chance = 0.08
	}
	slot := m.day*24 + int64(m.minute/60)
	if unit(draw(key, streamVisit, slot)) >= chance {
		return 0
	}
	bits := draw(key, streamVisit, -1-slot)
	from := int(bits % 20)
	length := 10 + int(bits>>8%30)
	if into := m.minute % 60; into < from || into >= from+length {
		return 0
	}
	return 1 + int(bits>>16&1)
}
