package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/embedded"
)

const childEnv = "BUILDMON_EMBEDDED_CHILD"

// TestMain lets the test binary stand in for a process that starts a server and
// is then killed.
func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := child(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// child starts a server, prints its address, and waits to be killed.
func child(what string) error {
	kind, dir, _ := strings.Cut(what, ":")
	switch kind {
	case "postgres":
		p, err := embedded.StartPostgres(context.Background(), embedded.PostgresConfig{Dir: dir})
		if err != nil {
			return err
		}
		fmt.Println(p.DSN())
	case "kafka":
		k, err := embedded.StartKafka(context.Background(), embedded.KafkaConfig{Dir: dir, Topics: []string{"sensors"}, Partitions: 2})
		if err != nil {
			return err
		}
		fmt.Println(k.Brokers()[0])
	}
	select {}
}

func startChild(t *testing.T, kind, dir string) (address string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+kind+":"+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), cmd
}
