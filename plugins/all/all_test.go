package all_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func TestEveryPluginIsLinked(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "all.go", nil, parser.ImportsOnly)
	require.NoError(t, err)
	var linked []string
	for _, imported := range source.Imports {
		path, err := strconv.Unquote(imported.Path.Value)
		require.NoError(t, err)
		linked = append(linked, strings.TrimPrefix(path, "buildmon/plugins/"))
	}
	require.Equal(t, folders(t), linked, "all.go imports each folder, sorted")
}

func TestEveryPluginIsComplete(t *testing.T) {
	known := views()
	owner := map[component]string{}
	for _, folder := range folders(t) {
		t.Run(folder, func(t *testing.T) {
			require.FileExists(t, filepath.Join("..", folder, "README.md"))
			p := read(t, folder)
			require.NotEmpty(t, p.components, "registers nothing")
			for _, c := range p.components {
				require.Equal(t, folder, strings.ReplaceAll(c.name, "_", ""), "the folder has the name of its component")
				require.Empty(t, owner[c], "%v is registered twice", c)
				owner[c] = folder

				view := known[c]
				require.NotNil(t, view, "%v is not registered", c)
				// The host lets a later package take over a name without a word.
				require.Contains(t, p.summaries, view.Summary(), "%v is somebody else's", c)

				s := specOf(t, view)
				require.NotEmpty(t, s.Version, "%v has no version", c)
				require.NotEmpty(t, s.Description, "%v has no description", c)
				require.NotEmpty(t, s.Examples, "%v has no example", c)
				for _, f := range s.fields() {
					require.NotEmpty(t, f.Description, "field %s of %v has no description", f.Name, c)
				}
			}
		})
	}
}

func TestEveryStepIsAMemberOfOneStep(t *testing.T) {
	members := specOf(t, views()[component{"processor", "one_step"}]).Config.Description
	for _, folder := range folders(t) {
		source, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		require.NoError(t, err)
		for _, file := range source {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if strings.Contains(string(text), "var Step = step.Kind{") {
				for _, c := range read(t, folder).components {
					require.Contains(t, members, c.name, "add it to the list in plugins/onestep")
				}
			}
		}
	}
}

func TestEveryExampleLints(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().
		SetRejectDeprecated(true).
		SetSkipEnvVarCheck(true)
	known := views()
	for _, folder := range folders(t) {
		for _, c := range read(t, folder).components {
			if known[c] == nil {
				continue // another test says so
			}
			for _, example := range specOf(t, known[c]).Examples {
				t.Run(c.kind+"/"+c.name+"/"+example.Title, func(t *testing.T) {
					lints, err := linter.LintYAML([]byte(example.Config))
					require.NoError(t, err)
					require.Empty(t, lints)
				})
			}
		}
	}
}
