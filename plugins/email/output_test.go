package email

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testcert"
)

// server is an SMTP server that keeps what it gets.
type server struct {
	*smtp.Server
	address string
	refuse  bool

	mu    sync.Mutex
	mails []delivered
}

type delivered struct {
	user, from string
	to         []string
	*mail.Message
	body string
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }

func newServer(t *testing.T, security *tls.Config, implicit bool) *server {
	t.Helper()
	s := &server{}
	s.Server = smtp.NewServer(s)
	s.Domain, s.TLSConfig = "localhost", security
	s.AllowInsecureAuth = false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if implicit {
		l = tls.NewListener(l, security)
	}
	s.address = l.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return s
}

type session struct {
	server *server
	delivered
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "buildmon" || password != "hunter2" {
			return errors.New("wrong password")
		}
		s.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.refuse {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) (err error) {
	if s.Message, err = mail.ReadMessage(r); err != nil {
		return err
	}
	body, err := io.ReadAll(s.Message.Body)
	s.body = string(body)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.delivered)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func send(t *testing.T, config string) error {
	t.Helper()
	conf, err := spec().ParseYAML(config, nil)
	require.NoError(t, err)
	out, err := newFromConfig(conf)
	require.NoError(t, err)
	msg := service.NewMessage([]byte(`{"text":"CO₂ is too high.\nSince half past nine."}`))
	msg.MetaSetMut("alert_id", "alerts-7")
	msg.MetaSetMut("alert_to", "a@example.com, B <b@example.com>")
	msg.MetaSetMut("alert_title", "new, critical:\r\nBcc: x@example.com Büro 101")
	return out.Write(t.Context(), msg)
}

const message = `
from: Buildings <buildmon@example.com>
to: ${! @alert_to }
subject: ${! @alert_title }
body: ${! this.text }
id: ${! @alert_id }
timeout: 1m
`

func TestMailArrives(t *testing.T) {
	authority := testcert.New(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte(authority.PEM), 0o600))
	security := &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "127.0.0.1", time.Now().Add(time.Hour)).Certificate}}
	for _, way := range []string{startTLS, implicitTLS} {
		t.Run(way, func(t *testing.T) {
			s := newServer(t, security, way == implicitTLS)
			require.NoError(t, send(t, message+"server: "+s.address+"\ntls: "+way+"\nroot_cas_file: "+file+"\nusername: buildmon\npassword: hunter2\n"))
			require.Len(t, s.mails, 1)
			m := s.mails[0]
			require.Equal(t, "buildmon", m.user)
			require.Equal(t, "buildmon@example.com", m.from)
			require.Equal(t, []string{"a@example.com", "b@example.com"}, m.to)
			require.Equal(t, "<alerts-7@example.com>", m.Header.Get("Message-ID"))
			require.Empty(t, m.Header.Get("Bcc"), "a title is no header")
			require.Contains(t, m.Header.Get("Subject"), "=?UTF-8?")
			when, err := m.Header.Date()
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), when, time.Minute)
			require.Contains(t, m.body, "Since half past nine.")
		})
	}
	t.Run("a server that is somebody else", func(t *testing.T) {
		s := newServer(t, security, false)
		require.ErrorContains(t, send(t, message+"server: "+s.address+"\n"), "certificate")
		require.Empty(t, s.mails)
	})
	t.Run("a server without TLS", func(t *testing.T) {
		s := newServer(t, nil, false)
		require.ErrorContains(t, send(t, message+"server: "+s.address+"\nusername: buildmon\npassword: hunter2\n"), "STARTTLS")
		require.Empty(t, s.mails)
		require.NoError(t, send(t, message+"server: "+s.address+"\ntls: none\n"))
		require.Len(t, s.mails, 1)
	})
	t.Run("what is refused is an error", func(t *testing.T) {
		s := newServer(t, nil, false)
		s.refuse = true
		require.ErrorContains(t, send(t, message+"server: "+s.address+"\ntls: none\n"), "no such mailbox")
		s = newServer(t, security, false)
		err := send(t, message+"server: "+s.address+"\nroot_cas_file: "+file+"\nusername: buildmon\npassword: swordfish\n")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "swordfish")
	})
}

func TestConfig(t *testing.T) {
	for config, want := range map[string]string{
		"server: smtp.example.com":                          `server is "smtp.example.com", want host:port`,
		"server: smtp.example.com:0":                        `server is "smtp.example.com:0", want host:port`,
		"server: a:25\nfrom: nobody":                        `from is "nobody", want an address`,
		"server: a:25\ntls: none\nusername: u\npassword: p": "a password is not sent without TLS",
		"server: a:25\nusername: u":                         "username and password need each other",
		"server: a:25\ntimeout: 0s":                         "timeout must be positive, got 0s",
		"server: a:25\nroot_cas_file: /nowhere":             "reading root_cas_file",
		"server: a:25\nroot_cas_file: output_test.go":       "there is no certificate in it",
	} {
		if !strings.Contains(config, "from:") {
			config += "\nfrom: a@example.com"
		}
		conf, err := spec().ParseYAML(config+"\nto: b@example.com\nsubject: s\n", nil)
		require.NoError(t, err, config)
		_, err = newFromConfig(conf)
		require.ErrorContains(t, err, want, config)
	}
}
