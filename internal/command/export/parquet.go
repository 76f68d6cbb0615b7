package export

import (
	"fmt"
	"io"
	"reflect"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/parquet-go/parquet-go"
)

// rowGroup bounds what is held in memory before it is written.
const rowGroup = 100_000

// parquetEncoder writes Parquet, compressed with zstd, in row groups.
type parquetEncoder struct {
	w       *parquet.GenericWriter[any]
	columns []column
	row     parquet.Row
	inGroup int
}

func newParquet(out io.Writer, d *dataset) encoder {
	return &parquetEncoder{
		w:       parquet.NewGenericWriter[any](out, schemaOf(d), parquet.Compression(&parquet.Zstd)),
		columns: d.columns, row: make(parquet.Row, len(d.columns)),
	}
}

// schemaOf is the schema of a struct with a field for each column, which is how the
// library keeps their order.
func schemaOf(d *dataset) *parquet.Schema {
	fields := make([]reflect.StructField, len(d.columns))
	for i, c := range d.columns {
		tag, goType := "", reflect.TypeFor[string]()
		switch c.cell().(type) {
		case *pgtype.Text:
			if tag = ",dict"; c.json {
				tag = ",json"
			}
		case *pgtype.Timestamptz:
			tag, goType = ",timestamp(microsecond)", reflect.TypeFor[int64]()
		case *pgtype.Float8:
			goType = reflect.TypeFor[float64]()
		case *pgtype.Int8:
			goType = reflect.TypeFor[int64]()
		case *pgtype.Bool:
			goType = reflect.TypeFor[bool]()
		}
		if c.null {
			tag += ",optional"
		}
		fields[i] = reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: goType, Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s%s"`, c.name, tag))}
	}
	return parquet.NewSchema(d.name, parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface()))
}

func (e *parquetEncoder) encode(cells []any) error {
	for i, cell := range cells {
		value, valid := parquetValue(cell)
		level := 0
		if valid && e.columns[i].null {
			level = 1
		}
		e.row[i] = value.Level(0, level, i)
	}
	if _, err := e.w.WriteRows([]parquet.Row{e.row}); err != nil {
		return err
	}
	if e.inGroup++; e.inGroup == rowGroup {
		e.inGroup = 0
		return e.w.Flush()
	}
	return nil
}

func parquetValue(cell any) (v parquet.Value, valid bool) {
	switch c := cell.(type) {
	case *pgtype.Text:
		v, valid = parquet.ByteArrayValue([]byte(c.String)), c.Valid
	case *pgtype.Timestamptz:
		v, valid = parquet.Int64Value(c.Time.UnixMicro()), c.Valid
	case *pgtype.Float8:
		v, valid = parquet.DoubleValue(c.Float64), c.Valid
	case *pgtype.Int8:
		v, valid = parquet.Int64Value(c.Int64), c.Valid
	case *pgtype.Bool:
		v, valid = parquet.BooleanValue(c.Bool), c.Valid
	default:
		panic(fmt.Sprintf("BUG: no Parquet value for a %T", cell))
	}
	if !valid {
		return parquet.NullValue(), false
	}
	return v, true
}

func (e *parquetEncoder) close() error { return e.w.Close() }
