package testfuzz

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// mutator changes inputs at random.
type mutator struct {
	rng    *rand.Rand
	others [][]byte // inputs to take pieces from
}

// telling are bytes that formats give a meaning.
var telling = []byte{0, 1, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']', ',', ':', '-', '.', '0', '9', 'e', ' ', '\n', 'u', '$'}

// mutate appends a mutant of data to dst: one to four changes.
func (m *mutator) mutate(dst, data []byte) []byte {
	dst = append(dst, data...)
	for range 1 + m.rng.IntN(4) {
		dst = m.change(dst)
	}
	return dst
}

func (m *mutator) change(b []byte) []byte {
	rng := m.rng
	if len(b) == 0 {
		return append(b, m.piece(m.others[rng.IntN(len(m.others))])...)
	}
	at := rng.IntN(len(b))
	switch rng.IntN(8) {
	case 0: // one bit
		b[at] ^= 1 << rng.IntN(8)
	case 1: // one byte
		b[at] = byte(rng.Uint32())
	case 2: // one byte that means something
		b[at] = telling[rng.IntN(len(telling))]
	case 3: // cut out
		b = slices.Delete(b, at, at+min(len(b)-at, 1+rng.IntN(16)))
	case 4: // cut off
		b = b[:at]
	case 5: // say twice
		b = slices.Insert(b, at, slices.Clone(m.piece(b))...)
	case 6: // a piece of another input
		b = slices.Insert(b, at, m.piece(m.others[rng.IntN(len(m.others))])...)
	case 7: // eight bytes, as numbers of binary formats are
		var number [8]byte
		binary.LittleEndian.PutUint64(number[:], rng.Uint64()>>rng.IntN(64))
		copy(b[at:], number[:])
	}
	return b
}

// piece is up to 32 bytes of b.
func (m *mutator) piece(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	at := m.rng.IntN(len(b))
	return b[at:][:min(len(b)-at, 1+m.rng.IntN(32))]
}
