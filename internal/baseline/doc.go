// Package baseline finds what takes days to see: CO₂ sensors that lose their
// calibration, and rooms in use at hours when they are always empty.
//
// # Drift
//
// At night, when nobody breathes, the air of a room comes close to that outdoors. The
// floor of a day is the lowest hourly mean of a sensor. It drifts when its floors of
// three days in a row all lie more than a tolerance above, or all below, the median
// floor of up to four weeks before. Floors that are that much below outdoor air are
// wrong without any comparison. This is what sensors with automatic baseline
// correction do for themselves; a room that is never empty keeps its own floor and is
// compared with that.
//
// # Presence
//
// For each room, and for all rooms of its kind together, it is counted in how many
// hours somebody was there, by the hour of the day, work days and weekends apart. A
// room is in use at an empty hour when somebody is there for five minutes though in
// that hour and its neighbours hardly ever anybody was: neither in this room nor in
// others of its kind. Hours of a weekend at which rooms of the kind are used on work days
// must be known twice as well. Kinds of rooms that nobody keeps hours in, as they are
// used in less than a fifth even of their busiest hours, are visited at any time and never
// odd. Uses that were reported count a fifth, so that one night does
// not make the next one usual, and many do.
//
// Time is that of the readings. What is late or repeats a timestamp is passed over.
package baseline
