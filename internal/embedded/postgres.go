package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// postgresName is the superuser, and the database that DSN leads to.
	postgresName = "buildmon"

	stopTimeout = time.Minute
	// startTimeout leaves room for the recovery after a crash.
	startTimeout = 2 * time.Minute
)

// PostgresConfig says where a server keeps its data and where it listens.
type PostgresConfig struct {
	// Dir keeps the data between starts. It is created where it is missing. It
	// must be on a local disk.
	Dir string

	// Port on 127.0.0.1. With 0 each start takes a free one.
	Port int

	// Settings are lines of postgresql.conf, such as fsync: off for a server
	// that may lose its data. Without any, a commit is on disk when it returns.
	Settings map[string]string

	// Logf, if not nil, is told what a user waiting for the start would like to
	// know. The server's own log is the file postgres.log beside its data.
	Logf func(format string, args ...any)
}

// Postgres is a running server. It is safe for concurrent use, except that
// Stop, Kill and Restart exclude each other.
type Postgres struct {
	starter *starter
	lock    io.Closer
	bin     string
	port    int
	secret  string
}

// starter holds what one start needs to know.
type starter struct {
	cfg     PostgresConfig
	account *account
	// dataDir is where the data really lies, symbolic links followed.
	dataDir string
}

// StartPostgres starts a server on the data in cfg.Dir, made now if there is
// none, and returns when it accepts connections. A server that an earlier
// process left behind in the same directory is stopped first. ctx bounds the
// start only.
//
// Connections need the password in DSN. It is made by chance for each data
// directory, for on a machine with several users loopback is open to all of
// them, and the server's superuser can run commands as the user it runs as.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (_ *Postgres, err error) {
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()

	s := &starter{cfg: cfg, dataDir: filepath.Join(cfg.Dir, "data")}
	if s.account, err = accountFor(s.dataDir); err != nil {
		return nil, err
	}
	major, err := s.dataVersion()
	if err != nil {
		return nil, err
	}
	bin, err := s.binaries(ctx, major)
	if err != nil {
		return nil, err
	}
	if major == 0 {
		if err := s.initialise(ctx, bin); err != nil {
			return nil, err
		}
	}
	if s.dataDir, err = filepath.EvalSymlinks(s.dataDir); err != nil {
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	secret, err := os.ReadFile(s.path(secretFile))
	if err != nil {
		return nil, fmt.Errorf("reading password of postgres: %w", err)
	}
	p := &Postgres{starter: s, lock: lock, bin: bin, secret: string(secret)}
	if err := p.start(ctx, cfg.Port); err != nil {
		return nil, err
	}
	return p, nil
}

// DSN is the connection string of the database buildmon, password included. The
// user in it may create further databases.
func (p *Postgres) DSN() string { return p.dsn(postgresName, p.port) }

func (p *Postgres) dsn(database string, port int) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresName, p.secret),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Stop ends the server: open transactions are rolled back, everything committed
// is written out. The data stays for the next start. Stopping a server that has
// already ended is no error.
func (p *Postgres) Stop() error {
	defer p.lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return p.stop(ctx)
}

// Kill ends the server the way a power cut would end it for its clients:
// without a word to them, and with recovery work left for the next start. It
// exists for tests; the directory stays taken until Restart or Stop.
func (p *Postgres) Kill() error {
	pid, _, err := p.postmaster()
	if err != nil {
		return fmt.Errorf("killing postgres: %w", err)
	}
	proc, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("killing postgres: %w", err)
	}
	if err := proc.Kill(); err != nil {
		return fmt.Errorf("killing postgres: %w", err)
	}
	return nil
}

// Restart stops the server if it runs and starts it again on the same port, so
// DSN stays good.
func (p *Postgres) Restart(ctx context.Context) error {
	return p.start(ctx, p.port)
}

