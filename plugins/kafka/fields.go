package kafka

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	// The lint rules below use functions that this package registers, and are
	// compiled when a plugin is registered, so it has to come before.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// Bounds of fields are checked twice: by a rule when a pipeline is linted, and
// when the component is made, for configs that nobody has linted.

func lintBetween(low, high int) string {
	return fmt.Sprintf(`root = if this < %d || this > %d { [ "must be %[1]d to %[2]d, got %%v".format(this) ] }`, low, high)
}

func intBetween(conf *service.ParsedConfig, field string, low, high int) (int, error) {
	n, err := conf.FieldInt(field)
	if err != nil {
		return 0, err
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%s must be %d to %d, got %d", field, low, high, n)
	}
	return n, nil
}

func lintAtLeast(low time.Duration) string {
	return fmt.Sprintf(`root = if this.parse_duration() < %d { [ "must be at least %s, got %%s".format(this) ] }`, low, low)
}

func durationAtLeast(conf *service.ParsedConfig, field string, low time.Duration) (time.Duration, error) {
	d, err := conf.FieldDuration(field)
	if err != nil {
		return 0, err
	}
	if d < low {
		return 0, fmt.Errorf("%s must be at least %s, got %s", field, low, d)
	}
	return d, nil
}
