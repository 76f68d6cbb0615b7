package pgquery

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Variable is the choice made in a variable of a dashboard.
type Variable struct {
	Values []string
	Multi  bool // several may be chosen, or all
}

// One is the choice of a variable that has one value.
func One(value string) Variable { return Variable{Values: []string{value}} }

// Many is the choice of a variable that may have several values.
func Many(values ...string) Variable { return Variable{Values: values, Multi: true} }

// quoted is what Grafana's SQL data sources make of a variable that has no format:
// values of a multiple choice as literals, a single one as it is but escaped.
func (v Variable) quoted() string {
	escaped := make([]string, len(v.Values))
	for i, value := range v.Values {
		escaped[i] = strings.ReplaceAll(value, "'", "''")
	}
	if !v.Multi {
		return strings.Join(escaped, "")
	}
	return "'" + strings.Join(escaped, "','") + "'"
}

// Env is what Grafana knows when it sends a query.
type Env struct {
	From, To  time.Time
	Interval  time.Duration // $__interval, of about a pixel
	Variables map[string]Variable
}

var (
	macro    = regexp.MustCompile(`\$(__[a-zA-Z]+)\(([^)]*)\)`)
	variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
)

// Expand does to SQL what Grafana does before it sends it to Postgres: variables
// first, then macros. A variable or a macro that it does not know is an error,
// where Grafana would send it as it stands.
func Expand(sql string, env Env) (string, error) {
	var err error
	sql = variable.ReplaceAllStringFunc(sql, func(found string) string {
		m := variable.FindStringSubmatch(found)
		name, format := m[1]+m[3], m[2]
		value, ok := env.value(name, format)
		if ok {
			return value
		}
		if !isMacro(name) && err == nil {
			err = fmt.Errorf("expanding %q: unknown variable or format", found)
		}
		return found
	})
	if err != nil {
		return "", err
	}
	sql = macro.ReplaceAllStringFunc(sql, func(found string) string {
		m := macro.FindStringSubmatch(found)
		expanded, macroErr := env.macro(m[1], splitArguments(m[2]))
		if macroErr != nil && err == nil {
			err = fmt.Errorf("expanding %q: %w", found, macroErr)
		}
		return expanded
	})
	if err == nil && strings.Contains(sql, "$__") {
		err = fmt.Errorf("expanding %q: a macro is left", sql)
	}
	return sql, err
}

func isMacro(name string) bool {
	switch name {
	case "__timeFilter", "__timeFrom", "__timeTo", "__timeGroup", "__timeGroupAlias", "__time":
		return true
	}
	return false
}

func (e Env) value(name, format string) (string, bool) {
	switch name {
	case "__interval":
		return e.Interval.String(), true
	case "__interval_ms":
		return strconv.FormatInt(e.Interval.Milliseconds(), 10), true
	case "__from":
		return strconv.FormatInt(e.From.UnixMilli(), 10), true
	case "__to":
		return strconv.FormatInt(e.To.UnixMilli(), 10), true
	}
	v, ok := e.Variables[name]
	switch {
	case !ok:
		return "", false
	case format == "":
		return v.quoted(), true
	case format == "raw":
		return strings.Join(v.Values, ","), true
	case format == "sqlstring":
		return Variable{v.Values, true}.quoted(), true
	}
	return "", false
}

// macro is Grafana's pkg/tsdb/grafana-postgresql-datasource/macros.go, as far as
// it is used here.
func (e Env) macro(name string, args []string) (string, error) {
	literal := func(t time.Time) string { return "'" + t.UTC().Format("2006-01-02T15:04:05.999Z") + "'" }
	want := func(n int) error {
		if len(args) < n || args[0] == "" {
			return fmt.Errorf("it takes %d arguments, got %q", n, args)
		}
		return nil
	}
	switch name {
	case "__timeFilter":
		return args[0] + " BETWEEN " + literal(e.From) + " AND " + literal(e.To), want(1)
	case "__timeFrom":
		return literal(e.From), nil
	case "__timeTo":
		return literal(e.To), nil
	case "__time":
		return args[0] + ` AS "time"`, want(1)
	case "__timeGroup", "__timeGroupAlias":
		if err := want(2); err != nil {
			return "", err
		}
		size, err := seconds(strings.Trim(args[1], `'"`))
		if err != nil {
			return "", err
		}
		group := fmt.Sprintf("floor(extract(epoch from %s)/%d)*%d", args[0], size, size)
		if name == "__timeGroupAlias" {
			group += ` AS "time"`
		}
		return group, nil
	}
	return "", fmt.Errorf("unknown macro")
}

// seconds reads an interval as Grafana writes it.
func seconds(interval string) (int64, error) {
	if days, ok := strings.CutSuffix(interval, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		return n * 24 * 60 * 60, err
	}
	d, err := time.ParseDuration(interval)
	if err == nil && d < time.Second {
		err = fmt.Errorf("interval %q is shorter than a second", interval)
	}
	return int64(d / time.Second), err
}

func splitArguments(list string) []string {
	args := strings.Split(list, ",")
	for i := range args {
		args[i] = strings.TrimSpace(args[i])
	}
	return args
}
