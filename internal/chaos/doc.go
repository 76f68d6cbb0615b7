//go:build unix

// Chaos proves what buildmon promises about readings: it runs the program as
// processes of one consumer group between a real Apache Kafka and a real
// Postgres, breaks everything it can reach at random times, and then holds the
// tables against what was produced.
//
//	go run ./internal/chaos -faults 1000 -over 20m
//
// The seed decides which fault happens when. It is printed, and the schedule is
// written to a file, so that a run that failed can be repeated:
//
//	go run ./internal/chaos -replay schedule.json
//
// With -alone each fault waits until everything before it has been stored, and
// the time that took is printed for each kind of fault.
//
// With -outage Postgres is away for a while and nothing else happens. With
// -guards pieces of the source that a promise rests on are removed, each in
// turn, and the run fails if the tables are right nevertheless.
//
// Which fault meets which statement is up to the machine, so a replay repeats
// the faults and not their exact effect.
//
// Kafka is started with .ci/kafka.sh, which needs Java 17 and Maven; Postgres
// with the embedded server, which is a real one. Linux and macOS only, as
// processes are stopped and continued by signals.
package main
