package store

import (
	"hash/maphash"
	"math/bits"

	"buildmon/internal/reading"
)

var repetitionSeed = maphash.MakeSeed()

// withoutRepetitions parts readings into the first of each identity and those that
// repeat one, in order. It looks at each reading of each batch, so it is a table of
// places rather than a map, which would take three times as long.
func withoutRepetitions(rows []*reading.Reading) (firsts, repeated []*reading.Reading) {
	mask := uint64(1)<<bits.Len(uint(2*len(rows))) - 1
	table := make([]int32, mask+1) // place in rows, counted from 1
	firsts = rows
next:
	for i, r := range rows {
		micros := r.Time.UnixMicro()
		slot := (maphash.String(repetitionSeed, r.SensorID) ^ uint64(micros)*0x9E3779B97F4A7C15) & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
			if other := rows[table[slot]-1]; other.Time.UnixMicro() == micros && other.SensorID == r.SensorID {
				if repeated == nil {
					firsts = append(make([]*reading.Reading, 0, len(rows)), rows[:i]...)
				}
				repeated = append(repeated, r)
				continue next
			}
		}
		table[slot] = int32(i + 1)
		if repeated != nil {
			firsts = append(firsts, r)
		}
	}
	return firsts, repeated
}
