package store

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/reading"
)

// DeadLetter is a message that is kept although it is no acceptable reading.
type DeadLetter struct {
	Reason reading.Reason
	Detail string
	Source string // topic/partition/offset, empty when the source has no positions
	Raw    []byte
}

const insertDeadLettersSQL = `
INSERT INTO dead_letters (reason, detail, source, raw)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
ON CONFLICT DO NOTHING`

func queueDeadLetters(b *pgx.Batch, letters []DeadLetter) {
	n := len(letters)
	if n == 0 {
		return
	}
	reasons, details := make([]string, n), make([]string, n)
	sources, raws := make([]pgtype.Text, n), make([][]byte, n)
	for i, d := range letters {
		reasons[i], details[i], sources[i], raws[i] = string(d.Reason), storable(d.Detail), text(d.Source), append([]byte{}, d.Raw...)
	}
	b.Queue(insertDeadLettersSQL, reasons, details, sources, raws)
}

// storable makes a text that Postgres accepts of one that may quote foreign
// bytes.
func storable(s string) string {
	clean := make([]rune, 0, len(s))
	for _, r := range s { // invalid UTF-8 comes as the replacement character
		if r != 0 {
			clean = append(clean, r)
		}
	}
	return string(clean)
}
