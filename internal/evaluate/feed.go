package evaluate

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OfficeMetrics are the metrics of a feed of the office, in the order of its
// columns.
var OfficeMetrics = []string{"temperature", "humidity", "co2", "occupancy", "light"}

// Feed is what the sensors of one room said, and what was wrong with them.
type Feed struct {
	Metrics []string
	Times   []time.Time
	Rows    [][]float64 // values in the order of Metrics
	Faults  []Fault     // in the order of time
}

// Fault is a stretch of rows in which something is wrong.
type Fault struct {
	Kind        string
	Metrics     []string // those at fault
	First, Last int      // rows, both included
}

// Faulty tells for each row whether it lies in a fault.
func (f *Feed) Faulty() []bool {
	faulty := make([]bool, len(f.Rows))
	for _, fault := range f.Faults {
		for i := fault.First; i <= fault.Last; i++ {
			faulty[i] = true
		}
	}
	return faulty
}

// ReadOffice reads files of the office in which L. M. Candanedo and V. Feldheim
// counted people, a row a minute (doi.org/10.24432/C5X01N), sorted by time.
func ReadOffice(paths ...string) (*Feed, error) {
	type row struct {
		at     time.Time
		values []float64
	}
	var all []row
	for _, path := range paths {
		// date, Temperature, Humidity, Light, CO2, HumidityRatio, Occupancy, after a number
		// that has no name.
		err := readCSV(path, ',', func(cells []string) error {
			at, values, err := parse(cells[1], cells[2], cells[3], cells[5], cells[7], cells[4])
			all = append(all, row{at, values})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return a.at.Compare(b.at) })
	f := &Feed{Metrics: OfficeMetrics}
	for _, r := range all {
		f.Times, f.Rows = append(f.Times, r.at), append(f.Rows, r.values)
	}
	return f, nil
}

// ReadFaulty reads a feed of the office with faults: timestamp, the metrics,
// label, kind and feature, of which the last names the metrics at fault with
// semicolons between them.
func ReadFaulty(path string) (*Feed, error) {
	f := &Feed{Metrics: OfficeMetrics}
	faulty := false
	err := readCSV(path, ',', func(cells []string) error {
		at, values, err := parse(cells[0], cells[1:6]...)
		if err != nil {
			return err
		}
		if cells[6] == "1" {
			if !faulty {
				f.Faults = append(f.Faults, Fault{Kind: cells[7], Metrics: strings.Split(cells[8], ";"), First: len(f.Rows)})
			}
			f.Faults[len(f.Faults)-1].Last = len(f.Rows)
		}
		faulty = cells[6] == "1"
		f.Times, f.Rows = append(f.Times, at), append(f.Rows, values)
		return nil
	})
	return f, err
}

// ReadSKAB reads a file of the Skoltech Anomaly Benchmark
// (github.com/waico/SKAB): a row a second, with semicolons between the columns.
// Its last two, anomaly and changepoint, need not be there.
func ReadSKAB(path string) (*Feed, error) {
	const metrics = 8
	f := &Feed{}
	faulty := false
	err := readCSV(path, ';', func(cells []string) error {
		at, values, err := parse(cells[0], cells[1:1+metrics]...)
		if err != nil {
			return err
		}
		now := len(cells) > 1+metrics && strings.HasPrefix(cells[1+metrics], "1")
		if now {
			if !faulty {
				f.Faults = append(f.Faults, Fault{Kind: "anomaly", First: len(f.Rows)})
			}
			f.Faults[len(f.Faults)-1].Last = len(f.Rows)
		}
		faulty = now
		f.Times, f.Rows = append(f.Times, at), append(f.Rows, values)
		return nil
	})
	return f, err
}

// readCSV calls fn with each row of a file but the first.
func readCSV(path string, comma rune, fn func(cells []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading feed: %w", err)
	}
	defer file.Close()
	var from io.Reader = bufio.NewReader(file)
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(from); err != nil {
			return fmt.Errorf("reading feed %s: %w", path, err)
		}
	}
	lines := csv.NewReader(from)
	lines.Comma, lines.FieldsPerRecord = comma, -1
	rows, err := lines.ReadAll()
	if err != nil {
		return fmt.Errorf("reading feed %s: %w", path, err)
	}
	for i, row := range rows[1:] {
		if err := fn(row); err != nil {
			return fmt.Errorf("reading row %d of feed %s: %w", i+1, path, err)
		}
	}
	return nil
}

func parse(at string, cells ...string) (time.Time, []float64, error) {
	when, err := time.Parse(time.DateTime, at)
	if err != nil {
		return when, nil, err
	}
	values := make([]float64, len(cells))
	for i, cell := range cells {
		if values[i], err = strconv.ParseFloat(cell, 64); err != nil {
			return when, nil, err
		}
	}
	return when, values, nil
}
