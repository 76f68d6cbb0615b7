// Package email registers the email output, which sends each message as a mail.
package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	// Lint rules use functions that this package registers, and are compiled when
	// the plugin is registered.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/wneessen/go-mail"
)

const component = "email"

const (
	fieldServer   = "server"
	fieldTLS      = "tls"
	fieldRootCAs  = "root_cas_file"
	fieldUsername = "username"
	fieldPassword = "password"
	fieldFrom     = "from"
	fieldTo       = "to"
	fieldSubject  = "subject"
	fieldBody     = "body"
	fieldID       = "id"
	fieldTimeout  = "timeout"
)

// How a connection is encrypted.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Alerting").
		Summary("Sends each message as a mail, over SMTP.").
		Description(`
A mail is plain text. The server must speak TLS and have a certificate for its name, unless `+"`tls: none`"+` says otherwise, which refuses a password.

== Delivery guarantees

A message is acknowledged when the server has taken the mail for all recipients. One that it refuses is rejected, so that the input sends it again if it does such things. With an `+"`id`"+`, a mail that is sent again has the same Message-ID.

== Memory

One message for each of `+"`max_in_flight`"+`, and a connection for each while it is sent.`).
		Fields(
			service.NewStringField(fieldServer).
				Description("The SMTP server, as `host:port`.").
				Example("smtp.example.com:587").Example("smtp.example.com:465"),
			service.NewStringEnumField(fieldTLS, startTLS, implicitTLS, noTLS).Default(startTLS).
				Description("How the connection is encrypted: by STARTTLS, usual on port 587, from its beginning, usual on port 465, or not at all."),
			service.NewStringField(fieldRootCAs).Default("").Advanced().
				Description("A PEM file with the authorities that the server's certificate may come from. Empty takes those of the system."),
			service.NewStringField(fieldUsername).Default("").
				Description("Who to log in as. Empty does not log in."),
			service.NewStringField(fieldPassword).Default("").Secret().
				Description("The password of `username`."),
			service.NewStringField(fieldFrom).
				Description("The sender.").
				Example("Buildings <buildmon@example.com>"),
			service.NewInterpolatedStringField(fieldTo).
				Description("The recipients, separated by commas.").
				Example("${! @alert_to }").Example("facilities@example.com, night@example.com"),
			service.NewInterpolatedStringField(fieldSubject).
				Description("The subject. Line breaks become spaces.").
				Example("${! @alert_title }"),
			service.NewInterpolatedStringField(fieldBody).Default("${! content() }").
				Description("The text."),
			service.NewInterpolatedStringField(fieldID).Default("").Advanced().
				Description("What tells this mail from others, for its Message-ID. Empty makes a random one.").
				Example("${! @alert_id }"),
			service.NewDurationField(fieldTimeout).Default("30s").Advanced().
				Description("How long sending one mail may take.").
				LintRule(`root = if this.parse_duration() <= 0 { [ "must be positive, got %s".format(this) ] }`),
			service.NewOutputMaxInFlightField().Default(1),
		).
		LintRule(`root = if this.tls.or("") == "`+noTLS+`" && this.password.or("") != "" { [ "a password is not sent without TLS" ] }`).
		Example("Alerts by mail", "", `
output:
  email:
    server: ${BUILDMON_SMTP_SERVER:smtp.example.com:587}
    username: ${BUILDMON_SMTP_USERNAME:}
    password: ${BUILDMON_SMTP_PASSWORD:}
    from: ${BUILDMON_SMTP_FROM:buildmon@example.com}
    to: ${! @alert_to }
    subject: ${! @alert_title }
    body: ${! this.text }
    id: ${! @alert_id }
`)
}

func init() {
	service.MustRegisterOutput(component, spec(),
		func(conf *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
			inFlight, err := conf.FieldMaxInFlight()
			if err != nil {
				return nil, 0, err
			}
			out, err := newFromConfig(conf)
			return out, inFlight, err
		})
}

// output adapts a mail client to the host, which calls Write from several goroutines.
type output struct {
	host    string
	options []mail.Option
	timeout time.Duration

	from                  string
	to, subject, body, id *service.InterpolatedString
}

