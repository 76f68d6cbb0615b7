package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/alert"
)

// silence is how long a leader may say nothing before the server gives the lead to
// somebody else.
const silence = time.Minute

// lockClass keeps the advisory locks of this package apart from others.
const lockClass = 0x616c7274 // "alrt"

// Session is the right of one process to step the engine of a name. It is not safe
// for concurrent use.
type Session struct {
	name     string
	conn     *pgxpool.Conn
	engine   *alert.Engine
	saved    []byte // state of the engine as it is stored
	revision int64
}

// Lead asks for the lead of a name. It returns nil when another process has it. The
// schema must be current.
func Lead(ctx context.Context, pool *pgxpool.Pool, name string, cfg alert.Config) (s *Session, err error) {
	engine, err := alert.NewEngine(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to lead the alerts of %q: %w", name, err)
	}
	s = &Session{name: name, conn: conn, engine: engine}
	var leads bool
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, hashtext($2))", int32(lockClass), name).Scan(&leads)
	if err == nil && !leads {
		conn.Release()
		return nil, nil
	}
	for _, setting := range []string{"idle_session_timeout", "idle_in_transaction_session_timeout"} {
		if err == nil {
			_, err = conn.Exec(ctx, "SELECT set_config($1, $2, false)", setting, fmt.Sprintf("%dms", silence.Milliseconds()))
		}
	}
	if err == nil {
		err = s.restore(ctx)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("taking the lead of the alerts of %q: %w", name, err)
	}
	return s, nil
}

// Close gives up the lead.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// The lock goes with the session, and the server may take a moment to end that.
	_, _ = s.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = s.conn.Conn().Close(ctx)
	s.conn.Release()
}

// SetMaintenance replaces the maintenance windows, which must be valid.
func (s *Session) SetMaintenance(windows []alert.Window) { s.engine.SetMaintenance(windows) }

// Firing is how many alerts a route was told of that are not resolved.
func (s *Session) Firing(route string) int { return s.engine.Firing(route) }

func (s *Session) restore(ctx context.Context) error {
	err := s.conn.QueryRow(ctx, "SELECT revision, state FROM alert_state WHERE name = $1", s.name).Scan(&s.revision, &s.saved)
	if errors.Is(err, pgx.ErrNoRows) {
		s.saved, err = s.engine.MarshalState()
		return err
	}
	if err != nil {
		return err
	}
	if err := s.engine.RestoreState(s.saved); err != nil {
		return fmt.Errorf("decoding the state of the alerts: %w", err)
	}
	s.saved, err = s.engine.MarshalState() // as it is written, not as jsonb prints it
	return err
}

// Step lets the engine see what has changed and stores what comes of it. The first
// step of all begins with events that ended after maxAge ago. After an error nothing
// has happened as far as is known, and the session must be closed.
func (s *Session) Step(ctx context.Context, maxAge time.Duration) (result alert.Result, err error) {
	var revision int64
	var state []byte
	err = pgx.BeginTxFunc(ctx, s.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		var now, oldest time.Time
		err := tx.QueryRow(ctx, "SELECT now(), coalesce((SELECT max(revision) FROM anomaly_events), $1)", s.revision).Scan(&now, &revision)
		if err != nil {
			return err
		}
		revision = max(revision, s.revision) // the last event may have been deleted
		if s.revision == 0 {
			oldest = now.Add(-maxAge)
		}
		events, err := changed(ctx, tx, s.revision, oldest, s.engine.Open())
		if err != nil {
			return err
		}
		result = s.engine.Step(now, events)
		if err := s.insert(ctx, tx, result.Messages); err != nil {
			return err
		}
		if state, err = s.engine.MarshalState(); err != nil || revision == s.revision && string(state) == string(s.saved) {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO alert_state (name, revision, state) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, state = excluded.state, updated_at = now()`,
			s.name, revision, json.RawMessage(state))
		return err
	})
	if err != nil {
		return alert.Result{}, fmt.Errorf("looking for alerts in events after revision %d: %w", s.revision, err)
	}
	s.revision, s.saved = revision, state
	return result, nil
}

func (s *Session) insert(ctx context.Context, tx pgx.Tx, messages []alert.Message) error {
	for i := range messages {
		m := &messages[i]
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO alert_messages (name, route, status, severity, title, body) VALUES ($1, $2, $3, $4, $5, $6)",
			s.name, m.Route, m.Status, string(m.Severity), m.Title, json.RawMessage(body)); err != nil {
			return fmt.Errorf("keeping a message for %q: %w", m.Route, err)
		}
	}
	return nil
}
