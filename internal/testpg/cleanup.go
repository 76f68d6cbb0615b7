package testpg

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watchEnv makes a test binary clean up after another process instead of
// running tests. It holds the directory of the server to end.
const watchEnv = "BUILDMON_TESTPG_WATCH"

// A test process may end without a chance to clean up: by a panic, a timeout,
// an interrupt, kill -9. So the test binary is started a second time, as the one
// who stays until then.
func init() {
	if dir := os.Getenv(watchEnv); dir != "" {
		signal.Ignore(os.Interrupt) // Ctrl-C reaches both, and is when this one is needed
		_, _ = io.Copy(io.Discard, os.Stdin)
		if err := cleanUp(dir); err != nil {
			os.Exit(1) // nobody is left to be told
		}
		os.Exit(0)
	}
}

// lifelines are the pipes to the watchers, kept here because the garbage
// collector closes a file that nobody refers to, which a watcher takes for the
// end of this process.
var lifelines struct {
	sync.Mutex
	pipes []io.Closer
}

// cleanUpAfterExit sees to it that the server in dir, if any, is stopped and dir
// removed when this process has ended.
func cleanUpAfterExit(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the test binary: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), watchEnv+"="+dir)
	// The pipe stays open, unused, until the end of this process closes it.
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("watching over %s: %w", dir, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("watching over %s: %w", dir, err)
	}
	lifelines.Lock()
	lifelines.pipes = append(lifelines.pipes, pipe)
	lifelines.Unlock()
	return nil
}

// cleanUp stops the server in dir and removes dir.
func cleanUp(dir string) error {
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(pidFile)
		if err != nil {
			break // stopped, or never started
		}
		line, _, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(line)
		if err != nil {
			continue // being written
		}
		server, err := os.FindProcess(pid)
		if err != nil {
			break
		}
		// An interrupt is a fast shutdown to Postgres. Windows knows no such.
		if server.Signal(os.Interrupt) != nil && server.Kill() != nil {
			break
		}
	}
	return os.RemoveAll(dir)
}
