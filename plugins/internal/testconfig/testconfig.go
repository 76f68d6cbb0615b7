// Package testconfig holds what a constructor and the linter say of one configuration
// against what a test wants of both.
package testconfig

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// NotLinted says that a linter of components cannot know what is wrong, such as the
// name of a resource that does not exist.
const NotLinted = "-"

// Require wants a configuration to be accepted by both if errContains is empty, and
// else to be refused by both: by the constructor with errContains and by the linter
// with lintContains, or with errContains as well if that is empty.
func Require(t *testing.T, err error, lints []service.Lint, errContains, lintContains string) {
	t.Helper()
	if errContains == "" {
		require.NoError(t, err)
		require.Empty(t, lints)
		return
	}
	require.ErrorContains(t, err, errContains)
	switch lintContains {
	case NotLinted:
	case "":
		require.Contains(t, fmt.Sprint(lints), errContains)
	default:
		require.Contains(t, fmt.Sprint(lints), lintContains)
	}
}

// Case is a configuration of a processor and what is wrong with it.
type Case struct {
	Name, Config, Err string
	Lint              string // Err unless set
}

// Run holds each case against the constructor and the linter of a processor.
func Run(t *testing.T, component string, spec *service.ConfigSpec, construct service.BatchProcessorConstructor, res *service.Resources, cases []Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			conf, err := spec.ParseYAML(c.Config, nil)
			require.NoError(t, err)
			_, err = construct(conf, res)
			block := component + ":\n  " + strings.ReplaceAll(c.Config, "\n", "\n  ")
			lints, lintErr := service.GlobalEnvironment().NewComponentConfigLinter().LintProcessorYAML([]byte(block))
			require.NoError(t, lintErr)
			Require(t, err, lints, c.Err, c.Lint)
		})
	}
}
