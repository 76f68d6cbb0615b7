//go:build unix

package embedded_test

import (
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// probe asks whether a process lives and does nothing to it.
const probe = syscall.Signal(0)

// runAsOwner makes cmd run as the owner of a file.
func runAsOwner(cmd *exec.Cmd, file fs.FileInfo) {
	if st := file.Sys().(*syscall.Stat_t); os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}
	}
}

// chownLike gives path the owner of another file.
func chownLike(t *testing.T, path string, file fs.FileInfo) {
	t.Helper()
	st := file.Sys().(*syscall.Stat_t)
	require.NoError(t, os.Chown(path, int(st.Uid), int(st.Gid)))
}
