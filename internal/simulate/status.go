package simulate

import "buildmon/internal/reading"

// The states that a sensor reports of its room.
const (
	StatusNormal      = "Normal"
	StatusWarning     = "Warning"
	StatusCritical    = "Critical"
	StatusMaintenance = "Maintenance"
)

// Status judges values as the sensors of the portfolio do: Critical above 35 °C
// or 1500 ppm, Warning above 30 °C, 1000 ppm or 200 kWh, otherwise Maintenance
// while the room is serviced and Normal when it is not.
func Status(values *[reading.NumMetrics]float64, serviced bool) string {
	switch {
	case values[reading.Temperature] > 35 || values[reading.CO2] > 1500:
		return StatusCritical
	case values[reading.Temperature] > 30 || values[reading.CO2] > 1000 || values[reading.Energy] > 200:
		return StatusWarning
	case serviced:
		return StatusMaintenance
	}
	return StatusNormal
}
