package dashboards

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// standIn answers as Grafana does, as far as push asks.
type standIn struct {
	folders []map[string]string
	stored  map[string]string // uid of a dashboard to the uid of its folder
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, value any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	user, password, _ := r.BasicAuth()
	if r.Header.Get("Authorization") != "Bearer secret-token" && (user != "admin" || password != "secret-password") {
		answer(http.StatusUnauthorized, map[string]string{"message": "Invalid username or password"})
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /api/datasources/uid/buildmon", "GET /api/datasources/uid/own":
		answer(http.StatusOK, map[string]string{"type": "grafana-postgresql-datasource"})
	case "GET /api/datasources/uid/loki":
		answer(http.StatusOK, map[string]string{"type": "loki"})
	case "GET /api/folders":
		answer(http.StatusOK, s.folders)
	case "POST /api/folders":
		var made map[string]string
		_ = json.NewDecoder(r.Body).Decode(&made)
		made["uid"] = "f1"
		s.folders = append(s.folders, made)
		answer(http.StatusOK, made)
	case "POST /api/dashboards/db":
		var body struct {
			Dashboard struct{ UID string }
			FolderUID string
			Overwrite bool
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		if _, there := s.stored[body.Dashboard.UID]; there && !body.Overwrite {
			answer(http.StatusPreconditionFailed, map[string]string{"message": "The dashboard has been changed by someone else"})
			return
		}
		s.stored[body.Dashboard.UID] = body.FolderUID
		answer(http.StatusOK, map[string]string{"url": "/d/" + body.Dashboard.UID + "/x"})
	default:
		answer(http.StatusNotFound, map[string]string{"message": "Not found"})
	}
}

func TestPush(t *testing.T) {
	s := &standIn{folders: []map[string]string{}, stored: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for _, who := range []credentials{{token: "secret-token"}, {user: "admin", password: "secret-password"}} {
		g, err := newGrafana(server.URL, who, time.Minute)
		require.NoError(t, err)
		addresses, err := g.push(t.Context(), "buildings", "buildmon")
		require.NoError(t, err)
		require.Len(t, addresses, 8)
		require.Equal(t, server.URL+"/d/buildmon-portfolio/x", addresses[0])
	}
	require.Len(t, s.folders, 1, "the second push finds the folder")
	require.Len(t, s.stored, 8)
	require.Equal(t, "f1", s.stored["buildmon-room"])
}

func TestPushSaysWhatIsWrong(t *testing.T) {
	server := httptest.NewServer(&standIn{stored: map[string]string{}})
	t.Cleanup(server.Close)
	f := func(who credentials, datasource, want string) {
		t.Helper()
		g, err := newGrafana(server.URL, who, time.Minute)
		require.NoError(t, err)
		_, err = g.push(t.Context(), "buildings", datasource)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	f(credentials{token: "secret-wrong"}, "buildmon", "401 Unauthorized: Invalid username or password")
	f(credentials{token: "secret-token"}, "none", "404 Not Found")
	f(credentials{token: "secret-token"}, "loki", `of type "loki"`)
	f(credentials{token: "secret-token"}, "", "datasource must not be empty")
}

func TestAddressAndCredentials(t *testing.T) {
	f := func(address string, who credentials, want string) {
		t.Helper()
		_, err := newGrafana(address, who, time.Second)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	token := credentials{token: "secret"}
	f("localhost:3000", token, "not an address")
	f("http://me:secret@localhost:3000", token, "must not hold a password")
	f("http://me:secret@local host:3000", token, "not an address")
	f("http://localhost:3000", credentials{}, "GRAFANA_TOKEN")
	require.Equal(t, credentials{"t", "u", "p"}, credentialsFrom(func(name string) string {
		return map[string]string{"GRAFANA_TOKEN": "t", "GRAFANA_USER": "u", "GRAFANA_PASSWORD": "p"}[name]
	}))
}

func TestGenerate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	written, err := Generate(dir, "own", true)
	require.NoError(t, err)
	require.Len(t, written, 9)
	text, err := os.ReadFile(filepath.Join(dir, "buildmon-portfolio.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"uid": "own"`)
	require.NotContains(t, string(text), `"uid": "buildmon"`)

	var provisioned struct {
		Providers []struct{ Options struct{ Path string } }
	}
	text, err = os.ReadFile(filepath.Join(dir, "buildmon.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &provisioned))
	require.Equal(t, dir, provisioned.Providers[0].Options.Path)
}
