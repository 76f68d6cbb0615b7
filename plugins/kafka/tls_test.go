package kafka

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"buildmon/internal/testcert"
	"buildmon/internal/testkafka"
)

// connectTLS connects to a broker that has the given TLS configuration.
func connectTLS(t *testing.T, broker *tls.Config, fields map[string]any) error {
	t.Helper()
	brokers := testkafka.Start(t, kfake.TLS(broker), kfake.SeedTopics(1, "sensors"))
	fields["enabled"] = true
	block, err := json.Marshal(fields) // JSON is YAML
	require.NoError(t, err)
	in := newInput(t, inputYAML(brokers, "sensors", "buildmon", "tls: "+string(block)))
	return in.Connect(within(t, soon))
}

func TestTLSIsVerified(t *testing.T) {
	authority := testcert.New(t)
	later := time.Now().Add(time.Hour)
	serve := func(p testcert.Pair) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{p.Certificate}, MinVersion: tls.VersionTLS12}
	}
	good := authority.Issue(t, "127.0.0.1", later)
	known := map[string]any{"root_cas": authority.PEM}

	for _, c := range []struct {
		name        string
		broker      *tls.Config
		fields      map[string]any
		errContains string
	}{
		{"known authority", serve(good), known, ""},
		{"unknown authority", serve(good), map[string]any{}, "certificate signed by unknown authority"},
		{"other authority", serve(good), map[string]any{"root_cas": testcert.New(t).PEM}, "certificate signed by unknown authority"},
		{"other host", serve(authority.Issue(t, "kafka.example.com", later)), known, "IP SANs"},
		{"expired", serve(authority.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour))), known, "certificate has expired"},
		{"not to be verified", serve(good), map[string]any{"skip_cert_verify": true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := connectTLS(t, c.broker, c.fields)
			if c.errContains == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.errContains)
			require.ErrorContains(t, err, "tls", "says what to look at")
		})
	}
}

func TestTLSProvesWhoTheClientIs(t *testing.T) {
	authority := testcert.New(t)
	server := authority.Issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	broker := &tls.Config{
		Certificates: []tls.Certificate{server.Certificate}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	}
	client := func(a *testcert.Authority) map[string]any {
		p := a.Issue(t, "buildmon", time.Now().Add(time.Hour))
		return map[string]any{"root_cas": authority.PEM, "client_certs": []any{map[string]any{"cert": p.CertPEM, "key": p.KeyPEM}}}
	}
	require.NoError(t, connectTLS(t, broker, client(authority)))
	require.Error(t, connectTLS(t, broker, client(testcert.New(t))))
	require.Error(t, connectTLS(t, broker, map[string]any{"root_cas": authority.PEM}))
}

func TestTLSAndPasswordTogether(t *testing.T) {
	brokers, ca := testkafka.RealTLS(t)
	login := func(password string, tls ...string) error {
		in := newInput(t, inputYAML(brokers, "sensors", "buildmon",
			"tls: { "+strings.Join(append(tls, "enabled: true"), ", ")+" }",
			"sasl: { mechanism: PLAIN, username: "+testkafka.User+", password: "+password+" }"))
		return in.Connect(within(t, soon))
	}
	require.NoError(t, login(testkafka.Password, "root_cas_file: "+ca))
	require.ErrorContains(t, login(testkafka.Password), "certificate signed by unknown authority")
	require.ErrorContains(t, login("wrong", "root_cas_file: "+ca), "check sasl")
}

func TestPlainTextIsNotSpokenToTLS(t *testing.T) {
	authority := testcert.New(t)
	server := authority.Issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	brokers := testkafka.Start(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server.Certificate}, MinVersion: tls.VersionTLS12}))
	in := newInput(t, inputYAML(brokers, "sensors", "buildmon"))
	require.ErrorContains(t, in.Connect(within(t, soon)), "tls")
}
