package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"buildmon/internal/command/show"
	"buildmon/internal/store"
)

// checkTimeout is for holding all aggregates against all readings, which takes
// about a second for each million.
const checkTimeout = 2 * time.Minute

// finish ends the pipeline and says what it leaves behind.
func (d *demo) finish() error {
	ran := d.Now().Sub(d.started)
	stopErr := d.pipeline.stop()

	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	end, err := look(ctx, d.store.Pool())
	if err == nil {
		// The summary does not take the aggregates' word for it.
		err = d.store.Pool().QueryRow(ctx, "SELECT count(*) FROM sensor_readings").Scan(&end.readings)
	}
	if err != nil {
		return errors.Join(stopErr, err)
	}
	d.say("")
	d.say("In %s: %s stored, %s in a second.", ran.Round(time.Second), show.Some(end.readings-d.before, "reading"),
		show.Count(int64(float64(end.readings-d.before)/max(ran.Seconds(), 1))))
	d.say("In the database: %s, %s, %s, %s.", show.Some(end.readings, "reading"), show.Some(end.windows, "window"),
		plural(end.anomalies, "anomaly", "anomalies"), show.Some(end.refused, "refused message"))
	err = d.audit(ctx)
	d.say("The data stays in %s; the next demo with this --dir goes on from here.", d.Dir)
	return errors.Join(stopErr, err)
}

// audit holds the aggregates against the readings.
func (d *demo) audit(ctx context.Context) error {
	a, err := store.CheckAggregates(ctx, d.store.Pool())
	switch {
	case ctx.Err() != nil:
		d.say("aggregates equal the readings: not checked, it takes longer than %s", checkTimeout)
		return nil
	case err != nil:
		return err
	case a.Wrong > 0:
		d.say("aggregates equal the readings: NO, %s of %s differ, the first is %s",
			show.Count(a.Wrong), show.Some(a.Windows, "window"), a.FirstWrong)
		return fmt.Errorf("%s not equal to the readings, which must never happen: please keep %s and report it with %s; a demo with another --dir begins anew",
			plural(a.Wrong, "window is", "windows are"), d.Dir, d.log.path)
	}
	d.say("aggregates equal the readings: yes, %s", show.Some(a.Windows, "window"))
	return nil
}
