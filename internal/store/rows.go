package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is a table of the user's own that rows are added to.
type Table struct {
	Name    []string // optional schema, then table
	Columns []string
}

// Row is one row for a [Table]: a JSON object with a member for each column, and
// the dead letter it becomes if the database refuses its values.
type Row struct {
	Object json.RawMessage
	Letter DeadLetter
}

// WriteRows adds rows to a table of the user's own, in one transaction together
// with the dead letters of rows that the table refuses for their values. Rows
// that break a unique key of the table are there already and are left alone.
// All errors are worth a retry.
func (s *Store) WriteRows(ctx context.Context, table Table, rows []Row, letters []DeadLetter) (refused []DeadLetter, err error) {
	columns := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		columns[i] = quote(c)
	}
	name := pgx.Identifier(table.Name).Sanitize()
	list := strings.Join(columns, ", ")
	// Postgres casts each member to the type of its column.
	sql := fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM jsonb_populate_recordset(NULL::%[1]s, $1::jsonb) ON CONFLICT DO NOTHING", name, list)

	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		refused = nil
		if err := insertRows(ctx, tx, sql, rows, &refused); err != nil {
			return fmt.Errorf("adding %d rows to %s: %w", len(rows), name, err)
		}
		rest := &pgx.Batch{}
		queueDeadLetters(rest, append(refused, letters...))
		if rest.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, rest).Close()
	})
	return refused, err
}

// insertRows halves the rows until those that the table refuses stand alone.
func insertRows(ctx context.Context, tx pgx.Tx, sql string, rows []Row, refused *[]DeadLetter) error {
	if len(rows) == 0 {
		return nil
	}
	objects := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		objects[i] = r.Object
	}
	array, err := json.Marshal(objects)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, string(array))
		return err
	})
	if !isDataError(err) {
		return err // nil too
	}
	if len(rows) == 1 {
		letter := rows[0].Letter
		letter.Reason, letter.Detail = RefusedByDatabase, err.Error()
		*refused = append(*refused, letter)
		return nil
	}
	half := len(rows) / 2
	if err := insertRows(ctx, tx, sql, rows[:half], refused); err != nil {
		return err
	}
	return insertRows(ctx, tx, sql, rows[half:], refused)
}
