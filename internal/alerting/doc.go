// Package alerting runs an alert engine on the events in Postgres and keeps its
// messages until they are delivered.
//
// One transaction reads what has changed since the last, lets the engine step, and
// stores what it remembers, how far it has read, and the messages that come of it. So
// a crash at any moment loses no message and makes none twice. A message is taken for
// delivered when its receiver has acknowledged it; a process that dies between the
// two is the one case in which a message is delivered again, with the same id.
//
// Of several processes one leads, by an advisory lock of its session. A leader that
// the server has not heard of for a while loses its session and so the lead. Messages
// of one route are delivered one after another, in their order.
package alerting
