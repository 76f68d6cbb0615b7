package store

import (
	"hash/maphash"
	"math/bits"

	"buildmon/internal/reading"
)

// members are the readings of a batch, to be found by what identifies them: there may
// be copies, and processors may have changed what others looked at before. They are
// asked for each reading of each batch, so they are a table of places rather than a
// map, which would take three times as long.
type members struct {
	readings []*reading.Reading
	table    []int32 // places of the first with each identity, counted from 1
}

var membersSeed = maphash.MakeSeed()

func membersOf(readings []*reading.Reading) members {
	m := members{readings, make([]int32, 1<<bits.Len(uint(2*len(readings))))}
	for i, r := range readings {
		if slot := m.slot(r); m.table[slot] == 0 {
			m.table[slot] = int32(i + 1)
		}
	}
	return m
}

// place is where the first with the identity of r is, or -1.
func (m members) place(r *reading.Reading) int { return int(m.table[m.slot(r)]) - 1 }

// slot is where the identity of r is in the table, or would be.
func (m members) slot(r *reading.Reading) uint64 {
	micros, mask := r.Time.UnixMicro(), uint64(len(m.table)-1)
	slot := (maphash.String(membersSeed, r.SensorID) ^ uint64(micros)*0x9E3779B97F4A7C15) & mask
	for ; m.table[slot] != 0; slot = (slot + 1) & mask {
		if other := m.readings[m.table[slot]-1]; other == r || other.Time.UnixMicro() == micros && other.SensorID == r.SensorID {
			break
		}
	}
	return slot
}
