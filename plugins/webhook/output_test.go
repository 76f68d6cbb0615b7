package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func post(t *testing.T, config string) error {
	t.Helper()
	conf, err := spec().ParseYAML(config, nil)
	require.NoError(t, err)
	out, err := newFromConfig(conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close(t.Context())) }()
	require.NoError(t, out.Connect(t.Context()))
	msg := service.NewMessage([]byte(`{"text":"hot"}`))
	msg.MetaSetMut("alert_id", "alerts-7")
	return out.Write(t.Context(), msg)
}

func TestPost(t *testing.T) {
	status := http.StatusNoContent
	var got *http.Request
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "no "+r.RequestURI)
	}))
	config := "url: " + s.URL + "/hunter2?key=hunter3\nheaders: { Idempotency-Key: '${! @alert_id }' }\n"
	require.NoError(t, post(t, config))
	require.Equal(t, `{"text":"hot"}`, string(body))
	require.Equal(t, "POST", got.Method)
	require.Equal(t, "/hunter2?key=hunter3", got.RequestURI)
	require.Equal(t, "alerts-7", got.Header.Get("Idempotency-Key"))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))

	for _, status = range []int{http.StatusFound, http.StatusNotFound, http.StatusInternalServerError} {
		err := post(t, config)
		require.ErrorContains(t, err, "posting to "+s.URL+": it answered ")
		require.NotContains(t, err.Error(), "hunter")
		require.Equal(t, "/hunter2?key=hunter3", got.RequestURI, "redirects are not followed")
	}
	s.Close()
	err := post(t, config)
	require.ErrorContains(t, err, "posting to "+s.URL+": dial tcp")
	require.NotContains(t, err.Error(), "hunter")
	err = post(t, "url: 'ftp://localhost/hunter2'")
	require.EqualError(t, err, "the url to post to is not one of http or https")
}

func TestConfig(t *testing.T) {
	conf, err := spec().ParseYAML("url: http://localhost\ntimeout: 0s", nil)
	require.NoError(t, err)
	_, err = newFromConfig(conf)
	require.EqualError(t, err, "timeout must be positive, got 0s")
}
