package reading

import "bytes"

// habits is what messages have had, where the next is expected to have the same. The
// plain way finds it and uses it, so its texts need no escapes.
type habits struct {
	names   [maxNames]name      // of the members of the last message, in their order
	sensors map[string]*sayings // by id
	said    *sayings            // by the sensor of this message
	nobody  sayings             // by those whose id comes later in the message, and by strangers

	// Messages of sensors that there was no room for.
	strangers int
}

const (
	maxNames   = 32
	maxSensors = 1 << 15
	patience   = 8 * maxSensors // so many messages of strangers, and they are others' turn
)

// name is the name of a member.
type name struct {
	quoted []byte // with the colon
	known  member
	text   string // of a member that is unknown
}

// sayings is what a sensor said last.
type sayings struct {
	sensor string
	labels [numLabels]string
}

// nameAt takes the name of the member at that place, up to its value. The last name
// stands for all after it.
func (d *Decoder) nameAt(s *scanner, place int) (*name, bool) {
	n := &d.names[min(place, maxNames-1)]
	if len(n.quoted) > 0 && bytes.HasPrefix(s.data[s.at:], n.quoted) {
		s.at += len(n.quoted)
		s.skip()
		return n, true
	}
	text := s.string()
	if text == nil || len(text) > MaxText || s.skip() != ':' {
		return nil, false
	}
	s.at++
	s.skip()
	if n.known = memberOf(text); n.known == unknown {
		n.text = d.intern(text)
	}
	n.quoted = append(append(append(n.quoted[:0], '"'), text...), '"', ':')
	return n, true
}

// sensorAt takes the id of a sensor, whose message this is.
func (d *Decoder) sensorAt(s *scanner) (string, bool) {
	text := s.string()
	if text == nil || len(text) > MaxText {
		return "", false
	}
	if d.said = d.sensors[string(text)]; d.said == nil {
		if len(d.sensors) >= maxSensors {
			if d.strangers++; d.strangers < patience {
				d.said = &d.nobody
				return d.intern(text), true
			}
			clear(d.sensors)
			d.strangers = 0
		}
		d.said = &sayings{sensor: d.intern(text)}
		d.sensors[d.said.sensor] = d.said
	}
	return d.said.sensor, true
}

// labelAt takes a text that is most likely what the sensor said last.
func (d *Decoder) labelAt(s *scanner, known member) (string, bool) {
	last := &d.said.labels[known-roomMember]
	if s.is(*last) {
		return *last, true
	}
	text := s.string()
	if text == nil || len(text) > MaxText {
		return "", false
	}
	*last = d.intern(text)
	return *last, true
}
