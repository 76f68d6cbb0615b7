package reading

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// plain decodes an object of the form that nearly all messages have: strings without
// escapes, numbers and null, each name once. It takes a third of the time of the
// strict way and accepts nothing that the strict way would not, with the same result.
// It returns false for everything else, right or wrong, and leaves r in any state.
func (d *Decoder) plain(r *Reading, data []byte) (timestamp, ok bool) {
	s := scanner{data: data}
	if s.skip() != '{' {
		return false, false
	}
	s.at++
	var seen uint32
	for first := true; ; first = false {
		c := s.skip()
		if c == '}' && first {
			break
		}
		name := s.scalar()
		if len(name) == 0 || name[0] != '"' || s.skip() != ':' {
			return false, false
		}
		s.at++
		s.skip()
		value := s.scalar()
		if len(value) == 0 {
			return false, false
		}
		known := memberOf(name)
		var other string
		if known == unknown {
			var err error
			if other, err = d.text("a member name", name); err != nil || holds(r.Extra, other) {
				return false, false
			}
		} else if seen&(1<<known) != 0 {
			return false, false
		}
		seen |= 1 << known
		if value.Kind() != 'n' || known == unknown {
			if d.set(r, known, other, value) != nil {
				return false, false
			}
			timestamp = timestamp || known == timestampMember
		}
		if c = s.skip(); c == '}' {
			break
		}
		if c != ',' {
			return false, false
		}
		s.at++
	}
	s.at++
	return timestamp, s.skip() == 0 && s.at == len(data)
}

func holds(fields []Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

// scanner finds the scalars of a JSON text.
type scanner struct {
	data []byte
	at   int
}

// skip goes to the next byte that is not white space and returns it, or 0 at the end.
func (s *scanner) skip() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// scalar takes a string without escapes, a number or null, and returns nothing for
// what is something else.
func (s *scanner) scalar() jsontext.Value {
	if s.at == len(s.data) {
		return nil
	}
	start := s.at
	switch c := s.data[s.at]; {
	case c == '"':
		s.at = endOfString(s.data, start)
	case c == '-' || '0' <= c && c <= '9':
		s.at = endOfNumber(s.data, start)
	case bytes.HasPrefix(s.data[start:], []byte("null")):
		s.at = start + len("null")
	}
	return jsontext.Value(s.data[start:s.at])
}

// endOfString is where the string that begins at start ends, or start if it is not
// closed, has escapes or control characters, or is not UTF-8.
func endOfString(data []byte, start int) int {
	var or byte
	for at := start + 1; at < len(data); at++ {
		c := data[at]
		if c == '"' {
			if or >= utf8.RuneSelf && !utf8.Valid(data[start:at]) {
				return start
			}
			return at + 1
		}
		if c < ' ' || c == '\\' {
			return start
		}
		or |= c
	}
	return start
}

// endOfNumber is where the number that begins at start ends, or start if there is
// none of the form that JSON allows.
func endOfNumber(data []byte, start int) int {
	at := start
	digits := func() bool {
		from := at
		for at < len(data) && '0' <= data[at] && data[at] <= '9' {
			at++
		}
		return at > from
	}
	if data[at] == '-' {
		at++
	}
	if at < len(data) && data[at] == '0' {
		at++ // nothing but a fraction or an exponent may follow
	} else if !digits() {
		return start
	}
	if at < len(data) && data[at] == '.' {
		if at++; !digits() {
			return start
		}
	}
	if at < len(data) && data[at]|0x20 == 'e' {
		if at++; at < len(data) && (data[at] == '+' || data[at] == '-') {
			at++
		}
		if !digits() {
			return start
		}
	}
	return at
}
