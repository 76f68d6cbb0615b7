package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// secretFile keeps the password, inside the data directory so that the two
	// cannot be parted.
	secretFile = "buildmon.password"
	// settingsFile is included by postgresql.conf and written at each start.
	settingsFile = "buildmon.conf"
	// outsideDir takes the data of a server started by root in a directory that
	// the server's user cannot reach, such as one below /root.
	outsideDir = "/var/lib/buildmon"
)

// dataVersion is the major version that made the data, or 0 if there is none.
func (s *starter) dataVersion() (int, error) {
	text, err := os.ReadFile(s.path("PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading version of postgres data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading version of postgres data: %w", err)
	}
	return major, nil
}

// initialise makes the data directory. It appears whole or not at all.
func (s *starter) initialise(ctx context.Context, bin string) error {
	s.logf("creating a Postgres database in %s", s.cfg.Dir)
	home := s.cfg.Dir
	if !s.account.reaches(home) {
		if err := os.MkdirAll(outsideDir, 0o755); err != nil {
			return fmt.Errorf("creating a data directory outside of %s, which user %s cannot reach: %w", home, s.account.name, err)
		}
		var err error
		if home, err = os.MkdirTemp(outsideDir, "postgres-"); err == nil {
			err = os.Chmod(home, 0o711)
		}
		if err != nil {
			return fmt.Errorf("creating a data directory outside of %s, which user %s cannot reach: %w", s.cfg.Dir, s.account.name, err)
		}
		s.logf("user %s, who runs Postgres in place of root, cannot reach %s; the data is kept in %s", s.account.name, s.cfg.Dir, home)
	}

	fresh := filepath.Join(home, "data.new")
	if err := s.initdb(ctx, bin, fresh); err != nil {
		return fmt.Errorf("creating postgres data: %w", err)
	}
	data := filepath.Join(home, "data")
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("creating postgres data: %w", err)
	}
	if home == s.cfg.Dir {
		return nil
	}
	// What is there can only be a link to data that is gone.
	if err := os.Remove(s.dataDir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("creating postgres data: %w", err)
	}
	if err := os.Symlink(data, s.dataDir); err != nil {
		return fmt.Errorf("creating postgres data: %w", err)
	}
	return nil
}

// initdb fills dir, which may hold the remains of an attempt that was cut off.
func (s *starter) initdb(ctx context.Context, bin, dir string) error {
	secret := dir + ".password"
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(secret)); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(dir, 0o700), s.account.own(dir)); err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(secret, []byte(rand.Text()), 0o600), s.account.own(secret)); err != nil {
		return err
	}
	args := []string{
		"-D", dir, "-U", postgresName, "--pwfile=" + secret, "--auth=scram-sha-256",
		"--locale=C", "--encoding=UTF8",
	}
	if s.cfg.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	if out, err := s.run(ctx, bin, "initdb", args...); err != nil {
		return fmt.Errorf("%w: %s", err, tail(out))
	}
	conf, err := os.OpenFile(filepath.Join(dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString("\ninclude '" + settingsFile + "'\n")
	return errors.Join(err, conf.Close(), os.Rename(secret, filepath.Join(dir, secretFile)))
}

// writeSettings writes what this start wants different from the defaults.
func (s *starter) writeSettings(port int) error {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(port),
		"unix_socket_directories": "", // the loopback address serves everybody
		"log_checkpoints":         "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	maps.Copy(settings, s.cfg.Settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := strings.ReplaceAll(settings[name], "'", "''")
		fmt.Fprintf(&text, "%s = '%s'\n", name, value)
	}
	path := s.path(settingsFile)
	if err := errors.Join(os.WriteFile(path, []byte(text.String()), 0o600), s.account.own(path)); err != nil {
		return fmt.Errorf("writing settings of postgres: %w", err)
	}
	return nil
}
