package export

import (
	"encoding/json"
	"io"

	"github.com/jackc/pgx/v5/pgtype"
)

// jsonEncoder writes one object a line, without members for what is absent.
type jsonEncoder struct {
	out     io.Writer
	columns []column
	line    []byte
}

func newJSON(out io.Writer, d *dataset) encoder {
	return &jsonEncoder{out: out, columns: d.columns}
}

func (e *jsonEncoder) encode(cells []any) error {
	e.line = append(e.line[:0], '{')
	for i, cell := range cells {
		value, there := written(cell)
		if !there {
			continue
		}
		quoted := false
		switch cell.(type) {
		case *pgtype.Text:
			quoted = !e.columns[i].json
		case *pgtype.Timestamptz:
			quoted = true
		}
		if len(e.line) > 1 {
			e.line = append(e.line, ',')
		}
		e.line = append(append(append(e.line, '"'), e.columns[i].name...), '"', ':')
		if !quoted {
			e.line = append(e.line, value...)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		e.line = append(e.line, text...)
	}
	_, err := e.out.Write(append(e.line, '}', '\n'))
	return err
}

func (e *jsonEncoder) close() error { return nil }
