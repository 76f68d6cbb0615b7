//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/embedded"
)

// Site is the world around buildmon: a broker, a database, and proxies through
// which buildmon reaches them. The harness itself connects directly.
type site struct {
	dir      string
	postgres *embedded.Postgres
	brokers  string // direct
	admin    *kadm.Client

	pgProxy, kafkaProxy *toxiproxy.Proxy
	proxiedBrokers      string

	pgServer, kafkaServer, pgPath, kafkaPath sync.Mutex // one fault of these at a time
}

const script = ".ci/kafka.sh"

func startSite(ctx context.Context, dir string) (_ *site, err error) {
	s := &site{dir: dir}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	s.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(dir, "postgres")})
	if err != nil {
		return nil, err
	}
	dsn, err := url.Parse(s.postgres.DSN())
	if err != nil {
		return nil, fmt.Errorf("reading address of postgres: %w", err)
	}
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	s.pgProxy = toxiproxy.NewProxy(proxies, "postgres", "127.0.0.1:0", dsn.Host)
	if err := s.pgProxy.Start(); err != nil {
		return nil, fmt.Errorf("starting proxy to postgres: %w", err)
	}

	// Kafka tells its clients where to find it, so the proxy's port comes first.
	if s.proxiedBrokers, err = freePort(); err != nil {
		return nil, err
	}
	env, err := s.kafka("start", "BUILDMON_KAFKA_PROXY="+s.proxiedBrokers)
	if err != nil {
		return nil, err
	}
	s.brokers = env["BUILDMON_TEST_KAFKA"]
	s.kafkaProxy = toxiproxy.NewProxy(proxies, "kafka", s.proxiedBrokers, env["BUILDMON_TEST_KAFKA_PROXIED"])
	if err := s.kafkaProxy.Start(); err != nil {
		return nil, fmt.Errorf("starting proxy to kafka: %w", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers))
	if err != nil {
		return nil, fmt.Errorf("connecting to kafka: %w", err)
	}
	s.admin = kadm.NewClient(client)
	return s, nil
}

func (s *site) stop() {
	if s.admin != nil {
		s.admin.Close()
	}
	for _, p := range []*toxiproxy.Proxy{s.pgProxy, s.kafkaProxy} {
		if p != nil {
			p.Stop()
		}
	}
	_, _ = s.kafka("stop")
	if s.postgres != nil {
		_ = s.postgres.Stop()
	}
}

// kafka calls the script and returns the environment that it leaves.
func (s *site) kafka(verb string, env ...string) (map[string]string, error) {
	dir := filepath.Join(s.dir, "kafka")
	cmd := exec.Command(script, append([]string{verb}, dir)...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("running %s %s: %w\n%s", script, verb, err, out)
	}
	set := map[string]string{}
	file, err := os.Open(filepath.Join(dir, "env"))
	if errors.Is(err, os.ErrNotExist) {
		return set, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading what %s says: %w", script, err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		set[name] = value
	}
	return set, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// dsn is the address of a database, directly or through the proxy.
func (s *site) dsn(database string, proxied bool) string {
	u, err := url.Parse(s.postgres.DSN())
	if err != nil {
		panic(err) // it was parsed before
	}
	u.Path = "/" + database
	if proxied {
		u.Host = s.pgProxy.Listen
	}
	return u.String()
}

// exec runs statements on a connection of its own, again and again until they
// succeed, for another fault may have the server down.
func (s *site) exec(ctx context.Context, database string, statements ...string) error {
	return eventually(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.dsn(database, false))
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for _, statement := range statements {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("executing %s: %w", statement, err)
			}
		}
		return nil
	})
}

// signalPostgres sends the server a signal and starts it again when it has ended.
func (s *site) signalPostgres(ctx context.Context, signal syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(s.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("finding postgres: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return fmt.Errorf("finding postgres: %w", err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("sending %s to postgres: %w", signal, err)
	}
	sent := time.Now()
	err = eventually(ctx, func(context.Context) error {
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
		// PostgreSQL 15 that is asked to end while it recovers from a backend that
		// was killed may hang for ever.
		if time.Since(sent) > stopPatience {
			return errors.Join(fmt.Errorf("postgres still runs after %s", signal), syscall.Kill(pid, syscall.SIGQUIT))
		}
		return fmt.Errorf("postgres still runs after %s", signal)
	})
	return errors.Join(err, s.postgres.Restart(ctx))
}

// stopPatience is how long a server may take to end when it is asked to.
const stopPatience = 20 * time.Second

const patience = 3 * time.Minute

// eventually tries something until it succeeds or patience has passed,
// for other faults may be in the way.
func eventually(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// pause waits and tells whether the time has passed rather than the context
// ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
