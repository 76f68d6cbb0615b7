// Package limits tells what is unusual for a sensor by its own past, for each of
// its metrics, and which sensors stand still.
//
// # Views
//
// A metric is looked at in five ways, each with limits of its own:
//
//   - Level: the value.
//   - Daily: how far it is from the mean of this hour of the day, work days and
//     weekends apart. The mean is mostly that of the last time, if a sensor reports
//     every five minutes or more often, and one hour moves it by a bounded step.
//   - Hour: the value, against what this hour and its neighbours had at most and at
//     least in the last one or two weeks.
//   - Average: the mean of the last 24 values, for what creeps.
//   - Rest: the mean step between the last 24 values, for what trembles or freezes.
//
// Daily and Hour are used only while the hour of the day tells more about the value
// than the level of all days does, and not in the first three days. Daily also waits for
// three days of the kind of the day: on the first weekend nobody knows what weekends are
// like.
//
// # Limits
//
// The limits of a view are the second largest and second smallest of its last eight
// blocks of values; a block has at least 500 values and at least 23 hours. The newest
// values, up to 23, are not in a block yet, so that what creeps does not take its
// limits along. A metric is compared with its own extremes and not with multiples of a standard
// deviation, which metrics with heavy tails exceed all the time.
//
// The score of a value is how far it lies past the limits, in scales; a scale is
// twice the slow mean of the absolute deviation of the view, and for Daily at least a
// share of the distance between its limits, as noon is less regular than night. It is also
// at least the distance from what most past blocks reach to the limit: where one day is
// unlike another, the next may go as far again. The score of the
// metric is the largest of its views; averages and steps count for somewhat less,
// and all for less while the sensor is young. A value within all limits has a small
// score for how far the mean of the last 24 is from the long mean, which is never
// reported and puts readings in order.
//
// # What is learned
//
// A value past the limits is learned as if it lay five scales past them, or a tenth
// of its distance if that is more: a short fault does not become normal however far
// off it is, and a new level does.
//
// # One event, one finding
//
// After a finding, another must have a score of one and a half times the last, which
// fades by one percent with each value, but not below the score there is. So an event
// is reported when it begins and when it gets much worse. The other scores of an
// event are made small.
//
// # Standing still
//
// A metric that usually moves is stuck when it has repeated a value about twice as
// often in a row as it ever did; what it did is forgotten slowly, by half in 1,400
// values. It is reported once, when that becomes clear.
//
// # Time
//
// The package never reads a clock. Time is the time of the readings. A value that
// is late or repeats a timestamp is judged and not learned. A gap of more than ten
// usual intervals empties the last 24 values. Hours are hours of UTC: what matters
// is that they come again every day.
//
// # Memory
//
// A metric is kept from its eighth value on. Then it takes 0.6 KB, from its second hour
// on 0.6 KB more, and 1.6 KB after eight days: what is remembered are distances from its
// first value, in single precision.
//
// # Sources
//
// Limits from extremes of blocks are the block maxima of extreme value theory (E. J.
// Gumbel, "Statistics of Extremes", 1958) without a fitted tail. The bounded step of
// the means is that of P. J. Huber, "Robust Estimation of a Location Parameter",
// Annals of Mathematical Statistics 35 (1964).
package limits
