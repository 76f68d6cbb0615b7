// Package store keeps readings, window aggregates, anomalies and refused messages
// in Postgres.
//
// Everything that a batch brings is written in one transaction, and the primary
// key of sensor_readings decides what is new: only readings that this
// transaction inserts add to window aggregates and keep their anomalies. A batch
// that is delivered again, by a retry, after a crash, by another process or by a
// replay of the topic, therefore changes nothing, and the aggregates equal the
// readings at every commit. No position in the source has to be remembered.
//
// The package knows nothing of Benthos, JSON messages or Kafka. Its tests run
// against a real server.
package store
