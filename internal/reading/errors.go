package reading

import "fmt"

// Reason names why a message is not stored as a reading. The set is closed, so a
// reason can label a metric.
type Reason string

// The reasons for which a decoder refuses a message.
const (
	MalformedJSON    Reason = "malformed_json"
	TooLarge         Reason = "too_large"
	WrongType        Reason = "wrong_type"
	MissingSensorID  Reason = "missing_sensor_id"
	MissingTimestamp Reason = "missing_timestamp"
	BadTimestamp     Reason = "bad_timestamp"
	FutureTimestamp  Reason = "future_timestamp"
	PastTimestamp    Reason = "past_timestamp"
	OutOfRange       Reason = "out_of_range"
	TextTooLong      Reason = "text_too_long"
	NULCharacter     Reason = "nul_character"
)

// Error says why a message was refused, in words for the person who owns the
// sensor.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string { return "decoding reading: " + e.Detail }

func refuse(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
