package reading

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// scanner takes the scalars of a JSON text, one after the other. What it refuses it
// leaves where it is.
type scanner struct {
	data []byte
	at   int
}

// skip goes to the next byte that is not white space and returns it, or 0 at the end.
func (s *scanner) skip() byte {
	for ; s.at < len(s.data); s.at++ {
		if c := s.data[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// null takes null.
func (s *scanner) null() bool {
	if s.at == len(s.data) || s.data[s.at] != 'n' || !bytes.HasPrefix(s.data[s.at:], []byte("null")) {
		return false
	}
	s.at += len("null")
	return true
}

// is takes a string if it is text, which needs no escapes and is not empty.
func (s *scanner) is(text string) bool {
	rest := s.data[s.at:]
	if n := len(text); n == 0 || len(rest) < n+2 || rest[n+1] != '"' || rest[0] != '"' || string(rest[1:n+1]) != text {
		return false
	}
	s.at += len(text) + 2
	return true
}

// string takes a string and returns what is between its quotes, or nil if there is none
// that is closed, without escapes and control characters, and UTF-8.
func (s *scanner) string() []byte {
	if s.at == len(s.data) || s.data[s.at] != '"' {
		return nil
	}
	rest := s.data[s.at+1:]
	const each = 0x0101010101010101
	var or uint64 // of what is before the end
	i := 0
	for ; i+8 <= len(rest); i += 8 {
		w := binary.LittleEndian.Uint64(rest[i:])
		// The first byte of these whose highest bit is set is a quote, a backslash or a
		// control character.
		stop := ((w ^ '"'*each) - each) | ((w ^ '\\'*each) - each) | (w - ' '*each)
		if stop = stop &^ w & (0x80 * each); stop != 0 {
			or |= w & (stop&-stop - 1)
			i += bits.TrailingZeros64(stop) / 8
			break
		}
		or |= w
	}
	for ; i < len(rest); i++ {
		c := rest[i]
		if c == '"' {
			if or&(0x80*each) != 0 && !utf8.Valid(rest[:i]) {
				return nil
			}
			s.at += i + 2
			return rest[:i]
		}
		if c < ' ' || c == '\\' {
			return nil
		}
		or |= uint64(c)
	}
	return nil
}

// exact are powers of ten that are numbers of floating point.
var exact = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
}

// number takes a number of the form that JSON allows. Up to 15 digits, with a point or
// not, are a quotient of two numbers that are exact, so it is rounded as it should be.
func (s *scanner) number() (v float64, ok bool) {
	at, data := s.at, s.data
	negative := at < len(data) && data[at] == '-'
	if negative {
		at++
	}
	first := at
	var digits uint64
	for at < len(data) && data[at]-'0' <= 9 {
		digits = 10*digits + uint64(data[at]-'0')
		at++
	}
	whole, fraction := at-first, 0
	if whole == 0 || whole > 1 && data[first] == '0' {
		return 0, false
	}
	if at < len(data) && data[at] == '.' {
		at++
		first = at
		for at < len(data) && data[at]-'0' <= 9 {
			digits = 10*digits + uint64(data[at]-'0')
			at++
		}
		if fraction = at - first; fraction == 0 {
			return 0, false
		}
	}
	exponent := at < len(data) && data[at]|0x20 == 'e'
	if exponent {
		if at++; at < len(data) && (data[at] == '+' || data[at] == '-') {
			at++
		}
		first = at
		for at < len(data) && data[at]-'0' <= 9 {
			at++
		}
		if at == first {
			return 0, false
		}
	}
	if exponent || whole+fraction > 15 {
		var err error
		if v, err = strconv.ParseFloat(string(data[s.at:at]), 64); err != nil {
			return 0, false
		}
	} else {
		v = float64(digits) / exact[fraction]
		if negative {
			v = -v
		}
	}
	s.at = at
	return v, true
}
