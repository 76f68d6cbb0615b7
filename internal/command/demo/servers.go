package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/embedded"
	"buildmon/internal/store"
)

// Ports that are taken unless somebody has them, so that the addresses stay the
// same from start to start. They are not those of a real installation, which
// other programs may be looking for.
const (
	httpPort     = 4195
	kafkaPort    = 19092
	postgresPort = 15432
)

// envFile holds the addresses for other commands: buildmon -e demo.env doctor.
const envFile = "demo.env"

const partitions = 3

// The own broker forgets what is older, or a demo that is left alone would grow
// by about a quarter of a gigabyte each day in memory.
const topicRetention = 6 * time.Hour

// servers are the database and the brokers in use.
type servers struct {
	dsn     string
	brokers []string

	ownPostgres, ownKafka bool
}

func (s *servers) kafkaName() string {
	return strings.Join(s.brokers, ",")
}

// psql is the command that connects to the database. The password of a foreign
// database is the user's own business.
func (s *servers) psql() string {
	if s.ownPostgres {
		return fmt.Sprintf("psql %q", s.dsn)
	}
	conf, err := store.ParseDSN(s.dsn)
	if err != nil {
		return "as given with --postgres"
	}
	c := conf.ConnConfig
	return fmt.Sprintf("psql -h %s -p %d -U %s %s", c.Host, c.Port, c.User, c.Database)
}

func (d *demo) startServers(ctx context.Context) error {
	d.servers = servers{dsn: d.DSN, brokers: d.Brokers, ownPostgres: d.DSN == "", ownKafka: len(d.Brokers) == 0}
	if d.servers.ownKafka {
		d.say("Starting a broker in %s", filepath.Join(d.Dir, "kafka"))
		if err := d.startKafka(ctx); err != nil {
			return d.explain(err)
		}
	}
	if err := createTopic(ctx, d.servers); err != nil {
		return err
	}
	if d.servers.ownPostgres {
		d.say("Starting Postgres in %s", filepath.Join(d.Dir, "postgres"))
		if err := d.startPostgres(ctx); err != nil {
			return d.explain(err)
		}
	}
	text := fmt.Sprintf("BUILDMON_KAFKA_BROKERS=%s\nBUILDMON_KAFKA_TOPIC=%s\nBUILDMON_KAFKA_GROUP=%s\n", d.servers.kafkaName(), topic, group)
	text += fmt.Sprintf("BUILDMON_POSTGRES_DSN=%s\n", d.servers.dsn)
	if err := os.WriteFile(filepath.Join(d.Dir, envFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("noting the addresses of the servers: %w", err)
	}
	return nil
}

// explain says what to do about an error.
func (d *demo) explain(err error) error {
	switch {
	case errors.Is(err, embedded.ErrInUse):
		return fmt.Errorf("another demo is running in %s: stop it, or choose another directory with --dir", d.Dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; choose another directory with --dir", err)
	}
	return err
}

func (d *demo) startKafka(ctx context.Context) error {
	k, err := onPort(kafkaPort, func(port int) (*embedded.Kafka, error) {
		return embedded.StartKafka(ctx, embedded.KafkaConfig{
			Dir: filepath.Join(d.Dir, "kafka"), Port: port, Partitions: partitions,
			Logf: func(format string, args ...any) { d.log.Warn(fmt.Sprintf(format, args...)) },
		})
	})
	if err != nil {
		return err
	}
	d.servers.brokers = k.Brokers()
	d.onClose(func() error { k.Stop(); return nil })
	return nil
}

func (d *demo) startPostgres(ctx context.Context) error {
	p, err := onPort(postgresPort, func(port int) (*embedded.Postgres, error) {
		return embedded.StartPostgres(ctx, embedded.PostgresConfig{
			Dir: filepath.Join(d.Dir, "postgres"), Port: port,
			Logf: func(format string, args ...any) { d.say("  "+format, args...) },
		})
	})
	if err != nil {
		return err
	}
	d.servers.dsn = p.DSN()
	d.onClose(p.Stop)
	return nil
}

// onPort starts a server on its usual port, or on a free one if that is taken.
func onPort[T any](port int, start func(port int) (T, error)) (T, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return start(0)
	}
	_ = l.Close()
	return start(port)
}

// createTopic makes the topic if it is missing. It also tells early when foreign
// brokers do not answer; the pipeline would wait for them.
func createTopic(ctx context.Context, s servers) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.RequestRetries(2))
	if err != nil {
		return fmt.Errorf("reading the addresses of brokers: %w; check --kafka", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)
	if s.ownKafka {
		retention := strconv.FormatInt(topicRetention.Milliseconds(), 10)
		_, err = admin.CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": &retention}, topic)
	} else {
		// How many replicas are right is the business of those brokers.
		_, err = admin.CreateTopic(ctx, partitions, -1, nil, topic)
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		remedy := "; see the log"
		if !s.ownKafka {
			remedy = "; check that brokers run at the address in --kafka"
		}
		return fmt.Errorf("creating topic %q at %s: %w%s", topic, s.kafkaName(), err, remedy)
	}
	return nil
}
