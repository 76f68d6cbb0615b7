package kafka

import (
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// configCase changes or adds one field of a good config.
type configCase struct {
	name        string
	fields      string
	errContains string // from the constructor; empty for success
	lint        string // if lint says it differently
	lintMisses  bool   // lint cannot know
}

func TestInputConfig(t *testing.T) {
	good := map[string]string{"seed_brokers": "[ localhost:9092 ]", "topics": "[ sensors ]", "consumer_group": "buildmon"}
	for _, test := range []configCase{
		{name: "the least there can be"},
		{name: "a list in one element", fields: `seed_brokers: [ "a:9092, b:9092" ]`},
		{name: "everything", fields: "client_id: x\nrack: r1\nstart_offset: latest\nbatch_count: 100000\npartition_buffer_bytes: 65536\ncommit_period: 5s\nsession_timeout: 30s\nrebalance_timeout: 2m\ntls: { enabled: true }\nsasl: { mechanism: PLAIN, username: u, password: p }"},
		{name: "no brokers", fields: "seed_brokers: []", errContains: "seed_brokers must name at least one broker, got []"},
		{name: "empty brokers", fields: `seed_brokers: [ " , " ]`, errContains: `seed_brokers must name at least one broker, got [" , "]`, lint: "must name at least one broker"},
		{name: "no topics", fields: "topics: []", errContains: "topics must name at least one topic and none may be empty, got []", lint: "must name at least one topic"},
		{name: "an empty topic", fields: `topics: [ "" ]`, errContains: `none may be empty, got [""]`, lint: "none may be empty"},
		{name: "no group", fields: `consumer_group: ""`, errContains: "consumer_group must not be empty", lint: "must not be empty"},
		{name: "unknown start", fields: "start_offset: newest", errContains: `unknown start_offset "newest", want earliest or latest`, lint: "value newest is not a valid option"},
		{name: "no messages in a batch", fields: "batch_count: 0", errContains: "batch_count must be 1 to 100000, got 0", lint: "must be 1 to 100000, got 0"},
		{name: "too many messages in a batch", fields: "batch_count: 100001", errContains: "batch_count must be 1 to 100000, got 100001", lint: "must be 1 to 100000, got 100001"},
		{name: "no buffer", fields: "partition_buffer_bytes: 100", errContains: "partition_buffer_bytes must be 65536 to 1073741824, got 100", lint: "must be 65536 to 1073741824, got 100"},
		{name: "no commit period", fields: "commit_period: 0s", errContains: "commit_period must be at least 100ms, got 0s", lint: "must be at least 100ms, got 0s"},
		{name: "negative session", fields: "session_timeout: -1s", errContains: "session_timeout must be at least 1s, got -1s", lint: "must be at least 1s, got -1s"},
		{name: "no time to rebalance", fields: "rebalance_timeout: 0s", errContains: "rebalance_timeout must be at least 1s, got 0s", lint: "must be at least 1s, got 0s"},
		{name: "the shortest times there can be", fields: "commit_period: 100ms\nsession_timeout: 1s\nrebalance_timeout: 1s"},
		{name: "unknown mechanism", fields: "sasl: { mechanism: GSSAPI, username: u }", errContains: `unknown sasl mechanism "GSSAPI", want none, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`, lint: "value GSSAPI is not a valid option"},
		{name: "no user", fields: "sasl: { mechanism: PLAIN, password: topsecret }", errContains: "sasl username must not be empty with mechanism PLAIN", lint: "username must not be empty with mechanism PLAIN"},
		{name: "a certificate that is not there", fields: "tls: { enabled: true, root_cas_file: /nowhere/ca.pem }", errContains: "reading tls: open /nowhere/ca.pem", lintMisses: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, "kafka", good, inputSpec(), func(conf *service.ParsedConfig) error {
				_, err := newInputFromConfig(conf, service.MockResources())
				return err
			}, (*service.ComponentConfigLinter).LintInputYAML)
		})
	}
}

