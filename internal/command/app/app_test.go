package app

import (
	"runtime/debug"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	module := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "abc"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	date := debug.BuildSetting{Key: "vcs.time", Value: "2026-01-05T09:30:00Z"}
	for _, test := range []struct {
		info               *debug.BuildInfo
		linked, linkedDate string
		version, date      string
	}{
		{module(""), "", "", "unknown", "unknown"},
		{module("(devel)"), "", "", "unknown", "unknown"},
		{module("v1.2.3", revision, date), "", "", "v1.2.3", "2026-01-05T09:30:00Z"},
		{module("(devel)", revision, modified), "", "", "abc+dirty", "unknown"},
		{module("v1.2.3", revision, date), "1.2.4", "today", "1.2.4", "today"},
	} {
		version, date := versionOf(test.info, test.linked, test.linkedDate)
		require.Equal(t, test.version, version)
		require.Equal(t, test.date, date)
	}
	version, when := Version("", "")
	require.NotEmpty(t, version)
	require.NotEmpty(t, when)
}

// What a config leaves out is buildmon's default, and what it says holds.
func TestSchemaDefaults(t *testing.T) {
	build := func(config string) string {
		b := service.NewStreamBuilder()
		b.SetSchema(Schema("1", "2"))
		require.NoError(t, b.SetYAML(config+"\ninput: { generate: { mapping: root = 1 } }\noutput: { drop: {} }\n"))
		text, err := b.AsYAML()
		require.NoError(t, err)
		return text
	}
	plain := build("")
	require.Contains(t, plain, "address: 127.0.0.1:4195")
	require.Contains(t, plain, "root_path: /buildmon")
	require.Contains(t, plain, `'@service': buildmon`)
	own := build("http: { address: 0.0.0.0:80 }\nlogger: { static_fields: { site: north } }")
	require.Contains(t, own, "address: 0.0.0.0:80")
	require.NotContains(t, own, "@service")
}