// start ends what still runs on the data, then starts anew. With port 0 it
// tries free ones.
func (p *Postgres) start(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.stopLeftover(ctx); err != nil {
		return err
	}
	for {
		p.port = port
		if port == 0 {
			var err error
			if p.port, err = freePort(); err != nil {
				return err
			}
		}
		said, err := p.launch(ctx)
		if err == nil {
			break
		}
		// A free port may be taken by the time the server asks for it.
		retry := port == 0 && strings.Contains(said, "could not bind")
		// The processes of a killed server take a moment to notice.
		retry = retry || strings.Contains(said, "is still in use")
		if retry && wait(ctx, 100*time.Millisecond) {
			continue
		}
		if ctx.Err() != nil { // the server may be on its way still
			err = errors.Join(err, p.stop(context.WithoutCancel(ctx)))
		}
		return err
	}
	if err := p.createDatabase(ctx); err != nil {
		return errors.Join(err, p.stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// launch writes the configuration and starts the server. When that fails it
// also returns what the server said.
func (p *Postgres) launch(ctx context.Context) (said string, err error) {
	s := p.starter
	if err := s.writeSettings(p.port); err != nil {
		return "", err
	}
	logFile := filepath.Join(filepath.Dir(s.dataDir), "postgres.log")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", fmt.Errorf("starting postgres: %w", err)
	}
	before, err := log.Seek(0, io.SeekEnd)
	if err = errors.Join(err, log.Close(), s.account.own(logFile)); err != nil {
		return "", fmt.Errorf("starting postgres: %w", err)
	}
	_, err = s.run(ctx, p.bin, "pg_ctl", "start", "-w",
		"-t", strconv.Itoa(2*int(startTimeout.Seconds())), "-D", s.dataDir, "-l", logFile)
	if err == nil {
		return "", nil
	}
	all, readErr := os.ReadFile(logFile)
	if readErr == nil && int64(len(all)) >= before {
		said = string(all[before:])
	}
	return said, fmt.Errorf("starting postgres on port %d: %w: %s", p.port, err, tail(said))
}

// stop ends the server if it runs.
func (p *Postgres) stop(ctx context.Context) error {
	pid, _, err := p.postmaster()
	if errors.Is(err, os.ErrNotExist) || err == nil && p.isStranger(pid) {
		return nil
	}
	_, err = p.shut(ctx, "fast")
	if err == nil {
		return nil
	}
	// A server that was killed cannot be stopped, and need not be.
	if _, statusErr := p.starter.run(ctx, p.bin, "pg_ctl", "status", "-D", p.starter.dataDir); statusErr != nil && ctx.Err() == nil {
		return nil
	}
	// One that was asked to end while it recovered from a crash may hang for ever
	// (seen with PostgreSQL 15). What was committed is in its log and safe.
	if out, err := p.shut(context.WithoutCancel(ctx), "immediate"); err != nil {
		return fmt.Errorf("stopping postgres: %w: %s", err, tail(out))
	}
	return nil
}

func (p *Postgres) shut(ctx context.Context, mode string) (said string, err error) {
	return p.starter.run(ctx, p.bin, "pg_ctl", "stop", "-w", "-m", mode,
		"-t", strconv.Itoa(int(stopTimeout.Seconds())), "-D", p.starter.dataDir)
}

// createDatabase makes the database that DSN leads to where it is missing. It is
// asked for at each start, for a start may have been cut off before.
func (p *Postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.dsn("postgres", p.port))
	if err != nil {
		return fmt.Errorf("connecting to the started postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", postgresName).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+postgresName)
	}
	if err != nil {
		return fmt.Errorf("creating database %s: %w", postgresName, err)
	}
	return nil
}

// run runs one of the server's tools as the server's user and returns what it
// printed.
func (s *starter) run(ctx context.Context, bin, tool string, args ...string) (string, error) {
	// A file, not a pipe: the server inherits it, and a pipe would keep Run
	// waiting for as long as the server lives.
	out, err := os.CreateTemp("", "buildmon-postgres-")
	if err != nil {
		return "", fmt.Errorf("running %s: %w", tool, err)
	}
	defer os.Remove(out.Name())
	defer out.Close()

	cmd := exec.CommandContext(ctx, filepath.Join(bin, exeName(tool)), args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = toolEnv()
	cmd.Dir = bin // this process's own directory may be closed to the account
	s.account.become(cmd)
	runErr := cmd.Run()
	said, err := os.ReadFile(out.Name())
	if err != nil {
		return "", fmt.Errorf("running %s: %w", tool, err)
	}
	if runErr != nil {
		return string(said), fmt.Errorf("running %s: %w", tool, runErr)
	}
	return string(said), nil
}

// toolEnv is the environment without what would make the server differ from
// machine to machine. A plain locale also keeps macOS from loading threads into
// the server, which it then refuses to start with.
func toolEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG")
	})
	return append(env, "LC_ALL=C")
}

func (s *starter) logf(format string, args ...any) {
	if s.cfg.Logf != nil {
		s.cfg.Logf(format, args...)
	}
}

func (s *starter) path(name string) string { return filepath.Join(s.dataDir, name) }

// freePort is a port that nobody listens on at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// wait pauses for d, or returns false once ctx is done.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tail is the end of a log, short enough for an error message.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}
