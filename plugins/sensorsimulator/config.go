package sensorsimulator

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/simulate"
)

func portfolioFromConfig(conf *service.ParsedConfig, now time.Time) (cfg simulate.Config, err error) {
	for _, f := range []struct {
		name string
		to   *int
	}{{fieldBuildings, &cfg.Buildings}, {fieldFloors, &cfg.Floors}, {fieldRooms, &cfg.RoomsPerFloor}} {
		if *f.to, err = conf.FieldInt(f.name); err != nil {
			return cfg, err
		}
	}
	seed, err := conf.FieldInt(fieldSeed)
	if err != nil {
		return cfg, err
	}
	count, err := conf.FieldInt(fieldCount)
	if err != nil {
		return cfg, err
	}
	cfg.Seed, cfg.Count = uint64(seed), int64(count)
	if cfg.Interval, err = conf.FieldDuration(fieldInterval); err != nil {
		return cfg, err
	}
	zone, err := conf.FieldString(fieldTimeZone)
	if err != nil {
		return cfg, err
	}
	if cfg.Location, err = location(zone); err != nil {
		return cfg, err
	}
	if cfg.Start, err = instant(conf, fieldStart, now); err != nil {
		return cfg, err
	}
	if cfg.End, err = instant(conf, fieldEnd, now); err != nil {
		return cfg, err
	}
	if cfg.Stories, err = conf.FieldBool(fieldStories); err != nil {
		return cfg, err
	}
	faults := conf.Namespace(fieldFaults)
	if cfg.FaultShare, err = faults.FieldFloat(fieldProbability); err != nil {
		return cfg, err
	}
	kinds, err := faults.FieldStringList(fieldKinds)
	if err != nil {
		return cfg, err
	}
	for _, name := range kinds {
		kind, err := simulate.ParseFault(name)
		if err != nil {
			return cfg, err
		}
		cfg.FaultKinds = append(cfg.FaultKinds, kind)
	}
	return cfg, nil
}

func transportFromConfig(conf *service.ParsedConfig) (cfg simulate.TransportConfig, err error) {
	conf = conf.Namespace(fieldDisturbances)
	for _, f := range []struct {
		name string
		to   *float64
	}{{fieldLate, &cfg.Late}, {fieldOutOfOrder, &cfg.OutOfOrder}, {fieldDuplicated, &cfg.Duplicated}, {fieldMalformed, &cfg.Malformed}} {
		if *f.to, err = conf.FieldFloat(f.name); err != nil {
			return cfg, err
		}
	}
	cfg.LateBy, err = conf.FieldDuration(fieldLateBy)
	return cfg, err
}

// location does not accept the zone of the machine: the same configuration must
// make the same readings everywhere.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("unknown time_zone %q, want an IANA name such as Europe/Berlin", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time_zone %q, want an IANA name such as Europe/Berlin: %w", name, err)
	}
	return loc, nil
}

// instant reads a field that may be empty, which is the zero time.
func instant(conf *service.ParsedConfig, field string, now time.Time) (time.Time, error) {
	text, err := conf.FieldString(field)
	if err != nil || (text == "" && field == fieldEnd) {
		return time.Time{}, err
	}
	at, ok := parseInstant(text, now)
	if !ok {
		return time.Time{}, fmt.Errorf("%s %q is not now, a duration with a sign such as -24h, or an RFC 3339 timestamp", field, text)
	}
	return at, nil
}

func parseInstant(text string, now time.Time) (time.Time, bool) {
	if text == "now" {
		return now, true
	}
	if text != "" && (text[0] == '-' || text[0] == '+') {
		d, err := time.ParseDuration(text)
		return now.Add(d), err == nil
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}
