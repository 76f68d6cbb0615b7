// Package app holds what the program buildmon says of itself and how it differs
// from other distributions of Benthos, for main and for the commands that run
// pipelines of their own.
package app

import (
	"runtime/debug"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
)

const (
	// Name is the name of the program and of the product.
	Name = "buildmon"

	// Purpose is what the program is for.
	Purpose = "watches smart buildings: sensor readings from Kafka into Postgres, aggregated and searched for anomalies"

	// DocumentationURL is where help texts send for Bloblang, streams mode and
	// templates, which are Benthos' own; paths are appended to it.
	DocumentationURL = "https://docs.redpanda.com/redpanda-connect"

	// HTTPAddress serves /ready and /metrics unless a config says otherwise. It
	// is on loopback because the endpoints ask nobody who they are.
	HTTPAddress = "127.0.0.1:4195"
)

// ConfigPaths are looked for, in this order, when no config is named.
var ConfigPaths = []string{"./buildmon.yaml", "/etc/buildmon/config.yaml"}

// Version returns what was set by the linker or else what the Go toolchain noted
// in the binary: the version of the module, or the commit for a build from a
// checkout.
func Version(linked, linkedDate string) (version, date string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info, linked, linkedDate)
}

func versionOf(info *debug.BuildInfo, linked, linkedDate string) (version, date string) {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version, date = linked, linkedDate
	if v := info.Main.Version; version == "" && v != "(devel)" {
		version = v
	}
	if version == "" {
		version = settings["vcs.revision"]
		if version != "" && settings["vcs.modified"] == "true" {
			version += "+dirty"
		}
	}
	if date == "" {
		date = settings["vcs.time"]
	}
	if version == "" {
		version = "unknown"
	}
	if date == "" {
		date = "unknown"
	}
	return version, date
}

// Schema is the schema of config files with the defaults of buildmon. The
// default exporter of metrics is prometheus wherever that plugin is linked,
// which Benthos sees to.
func Schema(version, date string) *service.ConfigSchema {
	schema := service.GlobalEnvironment().FullConfigSchema(version, date)
	schema.SetFieldDefault(HTTPAddress, "http", "address")
	schema.SetFieldDefault("/"+Name, "http", "root_path")
	schema.SetFieldDefault(map[string]any{"@service": Name}, "logger", "static_fields")
	return schema
}

// Options make a Benthos command line that of buildmon, with further commands.
func Options(version, date string, commands ...*cli.Command) []service.CLIOptFunc {
	// Benthos has its own motto in place of what the program is for.
	cli.AppHelpTemplate = strings.Replace(cli.AppHelpTemplate,
		`{{template "helpNameTemplate" .}}`, Name+" - "+Purpose, 1)
	options := []service.CLIOptFunc{
		service.CLIOptSetVersion(version, date),
		service.CLIOptSetBinaryName(Name),
		service.CLIOptSetProductName(Name),
		service.CLIOptSetDocumentationURL(DocumentationURL),
		service.CLIOptSetDefaultConfigPaths(ConfigPaths...),
		service.CLIOptSetMainSchemaFrom(func() *service.ConfigSchema { return Schema(version, date) }),
	}
	for _, c := range commands {
		options = append(options, service.CLIOptAddCommand(c))
	}
	return options
}
