// Package testconfig holds what a constructor and the linter say of one configuration
// against what a test wants of both.
package testconfig

import (
	"fmt"
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
