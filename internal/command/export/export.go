package export

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"buildmon/internal/store"
)

// Config says what to export.
type Config struct {
	DSN      string
	What     string // readings, aggregates, anomalies or events
	From, To time.Time
	Format   string // csv, parquet or json

	// Progress is told now and then how many rows are written, up to when, and which
	// share of the range that is. It may be nil.
	Progress func(rows int64, at time.Time, share float64, done bool)
}

// tellEvery is the number of rows after which Progress is told.
const tellEvery = 10_000

// encoder writes rows in a format. The cells are those that dataset's columns made.
type encoder interface {
	encode(cells []any) error
	close() error
}

var encoders = map[string]func(io.Writer, *dataset) encoder{"csv": newCSV, "json": newJSON, "parquet": newParquet}

// Run writes an export. All of it is of one moment of the database.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	d, err := datasetNamed(cfg.What)
	if err != nil {
		return err
	}
	newEncoder := encoders[cfg.Format]
	switch {
	case newEncoder == nil:
		return fmt.Errorf("unknown format %q, want csv, parquet or json", cfg.Format)
	case !cfg.To.After(cfg.From):
		return fmt.Errorf("to %s must be after from %s", cfg.To.Format(time.RFC3339), cfg.From.Format(time.RFC3339))
	}
	pool, err := store.Connect(ctx, cfg.DSN)
	if err != nil {
		return err
	}
	defer pool.Close()
	enc := newEncoder(out, d)
	e := &exporting{Config: cfg, dataset: d, encoder: enc}
	if err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error { return e.days(ctx, tx) }); err != nil {
		return fmt.Errorf("exporting %s: %w", d.name, err)
	}
	if err := enc.close(); err != nil {
		return fmt.Errorf("exporting %s: %w", d.name, err)
	}
	e.tell(cfg.To, true)
	return nil
}

// exporting is one call of Run.
type exporting struct {
	Config
	*dataset
	encoder
	rows int64
}

// days exports one UTC day after the other, so that the server never has to sort more
// than a day, which is also how readings are partitioned.
func (e *exporting) days(ctx context.Context, tx pgx.Tx) error {
	for from := e.From; from.Before(e.To); {
		to := from.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		if to.After(e.To) {
			to = e.To
		}
		if err := e.day(ctx, tx, from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (e *exporting) day(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	rows, err := tx.Query(ctx, e.query(), from, to)
	if err != nil {
		return err
	}
	cells := make([]any, len(e.columns))
	for i, c := range e.columns {
		cells[i] = c.cell()
	}
	_, err = pgx.ForEachRow(rows, cells, func() error {
		if e.rows++; e.rows%tellEvery == 0 {
			e.tell(from, false)
		}
		return e.encode(cells)
	})
	e.tell(to, false)
	return err
}

func (e *exporting) tell(at time.Time, done bool) {
	if e.Progress != nil {
		e.Progress(e.rows, at, float64(at.Sub(e.From))/float64(e.To.Sub(e.From)), done)
	}
}
