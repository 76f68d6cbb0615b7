package prometheus

import (
	"regexp"
	"strings"
)

// https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels, the
// names that need no quotes in queries.
var (
	badInMetric = regexp.MustCompile(`[^a-zA-Z0-9_:]`)
	badInLabel  = regexp.MustCompile(`[^a-zA-Z0-9_]`)
)

func metricName(name string) string { return notANumber(badInMetric.ReplaceAllString(name, "_")) }

// labelName also keeps away from a leading "__", which Prometheus keeps for
// itself.
func labelName(name string) string {
	name = notANumber(badInLabel.ReplaceAllString(name, "_"))
	if strings.HasPrefix(name, "__") {
		return "_" + strings.TrimLeft(name, "_")
	}
	return name
}

// notANumber puts an underscore before a name that has no letter to begin with.
func notANumber(name string) string {
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// secondsName is the name of a timing that is exported in seconds.
func secondsName(name string) string { return strings.TrimSuffix(name, "_ns") + "_seconds" }

// validText is a label value without bytes that are no text.
func validText(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }
