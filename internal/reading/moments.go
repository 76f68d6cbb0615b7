package reading

import "time"

// moments parses timestamps. Most are of the same minute as the one before.
type moments struct {
	prefix [len("2026-01-05T09:30:")]byte
	minute time.Time
}

// parse takes what [time.Parse] takes.
func (m *moments) parse(text []byte) (time.Time, bool) {
	n := len(m.prefix)
	if len(text) < n+len("05Z") || string(text[:n]) != string(m.prefix[:]) {
		return m.parseOther(text)
	}
	tens, ones := text[n]-'0', text[n+1]-'0'
	micros, ok := microseconds(text[n+2:])
	if tens > 5 || ones > 9 || !ok {
		return m.parseOther(text)
	}
	return m.minute.Add(time.Duration(10*tens+ones)*time.Second + micros), true
}

// parseOther remembers the minute if it is written with two digits of an hour, which
// [time.Parse] does not insist on.
func (m *moments) parseOther(text []byte) (time.Time, bool) {
	t, err := time.Parse(layout, string(text))
	if err != nil {
		return t, false
	}
	if n := len(m.prefix); text[len(text)-1] == 'Z' && text[n-1] == ':' && text[n-4] == ':' {
		copy(m.prefix[:], text)
		m.minute = t.Truncate(time.Minute)
	}
	return inMicroseconds(t), true
}

// microseconds are those of a fraction that ends in Z.
func microseconds(text []byte) (time.Duration, bool) {
	if len(text) == 1 {
		return 0, text[0] == 'Z'
	}
	digits := text[1 : len(text)-1]
	if len(digits) == 0 || text[0] != '.' || text[len(text)-1] != 'Z' {
		return 0, false
	}
	var sum time.Duration
	unit := 100 * time.Millisecond
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		if unit >= time.Microsecond {
			sum += time.Duration(c-'0') * unit
			unit /= 10
		}
	}
	return sum, true
}
