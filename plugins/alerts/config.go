package alerts

import (
	"fmt"
	"time"
	_ "time/tzdata" // time zones by name, on machines without a database of them

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
	"buildmon/internal/store"
)

// Config is the configuration of an input.
type Config struct {
	DSN             string
	Name            string
	Interval        time.Duration
	Engine          alert.Config
	MaintenanceFile string
	GiveUpAfter     time.Duration
	Keep            time.Duration
	To              map[string]string // of each route; a route without is off
}

// ParseConfig reads what the Spec describes.
func ParseConfig(conf *service.ParsedConfig) (c *Config, err error) {
	c = &Config{To: map[string]string{}}
	for name, s := range map[string]*string{fieldDSN: &c.DSN, fieldName: &c.Name, fieldMaintenanceFile: &c.MaintenanceFile} {
		if *s, err = conf.FieldString(name); err != nil {
			return nil, err
		}
	}
	if _, err := store.ParseDSN(c.DSN); err != nil {
		return nil, err
	}
	if c.Name == "" {
		return nil, fmt.Errorf("name must not be empty")
	}
	e := &c.Engine
	for name, d := range map[string]*time.Duration{
		fieldInterval: &c.Interval, fieldGroupWait: &e.GroupWait, fieldGroupInterval: &e.GroupInterval,
		fieldRepeatInterval: &e.RepeatInterval, fieldCoolDown: &e.CoolDown, fieldMaxAge: &e.MaxAge,
		fieldGiveUpAfter: &c.GiveUpAfter, fieldKeep: &c.Keep,
	} {
		if *d, err = conf.FieldDuration(name); err != nil {
			return nil, err
		}
	}
	// The database takes the lead from somebody it does not hear of for a minute.
	if c.Interval < 100*time.Millisecond || c.Interval > 30*time.Second {
		return nil, fmt.Errorf("interval must lie within 100ms and 30s, got %s", c.Interval)
	}
	if c.GiveUpAfter < time.Second {
		return nil, fmt.Errorf("give_up_after must be at least 1s, got %s", c.GiveUpAfter)
	}
	if c.Keep < time.Hour {
		return nil, fmt.Errorf("keep must be at least 1h, got %s", c.Keep)
	}
	if e.DedupBy, err = conf.FieldStringList(fieldDedupBy); err != nil {
		return nil, err
	}
	if e.GroupBy, err = conf.FieldStringList(fieldGroupBy); err != nil {
		return nil, err
	}
	if e.MaxListed, err = conf.FieldInt(fieldMaxListed); err != nil {
		return nil, err
	}
	zone, err := conf.FieldString(fieldTimeZone)
	if err != nil {
		return nil, err
	}
	if e.Location, err = location(zone); err != nil {
		return nil, err
	}
	routes, err := conf.FieldObjectList(fieldRoutes)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		route, to, err := parseRoute(r)
		if err != nil {
			return nil, err
		}
		e.Routes = append(e.Routes, route)
		if to != "" {
			c.To[route.Name] = to
		}
	}
	return c, e.Validate()
}

func parseRoute(conf *service.ParsedConfig) (r alert.Route, to string, err error) {
	if r.Name, err = conf.FieldString(fieldName); err != nil {
		return r, "", err
	}
	if to, err = conf.FieldString(fieldTo); err != nil {
		return r, "", err
	}
	severity, err := conf.FieldString(fieldMinSeverity)
	if err != nil {
		return r, "", err
	}
	r.MinSeverity = anomaly.Severity(severity)
	if r.For, err = conf.FieldDuration(fieldFor); err != nil {
		return r, "", err
	}
	where, err := conf.FieldStringMap(fieldWhere)
	r.Where = where
	return r, to, err
}

func location(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("unknown time zone %q, want a name such as Europe/Berlin", name)
	}
	return loc, nil
}

// on is the configuration with the routes alone that lead somewhere.
func (c *Config) on() (alert.Config, error) {
	e := c.Engine
	e.Routes = nil
	var off []string
	for _, r := range c.Engine.Routes {
		if c.To[r.Name] == "" {
			off = append(off, r.Name)
		} else {
			e.Routes = append(e.Routes, r)
		}
	}
	if len(e.Routes) == 0 {
		return e, fmt.Errorf("no route has a destination: set `to` of one of %q; in pipelines/alerts.yaml it comes from BUILDMON_ALERT_SLACK_URL, BUILDMON_ALERT_WEBHOOK_URL or BUILDMON_ALERT_EMAIL", off)
	}
	return e, nil
}
