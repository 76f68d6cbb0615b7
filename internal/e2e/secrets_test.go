package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const secret = "hunter2"

// withSecrets is a configuration whose servers do not answer, so that everything
// that can be complained about is.
const withSecrets = `
http: { enabled: true, address: %[1]q, debug_endpoints: true }
logger: { level: TRACE }
input:
  kafka:
    seed_brokers: [ "127.0.0.1:1" ]
    topics: [ sensors ]
    consumer_group: buildmon
    sasl: { mechanism: PLAIN, username: me, password: "${MARKED}" }
output:
  broker:
    outputs:
      - postgres: { dsn: "postgres://me:${MARKED}@127.0.0.1:1/there" }
      - postgres: { dsn: "host=127.0.0.1 port=1 user=me password=${MARKED}" }
      - kafka:
          seed_brokers: [ "127.0.0.1:1" ]
          topic: alerts
          sasl: { mechanism: SCRAM-SHA-512, username: me, password: "${MARKED}" }
      - webhook: { url: "http://127.0.0.1:1/${MARKED}" }
      - email: { server: "127.0.0.1:1", username: me, password: "${MARKED}", from: a@localhost, to: b@localhost, subject: s }
cache_resources:
  - label: learned
    postgres: { dsn: "postgres://me:${MARKED}@127.0.0.1:1/there" }
metrics:
  prometheus: {}
`

func TestNothingShowsAPassword(t *testing.T) {
	path, err := buildmon()
	require.NoError(t, err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	config := filepath.Join(t.TempDir(), "secrets.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, withSecrets, address), 0o600))
	env := append(os.Environ(), "MARKED="+secret, "BUILDMON_POSTGRES_DSN=postgres://me:"+secret+"@127.0.0.1:1/there")
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = env
		out, _ := cmd.CombinedOutput() // some fail, as they should
		require.NotEmpty(t, out, args)
		return string(out)
	}

	require.NotContains(t, run("echo", config), secret)
	require.NotContains(t, run("doctor", "--kafka", "127.0.0.1:1", "--timeout", "1s"), secret)
	require.NotContains(t, run("-c", config, "-s", "output.broker.outputs.0.postgres.timeout=0s"), secret)
	require.NotContains(t, run("-c", config, "-s", "input.kafka.sasl.mechanism=NTLM"), secret)

	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	logged := func() string {
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		return string(text)
	}
	cmd := exec.CommandContext(t.Context(), path, "-c", config)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	require.NoError(t, cmd.Start())
	client := http.Client{Timeout: soon}
	get := func(path string) string {
		var body []byte
		require.Eventually(t, func() bool {
			resp, err := client.Get("http://" + address + path)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err = io.ReadAll(resp.Body)
			return err == nil
		}, soon, 20*time.Millisecond)
		return string(body)
	}
	for _, path := range []string{"/metrics", "/ready", "/ping", "/version", "/endpoints", "/debug/config/json", "/debug/config/yaml"} {
		require.NotContains(t, get(path), secret, path)
	}
	for _, complaint := range []string{"connecting to kafka", "connecting to postgres"} {
		require.Eventually(t, func() bool { return strings.Contains(logged(), complaint) }, soon, 20*time.Millisecond, complaint)
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NotContains(t, logged(), secret)
}
