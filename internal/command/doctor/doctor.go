package doctor

import (
	"context"
	"time"
)

const (
	// A reading that is older makes one wonder whether the sensors still speak.
	oldData = 10 * time.Minute
	// A group that is further behind than this shows old data on dashboards.
	muchLag = 10_000
)

// Config says what to look at.
type Config struct {
	Brokers      []string
	Topic, Group string
	DSN          string
	Timeout      time.Duration // of each check
	Now          func() time.Time
}

// doctor is one visit.
type doctor struct {
	Config
	report Report
}

// Run looks at everything and returns what it found. It changes nothing.
func Run(ctx context.Context, conf Config) *Report {
	d := &doctor{Config: conf}
	d.kafka(ctx, section{&d.report, "Kafka"})
	d.postgres(ctx, section{&d.report, "Postgres"})
	return &d.report
}

// within gives one check its time.
func within[T any](ctx context.Context, d *doctor, check func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	return check(ctx)
}
