// Package e2e tests buildmon as its users run it: the program as a process, with
// the pipelines that come with it, against Kafka and Postgres.
//
// BUILDMON_TEST_KAFKA and BUILDMON_TEST_POSTGRES name real servers. Without them
// the tests use the embedded ones, of which Postgres is real as well.
package e2e
