-- +goose Up

-- Events are numbered each time they change. Numbers are given under the lock under
-- which events are merged, which is held until the commit, so they become visible in
-- their order: who has seen one has seen all below it.
CREATE SEQUENCE anomaly_events_revision_seq;
ALTER TABLE anomaly_events ADD COLUMN revision bigint NOT NULL DEFAULT nextval('anomaly_events_revision_seq');
ALTER SEQUENCE anomaly_events_revision_seq OWNED BY anomaly_events.revision;
CREATE INDEX anomaly_events_revision ON anomaly_events (revision);

-- What an alerts input has seen and told, changed together with the messages that
-- come of it.
CREATE TABLE alert_state (
    name       text        PRIMARY KEY, -- of the input
    revision   bigint      NOT NULL,    -- of the last event it has seen
    state      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Messages about alerts: those that wait, and what became of the others.
CREATE TABLE alert_messages (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL, -- of the input
    route        text        NOT NULL,
    status       text        NOT NULL, -- firing or resolved
    severity     text        NOT NULL,
    title        text        NOT NULL,
    body         jsonb       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL DEFAULT now(), -- when it is tried next
    attempts     integer     NOT NULL DEFAULT 0,     -- that failed
    error        text,                               -- of the last attempt that failed
    delivered_at timestamptz,                        -- when somebody acknowledged it
    given_up_at  timestamptz
);

CREATE INDEX alert_messages_waiting ON alert_messages (name, route, id) WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX alert_messages_created_at ON alert_messages (created_at);

-- +goose Down
DROP TABLE alert_messages;
DROP TABLE alert_state;
DROP INDEX anomaly_events_revision;
ALTER TABLE anomaly_events DROP COLUMN revision;
