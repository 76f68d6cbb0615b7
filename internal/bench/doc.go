//go:build linux

// Bench measures how fast buildmon is, and how far that is from what Kafka and
// Postgres allow on the same machine in the same minutes.
//
//	go run ./internal/bench
//
// It starts a broker and a Postgres with its default durability, fills a topic with
// a million simulated readings, and lets each contestant read it: buildmon with
// nothing but storage, with windows, and with everything on; the limits, which are
// the client of Kafka alone, with decoding, and COPY from memory; and the
// calibration, the plain program that somebody would write by hand for the same
// rows: one connection, one batch of 5,000 at a time, no order, no dead letters, no
// protection from repeated rows. Figures of buildmon are given as ratios to it.
//
// Contestants take turns, several times over, each in a process of its own and on a
// new database. What a process spends is read from the kernel, for Postgres over all
// of its processes. After each turn the rows are counted.
//
// With -growth the same is done along one dimension after the other. With -compare
// two files that -out has written are held against each other.
//
// Linux only, for /proc.
package main
