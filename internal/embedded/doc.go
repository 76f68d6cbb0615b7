// Package embedded runs the servers that buildmon needs, a Postgres and a Kafka
// broker, for a demo or a test on a machine that has neither.
//
// Both listen on 127.0.0.1 only, keep their data in a directory of the caller's
// choice, and start again from that directory after any end of the process,
// kill -9 included. A directory belongs to one process at a time; a second one
// gets ErrInUse.
//
// Postgres is the real server: an installed one where there is one, else
// binaries fetched once from Maven Central. Kafka is kfake, the broker that the
// franz-go project tests its client with. It speaks the protocol and keeps
// topics and group offsets on disk, but it is one process without replication:
// good for a demo, no place for data that matters.
package embedded
