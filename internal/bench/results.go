//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// measurement is what one turn took.
type measurement struct {
	Rate     float64 `json:"readings_per_second"`
	Own      float64 `json:"own_cpu_us_per_reading"`
	Postgres float64 `json:"postgres_cpu_us_per_reading"`
	Peak     int64   `json:"peak_bytes"`
}

func newMeasurement(readings int, elapsed, own, postgres time.Duration, peak int64) measurement {
	n := float64(readings)
	return measurement{Rate: n / elapsed.Seconds(), Own: float64(own.Microseconds()) / n, Postgres: float64(postgres.Microseconds()) / n, Peak: peak}
}

func (m measurement) String() string {
	return fmt.Sprintf("%9.0f/s  own %5.2f µs  Postgres %5.2f µs  %4d MB", m.Rate, m.Own, m.Postgres, m.Peak>>20)
}

// results are all turns of a run.
type results struct {
	When        time.Time                `json:"when"`
	CPUs        int                      `json:"cpus"`
	Go          string                   `json:"go"`
	Readings    int                      `json:"readings"`
	Sensors     int                      `json:"sensors"`
	Bytes       int                      `json:"bytes_per_reading"`
	Partitions  int                      `json:"partitions"`
	Compression string                   `json:"compression"`
	Turns       map[string][]measurement `json:"turns"`
}

func newResults(t topic, compression string) *results {
	return &results{
		When: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Readings: t.readings, Sensors: t.sensors, Bytes: t.bytes, Partitions: t.partitions, Compression: compression,
		Turns: map[string][]measurement{},
	}
}

func (r *results) add(name string, m measurement) { r.Turns[name] = append(r.Turns[name], m) }

// summary is the medians of a contestant. Ratios are to the calibration of the same
// turn, because machines change their speed from minute to minute.
type summary struct {
	measurement
	rateRatio, ownRatio float64
}

func (r *results) summary(name string) (s summary, ok bool) {
	turns := r.Turns[name]
	if len(turns) == 0 {
		return s, false
	}
	of := func(value func(int) float64) float64 {
		values := make([]float64, len(turns))
		for i := range turns {
			values[i] = value(i)
		}
		return median(values)
	}
	s.Rate = of(func(i int) float64 { return turns[i].Rate })
	s.Own = of(func(i int) float64 { return turns[i].Own })
	s.Postgres = of(func(i int) float64 { return turns[i].Postgres })
	s.Peak = int64(of(func(i int) float64 { return float64(turns[i].Peak) }))
	if base := r.Turns[calibration]; len(base) == len(turns) {
		s.rateRatio = of(func(i int) float64 { return turns[i].Rate / base[i].Rate })
		s.ownRatio = of(func(i int) float64 { return turns[i].Own / base[i].Own })
	}
	return s, true
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func (r *results) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\treadings/s\town CPU µs\tPostgres CPU µs\tpeak MB\trate : calibration\tCPU : calibration\t")
	for _, c := range contestants {
		if s, ok := r.summary(c.name); ok {
			_, _ = fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%d\t%.2f\t%.2f\t\n", c.name, s.Rate, s.Own, s.Postgres, s.Peak>>20, s.rateRatio, s.ownRatio)
		}
	}
	_ = t.Flush()
}

func (r *results) save(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// compare says how the ratios of two runs differ. Rates themselves are not compared:
// the machine may have been another one.
func compare(w io.Writer, before, after string) error {
	var runs [2]results
	for i, file := range []string{before, after} {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading results: %w", err)
		}
		if err := json.Unmarshal(data, &runs[i]); err != nil {
			return fmt.Errorf("reading results from %s: %w", file, err)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\trate : calibration\t\t\tCPU : calibration\t\t\tpeak MB\t\t")
	_, _ = fmt.Fprintln(t, "\tbefore\tafter\tchange\tbefore\tafter\tchange\tbefore\tafter\t")
	for _, c := range contestants {
		a, ok := runs[0].summary(c.name)
		b, also := runs[1].summary(c.name)
		if ok && also {
			_, _ = fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%+.0f %%\t%.2f\t%.2f\t%+.0f %%\t%d\t%d\t\n", c.name,
				a.rateRatio, b.rateRatio, 100*(b.rateRatio/a.rateRatio-1), a.ownRatio, b.ownRatio, 100*(b.ownRatio/a.ownRatio-1), a.Peak>>20, b.Peak>>20)
		}
	}
	return t.Flush()
}