func TestOutputConfig(t *testing.T) {
	good := map[string]string{"seed_brokers": "[ localhost:9092 ]", "topic": "sensors"}
	for _, test := range []configCase{
		{name: "the least there can be"},
		{name: "everything", fields: "client_id: x\nkey: ${! this.sensor_id }\nmetadata: { include_patterns: [ .* ] }\ncompression: zstd\nmax_message_bytes: 67108864\nlinger: 0s\ntimeout: 1s\ncreate_topic: { partitions: 12, replication_factor: 3 }\nmax_in_flight: 1\nbatching: { count: 10, period: 1s }"},
		{name: "no brokers", fields: "seed_brokers: []", errContains: "seed_brokers must name at least one broker, got []", lint: "must name at least one broker"},
		{name: "no topic", fields: `topic: ""`, errContains: "topic must not be empty", lint: "must not be empty"},
		{name: "unknown compression", fields: "compression: brotli", errContains: `unknown compression "brotli", want none, gzip, snappy, lz4 or zstd`, lint: "value brotli is not a valid option"},
		{name: "tiny messages", fields: "max_message_bytes: 10", errContains: "max_message_bytes must be 1024 to 67108864, got 10", lint: "must be 1024 to 67108864, got 10"},
		{name: "huge messages", fields: "max_message_bytes: 67108865", errContains: "max_message_bytes must be 1024 to 67108864, got 67108865", lint: "must be 1024 to 67108864, got 67108865"},
		{name: "negative linger", fields: "linger: -1s", errContains: "linger must be 0s to 1m0s, got -1s", lint: "must be 0s to 1m0s, got -1s"},
		{name: "long linger", fields: "linger: 2m", errContains: "linger must be 0s to 1m0s, got 2m0s", lint: "must be 0s to 1m0s, got 2m"},
		{name: "short timeout", fields: "timeout: 1ms", errContains: "timeout must be at least 1s, got 1ms", lint: "must be at least 1s, got 1ms"},
		{name: "negative partitions", fields: "create_topic: { partitions: -1 }", errContains: "create_topic partitions must be 0 to 100000, got -1", lint: "must be 0 to 100000, got -1"},
		{name: "no replicas", fields: "create_topic: { partitions: 1, replication_factor: 0 }", errContains: "create_topic replication_factor must be -1 or 1 to 32767, got 0", lint: "must be -1 or 1 to 32767, got 0"},
		{name: "none in flight", fields: "max_in_flight: 0", errContains: "max_in_flight must be 1 to 10000, got 0", lint: "must be 1 to 10000, got 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, "kafka", good, outputSpec(), func(conf *service.ParsedConfig) error {
				_, _, _, err := newBatchOutput(conf, service.MockResources())
				return err
			}, (*service.ComponentConfigLinter).LintOutputYAML)
		})
	}
}

func (c configCase) run(t *testing.T, component string, good map[string]string, spec *service.ConfigSpec,
	construct func(*service.ParsedConfig) error,
	lint func(*service.ComponentConfigLinter, []byte) ([]service.Lint, error),
) {
	t.Helper()
	lines := strings.Split(c.fields, "\n")
	for name, value := range good {
		if !strings.HasPrefix(c.fields, name+":") {
			lines = append(lines, name+": "+value)
		}
	}
	conf, err := spec.ParseYAML(strings.Join(lines, "\n"), nil)
	require.NoError(t, err)
	err = construct(conf)
	if c.errContains == "" {
		require.NoError(t, err)
	} else {
		require.ErrorContains(t, err, c.errContains)
		require.NotContains(t, err.Error(), "topsecret")
	}

	lints, err := lint(service.GlobalEnvironment().NewComponentConfigLinter(),
		[]byte(component+":\n  "+strings.Join(lines, "\n  ")))
	require.NoError(t, err)
	if c.errContains == "" || c.lintMisses {
		require.Empty(t, lints)
		return
	}
	want := c.lint
	if want == "" {
		want = "must name at least one broker"
	}
	require.NotEmpty(t, lints)
	require.Contains(t, lints[0].What, want)
}

func TestInputConfigSplitsBrokers(t *testing.T) {
	require.Equal(t, []string{"a:1", "b:2", "c:3"}, splitList([]string{" a:1,b:2,", "", "c:3"}))
}
