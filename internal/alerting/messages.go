package alerting

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"buildmon/internal/alert"
)

// Pending is a message that waits to be delivered.
type Pending struct {
	ID int64
	alert.Message
}

// Due are the messages whose turn it is: of each route the first that waits, unless it
// failed a short while ago.
func (s *Session) Due(ctx context.Context, routes []string) ([]Pending, error) {
	rows, err := s.conn.Query(ctx, `
		SELECT id, body FROM (
			SELECT DISTINCT ON (route) id, body, due_at FROM alert_messages
			WHERE name = $1 AND route = ANY($2) AND delivered_at IS NULL AND given_up_at IS NULL
			ORDER BY route, id
		) AS first WHERE due_at <= now() ORDER BY id`, s.name, routes)
	if err != nil {
		return nil, fmt.Errorf("looking for messages to deliver: %w", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Pending, err error) {
		var body []byte
		if err := row.Scan(&p.ID, &body); err != nil {
			return p, err
		}
		err = json.Unmarshal(body, &p.Message)
		p.Message.ID = fmt.Sprintf("%s-%d", s.name, p.ID)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for messages to deliver: %w", err)
	}
	return due, nil
}

// Delivered notes that a message was acknowledged by its receiver. Whoever knows that
// may say it, leader or not.
func Delivered(ctx context.Context, pool *pgxpool.Pool, id int64) error {
	if _, err := pool.Exec(ctx, "UPDATE alert_messages SET delivered_at = now() WHERE id = $1 AND delivered_at IS NULL", id); err != nil {
		return fmt.Errorf("noting that message %d is delivered: %w", id, err)
	}
	return nil
}

// Failed notes that a message could not be delivered. It is tried again after a while
// that grows from 5 seconds to 5 minutes, and given up when it is older than giveUp.
func Failed(ctx context.Context, pool *pgxpool.Pool, id int64, why string, giveUp time.Duration) (givenUp bool, err error) {
	err = pool.QueryRow(ctx, `
		UPDATE alert_messages SET error = $2, attempts = attempts + 1,
			due_at = now() + least(interval '5s' * 2 ^ least(attempts, 10), interval '5min'),
			given_up_at = CASE WHEN created_at < now() - $3::interval THEN now() END
		WHERE id = $1
		RETURNING given_up_at IS NOT NULL`, id, why, giveUp).Scan(&givenUp)
	if err != nil {
		return false, fmt.Errorf("noting that message %d was not delivered: %w", id, err)
	}
	return givenUp, nil
}

// Tidy gives up messages of routes that are no longer there when they are older than
// giveUp, and deletes what is older than keep.
func (s *Session) Tidy(ctx context.Context, routes []string, giveUp, keep time.Duration) error {
	_, err := s.conn.Exec(ctx, `
		UPDATE alert_messages SET given_up_at = now(), error = coalesce(error, 'there is no such route any more')
		WHERE name = $1 AND route <> ALL($2) AND delivered_at IS NULL AND given_up_at IS NULL AND created_at < now() - $3::interval`,
		s.name, routes, giveUp)
	if err == nil {
		_, err = s.conn.Exec(ctx, `
			DELETE FROM alert_messages
			WHERE name = $1 AND created_at < now() - $2::interval AND (delivered_at IS NOT NULL OR given_up_at IS NOT NULL)`, s.name, keep)
	}
	if err != nil {
		return fmt.Errorf("tidying messages: %w", err)
	}
	return nil
}
