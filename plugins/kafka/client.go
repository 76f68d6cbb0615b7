// Package kafka registers the kafka input, which reads the partitions of topics
// as ordered lanes, and the kafka output, which writes messages to topics. Both
// speak to Apache Kafka and to what understands its protocol.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	fieldSeedBrokers = "seed_brokers"
	fieldClientID    = "client_id"
	fieldTLS         = "tls"
	fieldSASL        = "sasl"
	fieldMechanism   = "mechanism"
	fieldUsername    = "username"
	fieldPassword    = "password"
)

const (
	mechanismNone        = "none"
	mechanismPlain       = "PLAIN"
	mechanismScramSHA256 = "SCRAM-SHA-256"
	mechanismScramSHA512 = "SCRAM-SHA-512"
)

const (
	dialTimeout = 5 * time.Second

	// Topics and partitions that appear, and leaders that move, are noticed
	// within metadataMaxAge; after an error, within metadataMinAge.
	metadataMaxAge = 5 * time.Second
	metadataMinAge = time.Second
)

// connectionFields are the fields that the input and the output share.
func connectionFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringListField(fieldSeedBrokers).
			Description("Addresses of brokers to ask first, as `host:port`; the others of the cluster are learned from them. An element may itself be a list separated by commas, so that one environment variable can name them all.").
			Example([]string{"localhost:9092"}).
			Example([]string{"${BUILDMON_KAFKA_BROKERS:localhost:9092}"}).
			LintRule(`root = if this.type() == "array" && this.join(",").trim(" ,") == "" { [ "must name at least one broker" ] }`),
		service.NewStringField(fieldClientID).
			Description("The name under which the brokers see this client in their logs, metrics and quotas.").
			Default("buildmon").
			Advanced(),
		service.NewTLSToggledField(fieldTLS),
		service.NewObjectField(fieldSASL,
			service.NewStringEnumField(fieldMechanism, mechanismNone, mechanismPlain, mechanismScramSHA256, mechanismScramSHA512).
				Description("How to prove who this client is. `PLAIN` sends the password as it is, so use it only together with `tls`.").
				Default(mechanismNone),
			service.NewStringField(fieldUsername).
				Description("The user to log in as.").
				Default(""),
			service.NewStringField(fieldPassword).
				Description("The password of that user.").
				Default("").
				Secret(),
		).
			Description("Authentication with user and password.").
			Advanced().
			LintRule(`root = if this.mechanism.or("none") != "none" && this.username.or("") == "" { [ "username must not be empty with mechanism %s".format(this.mechanism) ] }`),
	}
}

// connection says how to reach a cluster.
type connection struct {
	brokers  []string
	clientID string
	tls      *tls.Config // nil for plain text
	sasl     sasl.Mechanism
}

func connectionFromConfig(conf *service.ParsedConfig) (connection, error) {
	var c connection
	seeds, err := conf.FieldStringList(fieldSeedBrokers)
	if err != nil {
		return c, err
	}
	if c.brokers = splitList(seeds); len(c.brokers) == 0 {
		return c, fmt.Errorf("%s must name at least one broker, got %q", fieldSeedBrokers, seeds)
	}
	if c.clientID, err = conf.FieldString(fieldClientID); err != nil {
		return c, err
	}
	tlsConf, enabled, err := conf.FieldTLSToggled(fieldTLS)
	if err != nil {
		return c, fmt.Errorf("reading %s: %w", fieldTLS, err)
	}
	if enabled {
		c.tls = tlsConf
	}
	c.sasl, err = saslFromConfig(conf.Namespace(fieldSASL))
	return c, err
}

func saslFromConfig(conf *service.ParsedConfig) (sasl.Mechanism, error) {
	mechanism, err := conf.FieldString(fieldMechanism)
	if err != nil {
		return nil, err
	}
	user, err := conf.FieldString(fieldUsername)
	if err != nil {
		return nil, err
	}
	password, err := conf.FieldString(fieldPassword)
	if err != nil {
		return nil, err
	}
	if mechanism != mechanismNone && user == "" {
		return nil, fmt.Errorf("%s %s must not be empty with %s %s", fieldSASL, fieldUsername, fieldMechanism, mechanism)
	}
	switch mechanism {
	case mechanismNone:
		return nil, nil
	case mechanismPlain:
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case mechanismScramSHA256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case mechanismScramSHA512:
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("unknown %s %s %q, want %s, %s, %s or %s", fieldSASL, fieldMechanism, mechanism,
		mechanismNone, mechanismPlain, mechanismScramSHA256, mechanismScramSHA512)
}

// splitList cuts elements at commas and drops what is empty.
func splitList(elements []string) []string {
	var out []string
	for _, e := range elements {
		for s := range strings.SplitSeq(e, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

func (c connection) options(log *service.Logger) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.brokers...),
		kgo.ClientID(c.clientID),
		kgo.DialTimeout(dialTimeout),
		kgo.MetadataMaxAge(metadataMaxAge),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.WithLogger(newLogger(log)),
	}
	if c.tls != nil {
		opts = append(opts, kgo.DialTLSConfig(c.tls))
	}
	if c.sasl != nil {
		opts = append(opts, kgo.SASL(c.sasl))
	}
	return opts
}

// ping returns an error that says what to look at when no broker answers. It
// asks each known broker once, so it fails within a few dial timeouts.
func (c connection) ping(ctx context.Context, client *kgo.Client) error {
	err := client.Ping(ctx)
	if err == nil {
		return nil
	}
	remedy := "check " + fieldSeedBrokers + " (BUILDMON_KAFKA_BROKERS)"
	var network *net.OpError
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism):
		remedy = "check " + fieldSASL
	case errors.As(err, &network) && network.Op == "dial":
	default:
		// Somebody is there and hangs up, or does not speak the same way.
		remedy += ", " + fieldTLS + " and " + fieldSASL
	}
	return fmt.Errorf("connecting to kafka at %s: %w; %s", c, err, remedy)
}

// String lists the brokers.
func (c connection) String() string { return "[" + strings.Join(c.brokers, " ") + "]" }
