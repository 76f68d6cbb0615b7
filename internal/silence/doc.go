// Package silence finds sensors that stopped reporting, in the messages of one
// source that come in order, such as a Kafka partition.
//
// A sensor is silent when it has said nothing for a number of its own usual
// intervals. The usual interval is that within which three quarters of the
// time of the last two weeks lie: a sensor that reports each minute has one of a minute
// however often it was out, and one that reports when something changes has one
// of a night, because that is where most of its time is.
//
// Time is the progress of the source, so that a source that is read again gives
// the same findings, whenever and however fast that happens. When nothing comes
// at all, [Detector.Tick] lets time go on by the clock.
//
// Sensors of a group that stop together are one finding about the group.
package silence
