package export

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// csvEncoder writes RFC 4180 with a header, and nothing for what is absent.
type csvEncoder struct {
	w      *csv.Writer
	header []string
	record []string
}

func newCSV(out io.Writer, d *dataset) encoder {
	e := &csvEncoder{w: csv.NewWriter(out), record: make([]string, len(d.columns))}
	for _, c := range d.columns {
		e.header = append(e.header, c.name)
	}
	return e
}

func (e *csvEncoder) encode(cells []any) error {
	if err := e.begin(); err != nil {
		return err
	}
	for i, cell := range cells {
		text, there := written(cell)
		if !there {
			text = ""
		}
		e.record[i] = text
	}
	return e.w.Write(e.record)
}

// begin writes the header, once.
func (e *csvEncoder) begin() error {
	header := e.header
	if e.header = nil; header == nil {
		return nil
	}
	return e.w.Write(header)
}

func (e *csvEncoder) close() error {
	if err := e.begin(); err != nil {
		return err
	}
	e.w.Flush()
	return e.w.Error()
}

// written is a cell as text, and whether it is there.
func written(cell any) (text string, there bool) {
	switch c := cell.(type) {
	case *pgtype.Text:
		return c.String, c.Valid
	case *pgtype.Timestamptz:
		return c.Time.UTC().Format(time.RFC3339Nano), c.Valid
	case *pgtype.Float8:
		return strconv.FormatFloat(c.Float64, 'g', -1, 64), c.Valid
	case *pgtype.Int8:
		return strconv.FormatInt(c.Int64, 10), c.Valid
	case *pgtype.Bool:
		return strconv.FormatBool(c.Bool), c.Valid
	}
	panic(fmt.Sprintf("BUG: no text for a %T", cell))
}
