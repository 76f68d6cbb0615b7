// Package configs_test checks the files that other programs read, without those
// programs.
package configs_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"buildmon/dashboards"
)

const composeFile = "../docker-compose.yml"

func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithEnv(env), cli.WithProfiles([]string{"*"}))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// tag is the part of an image's name that says which version it is.
var tag = regexp.MustCompile(`:[0-9][^:/]*$`)

func TestServices(t *testing.T) {
	project := load(t)
	require.Equal(t, []string{"alerts", "buildmon", "grafana", "kafka", "postgres"}, project.ServiceNames())
	for name, service := range project.Services {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, service.Ports)
			for _, port := range service.Ports {
				require.Equal(t, "127.0.0.1", port.HostIP, "port %s is open to the network", port.Published)
			}
			if service.Build == nil {
				require.Regexp(t, tag, service.Image, "the image is not pinned")
			}
			require.NotNil(t, service.HealthCheck, "up --wait needs to know when it is ready")
			require.NotEmpty(t, service.HealthCheck.Test)
			require.NotNil(t, service.HealthCheck.Interval)
			require.Equal(t, "unless-stopped", service.Restart)
			for other, dependency := range service.DependsOn {
				require.Equal(t, types.ServiceConditionHealthy, dependency.Condition, "waits for %s", other)
			}
			for _, volume := range service.Volumes {
				if volume.Type == types.VolumeTypeBind {
					require.True(t, volume.ReadOnly, "%s is writable", volume.Source)
					_, err := os.Stat(volume.Source)
					require.NoError(t, err)
					continue
				}
				require.Contains(t, project.Volumes, volume.Source)
			}
		})
	}
}

func TestBuildmonRunsAPipelineThatExists(t *testing.T) {
	service := load(t).Services["buildmon"]
	pipeline := service.Command[len(service.Command)-1]
	require.FileExists(t, ".."+pipeline)
	require.NotContains(t, *service.Environment["BUILDMON_POSTGRES_DSN"], ":buildmon@", "the password has a variable of its own")
}

var variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)(?::-([^}]*))?\}`)

// The example is the list of what can be set, with the defaults.
func TestEnvExampleNamesEveryVariable(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	require.NoError(t, err)
	used := map[string]string{}
	for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
		name, fallback := m[1], m[2]
		require.NotEmpty(t, fallback, "%s has no default", name)
		if before, again := used[name]; again {
			require.Equal(t, before, fallback, "%s has two defaults", name)
		}
		used[name] = fallback
	}
	require.Equal(t, used, readEnv(t, "env.example"))
}

// What is set arrives everywhere it is needed.
func TestVariablesReachTheServices(t *testing.T) {
	project := load(t, "POSTGRES_PASSWORD=p@ss/word", "GRAFANA_DB_PASSWORD=other", "KAFKA_PORT=19999")
	env := func(service, name string) string {
		value := project.Services[service].Environment[name]
		require.NotNil(t, value, "%s of %s", name, service)
		return *value
	}
	require.Equal(t, "p@ss/word", env("postgres", "POSTGRES_PASSWORD"))
	require.Equal(t, "p@ss/word", env("buildmon", "PGPASSWORD"))
	require.Equal(t, "other", env("postgres", "GRAFANA_DB_PASSWORD"))
	require.Equal(t, "other", env("grafana", "GRAFANA_DB_PASSWORD"))
	require.Contains(t, env("kafka", "KAFKA_ADVERTISED_LISTENERS"), "OUTSIDE://localhost:19999")
	require.Equal(t, "19999", project.Services["kafka"].Ports[0].Published)
}

// Alerts are sent when somebody asks for it and says where to.
func TestAlertsAreOptional(t *testing.T) {
	project := load(t, "BUILDMON_ALERT_SLACK_URL=https://hooks.example.com/x")
	service := project.Services["alerts"]
	require.Equal(t, []string{"alerts"}, service.Profiles)
	require.Equal(t, "https://hooks.example.com/x", *service.Environment["BUILDMON_ALERT_SLACK_URL"])
	pipeline, err := os.ReadFile("../pipelines/alerts.yaml")
	require.NoError(t, err)
	example, err := os.ReadFile("env.example")
	require.NoError(t, err)
	for name := range service.Environment {
		if strings.HasPrefix(name, "BUILDMON_") {
			require.Contains(t, string(pipeline), "${"+name+":", "%s is set and not used", name)
		}
		if service.Environment[name] == nil {
			require.Contains(t, string(example), "\n#"+name+"=")
		}
	}
}

func TestGrafanaProvisioning(t *testing.T) {
	var sources struct {
		Datasources []struct {
			UID, Type, User, URL string
			JSONData             map[string]any    `yaml:"jsonData"`
			SecureJSONData       map[string]string `yaml:"secureJsonData"`
		}
	}
	readYAML(t, "grafana/provisioning/datasources/buildmon.yaml", &sources)
	require.Len(t, sources.Datasources, 1)
	source := sources.Datasources[0]
	require.Equal(t, "buildmon", source.UID)
	require.Equal(t, "grafana-postgresql-datasource", source.Type)
	// At the top level Grafana 12 no longer looks for it.
	require.Equal(t, "buildmon", source.JSONData["database"])
	require.Equal(t, "grafana", source.User, "not the owner of the database")
	require.Equal(t, "$GRAFANA_DB_PASSWORD", source.SecureJSONData["password"])

	project := load(t)
	host, _, _ := strings.Cut(source.URL, ":")
	require.Contains(t, project.Services, host)

	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "grafana/provisioning/dashboards/buildmon.yaml", &providers)
	require.Len(t, providers.Providers, 1)
	path := providers.Providers[0].Options.Path
	i := slices.IndexFunc(project.Services["grafana"].Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == path })
	require.GreaterOrEqual(t, i, 0, "the dashboards are not where the provider looks")

	home := project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	require.NotNil(t, home)
	name, below := strings.CutPrefix(*home, path+"/")
	require.True(t, below, *home)
	require.Equal(t, dashboards.Home+".json", name)
	require.FileExists(t, filepath.Join(project.Services["grafana"].Volumes[i].Source, name))
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into))
}

func readEnv(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	values := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			values[name] = value
		}
	}
	return values
}
