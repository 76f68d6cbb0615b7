package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"buildmon/internal/reading"
	"buildmon/internal/schema"
)

// Readings are copied in the binary format of COPY, which is written here rather than
// by way of pgx.CopyFrom: that asks the server for the types at each call and takes
// every value as an interface, which costs more than all the rest of a write.

var readingColumns = schema.ReadingColumns()

var copyReadingsSQL = fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", readings.table, quoteAll(readingColumns))

func quoteAll(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	return strings.Join(quoted, ", ")
}

// copyReadings is the fast way: it fails as a whole if one reading is known
// already, which is rare because sources remember how far they were read. What the
// batch itself holds twice does not make it fail.
func (w *writing) copyReadings(ctx context.Context, tx pgx.Tx) error {
	if len(w.readings) == 0 {
		return nil
	}
	rows := make([]*reading.Reading, 0, len(w.readings))
	for _, r := range w.readings {
		if place := w.members.place(r); w.inserted[place] == nil {
			w.inserted[place] = r
			rows = append(rows, r)
		}
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, newCopyStream(rows), copyReadingsSQL)
	w.result.Stored, w.result.Duplicates = len(rows), len(w.readings)-len(rows)
	return err
}

// copyStream is rows in the binary format of COPY, see
// https://www.postgresql.org/docs/current/sql-copy.html. It encodes them as they are
// read, while the server takes in those before.
type copyStream struct {
	rows  []*reading.Reading
	chunk []byte
	at    int // what of the chunk was read
	ended bool
}

// copyChunk is how much is encoded at once; the client sends as much in one message.
const copyChunk = 64 << 10

const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // no flags, no extension
	copyTrailer = "\xff\xff"
)

func newCopyStream(rows []*reading.Reading) *copyStream {
	return &copyStream{rows: rows, chunk: append(make([]byte, 0, copyChunk+1024), copyHeader...)}
}

// Read implements [io.Reader].
func (s *copyStream) Read(p []byte) (int, error) {
	if s.at == len(s.chunk) {
		if s.ended {
			return 0, io.EOF
		}
		s.next()
	}
	n := copy(p, s.chunk[s.at:])
	s.at += n
	return n, nil
}

// next encodes another chunk.
func (s *copyStream) next() {
	s.chunk, s.at = s.chunk[:0], 0
	for len(s.rows) > 0 && len(s.chunk) < copyChunk {
		s.chunk = appendCopyRow(s.chunk, s.rows[0])
		s.rows = s.rows[1:]
	}
	if len(s.rows) == 0 {
		s.chunk, s.ended = append(s.chunk, copyTrailer...), true
	}
}

// appendCopyRow appends the values of readingColumns.
func appendCopyRow(dst []byte, r *reading.Reading) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(readingColumns)))
	dst = appendCopyText(dst, r.SensorID)
	dst = binary.BigEndian.AppendUint32(dst, 8)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time.UnixMicro()-postgresEpoch))
	for _, s := range [...]string{r.RoomID, r.Building, r.Floor, r.RoomType} {
		dst = appendCopyText(dst, s)
	}
	for _, m := range [...]reading.Metric{reading.Temperature, reading.Humidity, reading.CO2, reading.Occupancy, reading.Energy} {
		if v := r.Values[m]; math.IsNaN(v) {
			dst = append(dst, copyNull...)
		} else {
			dst = binary.BigEndian.AppendUint32(dst, 8)
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
		}
	}
	dst = appendCopyText(dst, r.Status)
	if len(r.Extra) == 0 {
		return append(dst, copyNull...)
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 1) // the length, and the version of jsonb
	dst = r.AppendExtra(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

const (
	copyNull      = "\xff\xff\xff\xff"  // length -1
	postgresEpoch = 946_684_800_000_000 // 2000-01-01 in microseconds since 1970
)

// appendCopyText appends a text, or NULL for what a message did not say.
func appendCopyText(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, copyNull...)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
