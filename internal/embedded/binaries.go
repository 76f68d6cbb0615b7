package embedded

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// minPostgres is the oldest major version whose SQL buildmon is tested with.
const minPostgres = 15

// fetchable are the versions that can be fetched, the preferred one first.
var fetchable = []embeddedpostgres.PostgresVersion{
	embeddedpostgres.V17, embeddedpostgres.V18, embeddedpostgres.V16, embeddedpostgres.V15,
}

// versionPattern reads "postgres (PostgreSQL) 15.18 (Debian …)" and "17rc1".
var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// binaries returns a directory with initdb, pg_ctl and postgres that acc may
// run. major, unless 0, is the only version that will do, because existing data
// was made by it.
func (s *starter) binaries(ctx context.Context, major int) (string, error) {
	for _, dir := range installed(ctx) {
		v, ok := postgresIn(ctx, dir)
		if ok && v >= minPostgres && (major == 0 || v == major) && s.account.reaches(dir) {
			return dir, nil
		}
	}
	return s.fetch(major)
}

// installed lists directories where a Postgres may be, the best first: what the
// user's PATH names, then what packages install, newest version first.
func installed(ctx context.Context) []string {
	var dirs []string
	add := func(dir string) {
		if dir, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link in a bin directory leads to where the other tools are too.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			add(filepath.Dir(path))
		}
	}
	for _, pattern := range packageDirs() {
		found, _ := filepath.Glob(pattern) // fails for a bad pattern only
		slices.SortFunc(found, func(a, b string) int { return lastNumber(b) - lastNumber(a) })
		for _, dir := range found {
			add(dir)
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	return dirs
}

// packageDirs are the patterns of the directories that packages install to.
func packageDirs() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{filepath.Join(os.Getenv("ProgramFiles"), "PostgreSQL", "*", "bin")}
	case "darwin":
		return []string{
			"/opt/homebrew/opt/postgresql@*/bin",
			"/usr/local/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		}
	default:
		return []string{
			"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
			"/usr/pgsql-*/bin",          // postgresql.org packages for RPM systems
			"/usr/libexec/postgresql*",  // Alpine
			"/usr/local/pgsql/bin",      // built from source
			"/usr/lib/postgresql*/bin",  // Gentoo, SUSE
			"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		}
	}
}

var number = regexp.MustCompile(`\d+`)

// lastNumber is the version in a path such as /usr/lib/postgresql/17/bin, or 0.
func lastNumber(path string) int {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1]) // out of range: any order will do
	return n
}

// postgresIn returns the major version of the server in dir, and whether all
// that is needed to run it is there.
func postgresIn(ctx context.Context, dir string) (int, bool) {
	for _, name := range []string{"initdb", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return 0, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0, false
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return 0, false
	}
	v, err := strconv.Atoi(string(m[1]))
	return v, err == nil
}

// fetch returns the directory of binaries from Maven Central, fetched now or by
// an earlier start.
func (s *starter) fetch(major int) (string, error) {
	at := slices.IndexFunc(fetchable, func(v embeddedpostgres.PostgresVersion) bool {
		return major == 0 || strings.HasPrefix(string(v), strconv.Itoa(major)+".")
	})
	if at < 0 {
		return "", fmt.Errorf("the data in %s needs Postgres %d, which is neither installed nor available to fetch", s.cfg.Dir, major)
	}
	version := fetchable[at]

	cache, err := s.cacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "postgres-"+string(version))
	bin := filepath.Join(home, "bin")
	if _, err := os.Stat(home); err == nil {
		return bin, nil
	}

	s.logf("no Postgres %d or later is installed; fetching %s from Maven Central", minPostgres, version)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("creating cache %s: %w", cache, err)
	}
	scratch, err := os.MkdirTemp(cache, "fetching-")
	if err != nil {
		return "", fmt.Errorf("creating directory to fetch Postgres to: %w", err)
	}
	defer os.RemoveAll(scratch)
	fetched := filepath.Join(scratch, "postgres")
	if err := download(version, cache, scratch, fetched); err != nil {
		return "", fmt.Errorf("fetching Postgres %s: %w; install Postgres %d or later, or name a running one", version, err, minPostgres)
	}
	// Of several processes that fetch at once the first one wins; what it put
	// there is whole, for a directory is renamed in one step.
	if err := os.Rename(fetched, home); err != nil {
		if _, statErr := os.Stat(home); statErr != nil {
			return "", fmt.Errorf("moving Postgres into cache: %w", err)
		}
	}
	return bin, nil
}

// download puts the binaries of version into dir. The library fetches only on
// the way to a start, so it is made to start a throw-away server; that proves
// that the binaries run here. As root it cannot, and having them is enough.
func download(version embeddedpostgres.PostgresVersion, cache, scratch, dir string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	throwaway := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).
		CachePath(cache).
		BinariesPath(dir).
		RuntimePath(filepath.Join(scratch, "runtime")).
		DataPath(filepath.Join(scratch, "data")).
		Port(uint32(port)).
		StartTimeout(time.Minute).
		Logger(io.Discard))
	startErr := throwaway.Start()
	if startErr == nil {
		startErr = throwaway.Stop()
	}
	if startErr != nil && os.Geteuid() != 0 {
		return startErr
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", exeName("postgres"))); err != nil {
		return cmp.Or(startErr, err)
	}
	return os.Chmod(dir, 0o755)
}

// cacheDir is where fetched binaries are kept: the user's cache, or for root a
// place that the account running the server can reach.
func (s *starter) cacheDir() (string, error) {
	if s.account != nil {
		return "/var/cache/buildmon", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place to keep Postgres: %w", err)
	}
	return filepath.Join(cache, "buildmon"), nil
}

func exeName(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
