// Package postgres registers the postgres output, which stores readings, window
// aggregates, anomalies and refused messages, and the postgres cache, which
// keeps what processors have learned.
package postgres

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/store"
)

const fieldDSN = "dsn"

func dsnField() *service.ConfigField {
	return service.NewStringField(fieldDSN).
		Description("Where the database is, as a URL or as `key=value` pairs; see the PostgreSQL manual, \"Connection Strings\". Passwords can come from the environment, `PGPASSFILE` or `PGPASSWORD`.").
		Example("postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable").
		Example("postgres://buildmon@db.example.com/buildmon?sslmode=verify-full&sslrootcert=/etc/ssl/db-ca.pem").
		Secret()
}

func parseDSN(conf *service.ParsedConfig) (string, error) {
	dsn, err := conf.FieldString(fieldDSN)
	if err != nil {
		return "", err
	}
	_, err = store.ParseDSN(dsn)
	return dsn, err
}
