// Package spike finds sudden changes of a sensor against its own last readings.
//
// # What is a spike
//
// Each value of a sensor and metric is compared with the median of the window
// before it, which holds the last Window values. It is a spike when it lies at
// least Delta away, or at least Deviations robust standard deviations: 1.4826
// times the median absolute deviation from the median (the factor makes it the
// standard deviation of normally distributed values; Rousseeuw and Croux,
// "Alternatives to the Median Absolute Deviation", JASA 1993), but no less than
// the Resolution, so that a window of equal values does not turn noise into
// spikes.
//
// # One event, one finding
//
// A spike opens an event. While it is open the window stays as it was, and
// values that are still a spike against it belong to the event: they are not
// reported, unless one lies more than twice as far off as what was reported.
// The event ends in one of two ways:
//
//   - A value is no spike against the window: it was a peak, the level is what it
//     was before, and nothing of the peak entered the window.
//   - Window values in a row belong to the event: they are the new level and
//     replace the window. When a value is back at the level before, however late
//     and whether at once or slowly, that is the end of the event and no other.
//
// # Time
//
// A gap longer than ten median intervals of the window empties it: what a sensor
// says after an outage is not a sudden change. A value that is late or repeats a
// timestamp is judged, if the window reaches back that far, and not learned; a
// reading that was reported and comes again is reported again.
//
// The package never reads a clock and knows nothing of messages. Time is the time
// of the readings.
package spike
