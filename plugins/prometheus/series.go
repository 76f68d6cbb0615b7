package prometheus

import "github.com/prometheus/client_golang/prometheus"

// nanosecond in seconds.
const nanosecond = 1e-9

// The host looks for IncrFloat64 and SetFloat64 by type assertion, and cuts off
// fractions where they are missing.

type counter struct{ c prometheus.Counter }

func (c counter) Incr(n int64) { c.IncrFloat64(float64(n)) }

// IncrFloat64 ignores what a counter cannot do, which is to fall.
func (c counter) IncrFloat64(n float64) {
	if n > 0 {
		c.c.Add(n)
	}
}

type gauge struct{ g prometheus.Gauge }

func (g gauge) Set(v int64)          { g.g.Set(float64(v)) }
func (g gauge) SetFloat64(v float64) { g.g.Set(v) }

type timer struct {
	o    prometheus.Observer
	unit float64 // what to export a nanosecond as
}

func (t timer) Timing(nanoseconds int64) { t.o.Observe(float64(nanoseconds) * t.unit) }

// nothing takes the place of a metric that cannot be exported.
type nothing struct{}

func (nothing) Incr(int64)          {}
func (nothing) IncrFloat64(float64) {}
func (nothing) Set(int64)           {}
func (nothing) SetFloat64(float64)  {}
func (nothing) Timing(int64)        {}