var _ service.Output = (*output)(nil)

func newFromConfig(conf *service.ParsedConfig) (*output, error) {
	o := &output{}
	var server, encryption, rootCAs, username, password string
	for name, s := range map[string]*string{
		fieldServer: &server, fieldTLS: &encryption, fieldRootCAs: &rootCAs,
		fieldUsername: &username, fieldPassword: &password, fieldFrom: &o.from,
	} {
		var err error
		if *s, err = conf.FieldString(name); err != nil {
			return nil, err
		}
	}
	for name, s := range map[string]**service.InterpolatedString{
		fieldTo: &o.to, fieldSubject: &o.subject, fieldBody: &o.body, fieldID: &o.id,
	} {
		var err error
		if *s, err = conf.FieldInterpolatedString(name); err != nil {
			return nil, err
		}
	}
	var err error
	if o.timeout, err = conf.FieldDuration(fieldTimeout); err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, fmt.Errorf("timeout must be positive, got %s", o.timeout)
	}
	if err := mail.NewMsg().From(o.from); err != nil {
		return nil, fmt.Errorf("from is %q, want an address such as Buildings <buildmon@example.com>: %w", o.from, err)
	}
	host, portText, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("server is %q, want host:port: %w", server, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return nil, fmt.Errorf("server is %q, want host:port", server)
	}
	o.host = host
	o.options = []mail.Option{mail.WithPort(int(port)), mail.WithTimeout(o.timeout)}

	security, err := tlsConfig(host, rootCAs)
	if err != nil {
		return nil, err
	}
	switch encryption {
	case startTLS:
		o.options = append(o.options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(security))
	case implicitTLS:
		o.options = append(o.options, mail.WithSSL(), mail.WithTLSConfig(security))
	case noTLS:
		if password != "" {
			return nil, errors.New("a password is not sent without TLS: set tls to starttls or implicit")
		}
		o.options = append(o.options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if (username == "") != (password == "") {
		return nil, errors.New("username and password need each other")
	}
	if username != "" {
		o.options = append(o.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(username), mail.WithPassword(password))
	}
	return o, nil
}

func tlsConfig(host, rootCAs string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if rootCAs == "" {
		return config, nil
	}
	pem, err := os.ReadFile(rootCAs)
	if err != nil {
		return nil, fmt.Errorf("reading root_cas_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading root_cas_file %s: there is no certificate in it", rootCAs)
	}
	return config, nil
}

// Connect does nothing: mails are rare, so each has a connection of its own.
func (o *output) Connect(context.Context) error { return nil }

func (o *output) Write(ctx context.Context, msg *service.Message) error {
	m, err := o.mail(msg)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(o.host, o.options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		return fmt.Errorf("sending a mail by %s: %w", o.host, err)
	}
	return nil
}

func (o *output) mail(msg *service.Message) (*mail.Msg, error) {
	var to, subject, body, id string
	for field, s := range map[*service.InterpolatedString]*string{o.to: &to, o.subject: &subject, o.body: &body, o.id: &id} {
		var err error
		if *s, err = field.TryString(msg); err != nil {
			return nil, fmt.Errorf("composing a mail: %w", err)
		}
	}
	m := mail.NewMsg()
	if err := m.From(o.from); err != nil {
		return nil, err
	}
	if err := m.ToFromString(to); err != nil || strings.TrimSpace(to) == "" {
		return nil, fmt.Errorf("the recipients are %q, want addresses separated by commas: %w", to, cmp.Or(err, errors.New("there is none")))
	}
	m.Subject(strings.Join(strings.Fields(subject), " "))
	m.SetDate()
	if id == "" {
		m.SetMessageID()
	} else {
		_, domain, _ := strings.Cut(m.GetFrom()[0].Address, "@")
		m.SetMessageIDWithValue(strings.Join(strings.Fields(id), "") + "@" + domain)
	}
	m.SetBodyString(mail.TypeTextPlain, body)
	return m, nil
}

func (o *output) Close(context.Context) error { return nil }
