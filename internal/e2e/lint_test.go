package e2e

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lint rules are compiled when plugins register, and whether the functions in
// them are there by then depends on the order of imports; so this asks the
// program and no package of it.
func TestProgramLintsDurations(t *testing.T) {
	path, err := buildmon()
	require.NoError(t, err)
	for set, want := range map[string]string{
		"input.kafka.session_timeout=1ms":                           "must be at least 1s, got 1ms",
		"output.postgres.timeout=0s":                                "must be positive, got 0s",
		"pipeline.processors.0.one_step.0.tumbling_window.size=-1s": "-1s",
	} {
		out, err := exec.CommandContext(t.Context(), path, "-c", "../../pipelines/monitor.yaml", "-s", set).CombinedOutput()
		require.Error(t, err, set)
		require.Contains(t, string(out), want)
		require.Contains(t, string(out), "linter errors")
	}
}
