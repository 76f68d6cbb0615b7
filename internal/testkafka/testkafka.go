// Package testkafka gives tests a Kafka to talk to: one in process, which is
// always there, and a real Apache Kafka where BUILDMON_TEST_KAFKA names one, as
// .ci/kafka.sh starts it.
package testkafka

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Env names the environment variable with the brokers of a real Kafka,
// separated by commas. EnvSASL and EnvTLS name those for listeners of the same
// cluster that want User and Password, the latter through TLS with the
// certificate in the file that EnvCA names.
const (
	Env     = "BUILDMON_TEST_KAFKA"
	EnvSASL = "BUILDMON_TEST_KAFKA_SASL"
	EnvTLS  = "BUILDMON_TEST_KAFKA_TLS"
	EnvCA   = "BUILDMON_TEST_KAFKA_CA"
)

// User and Password log in at the listeners of EnvSASL and EnvTLS, by any of
// PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
const (
	User     = "buildmon"
	Password = "secret"
)

// Start starts a cluster of one broker in this process, which ends with the
// test, and returns its address. It behaves like a broker with default settings
// that creates no topics by itself.
func Start(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	return StartCluster(t, opts...).ListenAddrs()
}

// StartCluster is Start for tests that also want to disturb the broker.
func StartCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(3)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// Port returns a free port for a broker that comes back to it. It is below the ports
// that clients and listeners are given when they name none, so nobody else takes it
// meanwhile.
func Port(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+mathrand.IntN(12_000))))
		if err != nil {
			continue // somebody is there
		}
		require.NoError(t, l.Close())
		return l.Addr().(*net.TCPAddr).Port
	}
	t.Fatal("there is no free port")
	return 0
}

// Real returns the brokers of a real Kafka, or skips the test where there is
// none.
func Real(t testing.TB) []string {
	t.Helper()
	return fromEnv(t, Env)
}

// RealSASL returns the listener of a real Kafka that wants a password, or skips
// the test where there is none.
func RealSASL(t testing.TB) []string {
	t.Helper()
	return fromEnv(t, EnvSASL)
}

// RealTLS returns the listener of a real Kafka that wants TLS and a password, and
// the file with its certificate, or skips the test where there is none.
func RealTLS(t testing.TB) (brokers []string, ca string) {
	t.Helper()
	return fromEnv(t, EnvTLS), fromEnv(t, EnvCA)[0]
}

func fromEnv(t testing.TB, name string) []string {
	t.Helper()
	brokers := os.Getenv(name)
	if brokers == "" {
		t.Skipf("%s needs a real Kafka: set %s", t.Name(), name)
	}
	return strings.Split(brokers, ",")
}

// Each runs a test against the Kafka in process and against the real one.
func Each(t *testing.T, test func(t *testing.T, brokers []string)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) { test(t, Start(t)) })
	t.Run("real", func(t *testing.T) { test(t, Real(t)) })
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// Name returns a name for a topic or group that no other test uses.
func Name(t testing.TB) string {
	return notInNames.ReplaceAllString(t.Name(), "-") + "-" + rand.Text()[:8]
}

// Topic creates a topic of a new name, which is deleted after the test. configs
// are pairs of setting and value, such as "max.message.bytes", "20000000".
func Topic(t testing.TB, brokers []string, partitions int32, configs ...string) string {
	t.Helper()
	name := Name(t)
	CreateTopic(t, brokers, name, partitions, configs...)
	return name
}

// CreateTopic is Topic for a given name.
func CreateTopic(t testing.TB, brokers []string, name string, partitions int32, configs ...string) {
	t.Helper()
	settings := map[string]*string{}
	for i := 0; i+1 < len(configs); i += 2 {
		settings[configs[i]] = &configs[i+1]
	}
	admin := kadm.NewClient(Client(t, brokers))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := admin.CreateTopic(ctx, partitions, 1, settings, name)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		// The broker in process may be gone already, and nobody minds.
		_, _ = admin.DeleteTopics(ctx, name)
	})
}

// Client returns a client that is closed after the test.
func Client(t testing.TB, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}
