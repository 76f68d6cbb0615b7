package reading

// Metric is one of the five well-known quantities that have columns of their own.
type Metric uint8

// The well-known metrics, in the order of the columns that keep them.
const (
	Temperature Metric = iota // °C
	Humidity                  // % relative humidity
	CO2                       // ppm
	Occupancy                 // persons
	Energy                    // kWh
	NumMetrics  = 5
)

var metrics = [NumMetrics]struct {
	name, unit string
	min, max   float64 // bounds of what can be true at all
}{
	Temperature: {"temperature", "°C", -273.15, 2000},
	Humidity:    {"humidity", "%", -5, 120},
	CO2:         {"co2", "ppm", 0, 1e6},
	Occupancy:   {"occupancy", "persons", 0, 1e6},
	Energy:      {"energy_consumption", "kWh", -1e9, 1e9},
}

// String is the name of the metric on the wire and of its column.
func (m Metric) String() string { return metrics[m].name }

// Unit is the unit of the metric as a person writes it.
func (m Metric) Unit() string { return metrics[m].unit }

// ParseMetric returns the well-known metric of that name.
func ParseMetric(name string) (Metric, bool) {
	for m := range metrics {
		if metrics[m].name == name {
			return Metric(m), true
		}
	}
	return 0, false
}

// MetricNames lists the well-known metrics in the order of their columns.
func MetricNames() []string {
	names := make([]string, NumMetrics)
	for m := range metrics {
		names[m] = metrics[m].name
	}
	return names
}
