package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postmaster reads the process id and the port of the server that runs, or ran,
// on the data. The error is os.ErrNotExist if the last one ended properly.
//
// The layout of postmaster.pid is documented in Postgres'
// src/include/utils/pidfile.h: line 1 is the process, line 4 the port.
func (p *Postgres) postmaster() (pid, port int, err error) {
	text, err := os.ReadFile(p.starter.path("postmaster.pid"))
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 {
		return 0, 0, fmt.Errorf("reading postmaster.pid: %d lines, want at least 4", len(lines))
	}
	pid, pidErr := strconv.Atoi(strings.TrimSpace(lines[0]))
	port, portErr := strconv.Atoi(strings.TrimSpace(lines[3]))
	return pid, port, errors.Join(pidErr, portErr)
}

// stopLeftover stops the server that an earlier process left running on the
// data, which is known by its answer, not by its process id: after a reboot or
// in a new container that id may be anybody's. If nobody answers, the file is a
// dead server's, and Postgres deals with it when it starts.
func (p *Postgres) stopLeftover(ctx context.Context) error {
	pid, port, err := p.postmaster()
	if err != nil {
		return nil // no file, or one that was never finished
	}
	for {
		switch ours, err := p.answers(ctx, port); {
		case ours:
			return p.stop(ctx)
		case !startingUp(err):
			return p.disownPid(pid)
		case !wait(ctx, 100*time.Millisecond):
			return fmt.Errorf("waiting for the postgres left by an earlier process: %w", err)
		}
	}
}

// disownPid makes postmaster.pid name this process if the one it names is not a
// server on the data, but dead or somebody else.
//
// Postgres looks no further than to whether some process of the same user has
// the id, which in a restarted container is likely, and then refuses to start.
// It makes an exception for the process that starts it. Removing the file would
// be simpler, and dangerous: it also tells Postgres how to find out whether
// parts of a killed server still write to the data.
func (p *Postgres) disownPid(pid int) error {
	if !p.isStranger(pid) {
		return nil
	}
	path := p.starter.path("postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading postmaster.pid: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		return fmt.Errorf("writing postmaster.pid: %w", err)
	}
	return nil
}

// isStranger tells whether the process is certainly not a server on the data,
// because it has ended or works in another directory: a server works in its
// data directory from its first moment on. Where that cannot be seen, which is
// everywhere but on Linux, nothing is certain.
func (p *Postgres) isStranger(pid int) bool {
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		return false
	}
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist) // a process nobody has waited for has none either
	}
	ours, err := os.Stat(p.starter.dataDir)
	return err == nil && !os.SameFile(ours, theirs)
}

// answers tells whether the server on port is the one on our data.
func (p *Postgres) answers(ctx context.Context, port int) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.dsn("postgres", port))
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return false, err
	}
	theirs, err := os.Stat(dir)
	if err != nil {
		return false, nil // not a directory of this machine's
	}
	ours, err := os.Stat(p.starter.dataDir)
	if err != nil {
		return false, err
	}
	return os.SameFile(ours, theirs), nil
}

// startingUp tells whether err is a server's word that it will answer soon, or
// that it is about to end: cannot_connect_now.
func startingUp(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "57P03"
}
