//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuardsAreInTheSource(t *testing.T) {
	for _, g := range guards {
		text, err := os.ReadFile(filepath.Join("../..", g.file))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), g.source), "%s in %s", g.name, g.file)
	}
}
