package sample_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/sample"
)

func start(t *testing.T, o sample.Options) *sample.Server {
	t.Helper()
	s, err := sample.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// call sends a request and gives status and body.
func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer abc")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Do(r)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply.StatusCode, string(text)
}

func TestWebhookIsRecorded(t *testing.T) {
	t.Parallel()
	at := time.Date(2021, 11, 22, 10, 0, 0, 0, time.UTC)
	s := start(t, sample.Options{Now: func() time.Time { return at }})
	status, _ := call(t, "POST", s.URL()+"/webhook", `{"action":"Suspend"}`)
	require.Equal(t, 200, status)
	call(t, "POST", s.URL()+"/lead", `not JSON`)

	got := s.Received("/webhook")
	require.Len(t, got, 1)
	require.Equal(t, at, got[0].At)
	require.Equal(t, "Bearer abc", got[0].Headers["Authorization"])
	require.JSONEq(t, `{"action":"Suspend"}`, string(got[0].JSON))
	require.Equal(t, 200, got[0].Status)
	require.Len(t, s.Received(""), 2)

	status, body := call(t, "GET", s.URL()+"/received?path=/lead", "")
	require.Equal(t, 200, status)
	var list []sample.Request
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list, 1)
	require.Equal(t, "not JSON", list[0].Body)
	require.Nil(t, list[0].JSON)

	status, _ = call(t, "DELETE", s.URL()+"/received", "")
	require.Equal(t, 204, status)
	_, body = call(t, "GET", s.URL()+"/received?path=/webhook", "")
	require.JSONEq(t, `[]`, body)
}

func TestOnlyTheLastThousandAreKept(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	for range 1001 {
		call(t, "POST", s.URL()+"/webhook", "")
	}
	got := s.Received("/webhook")
	require.Len(t, got, 1000)
	require.EqualValues(t, 2, got[0].ID)
	require.EqualValues(t, 1001, got[999].ID)
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	status, _ := call(t, "POST", s.URL()+"/lead", strings.Repeat("a", 1<<20))
	require.Equal(t, 200, status)
	status, _ = call(t, "POST", s.URL()+"/lead", strings.Repeat("a", 1<<20+1))
	require.Equal(t, 413, status)
	for range 20 { // 16 MiB of bodies are kept
		call(t, "POST", s.URL()+"/lead", strings.Repeat("a", 1<<20))
	}
	require.Len(t, s.Received("/lead"), 16)
}

func TestBehaviour(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	status, _ := call(t, "POST", s.URL()+"/behaviour", `[
		{"path":"/webhook","status":500,"times":2},
		{"path":"/webhook","status":302,"times":1,"headers":{"Location":"/lead"}},
		{"path":"/webhook","body":{"slow":true},"delayMs":20,"times":1},
		{"path":"/lead","status":503}]`)
	require.Equal(t, 200, status)
	for _, want := range []int{500, 500, 302, 200, 200} {
		got, body := call(t, "POST", s.URL()+"/webhook", "")
		require.Equal(t, want, got, body)
	}
	for range 3 { // without times: until told otherwise
		got, _ := call(t, "POST", s.URL()+"/lead", "")
		require.Equal(t, 503, got)
	}
	require.Len(t, s.Received("/lead"), 3, "failed calls are recorded, redirects not followed")
	call(t, "DELETE", s.URL()+"/behaviour", "")
	got, _ := call(t, "POST", s.URL()+"/lead", "")
	require.Equal(t, 200, got)
	_, body := call(t, "GET", s.URL()+"/behaviour", "")
	require.JSONEq(t, `[]`, body)
}

func TestBehaviourRefusesWhatWouldDoNothing(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	for _, body := range []string{
		``, `{`, `{"path":"/other"}`, `{"path":"/webhook","stauts":500}`, `{"path":"/webhook","status":99}`,
		`{"path":"/webhook","status":600}`, `{"path":"/webhook","times":-1}`, `{"path":"/webhook","delayMs":-1}`,
		`{"path":"/webhook","delayMs":3600001}`, `{"path":"/webhook","acknowledge":"success"}`, `{"path":"/lead","acknowledge":"Success"}`,
	} {
		status, _ := call(t, "POST", s.URL()+"/behaviour", body)
		require.Equal(t, 400, status, body)
	}
}

func TestNeverAnswerAndAbort(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	require.NoError(t, s.Behave(
		sample.Behaviour{Path: "/webhook", NeverAnswer: true, Times: 1}, sample.Behaviour{Path: "/webhook", Abort: true, Times: 1}))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/webhook", nil)
		_, err := http.DefaultClient.Do(r)
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(s.Received("/webhook")) == 1 }, 5*time.Second, time.Millisecond)
	require.Empty(t, failed, "no answer yet")
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)

	_, err := http.Post(s.URL()+"/webhook", "", nil)
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, s.Received("/webhook")[1].Status)
}

func TestStopLetsGoOfHeldConnections(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	require.NoError(t, s.Behave(sample.Behaviour{Path: "/webhook", NeverAnswer: true}))
	failed := make(chan error, 1)
	go func() {
		_, err := http.Post(s.URL()+"/webhook", "", nil)
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(s.Received("/webhook")) == 1 }, 5*time.Second, time.Millisecond)
	s.Stop()
	require.Error(t, <-failed)
	s.Stop()
}

func TestWorkflows(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	const body = `{"sessionId":"b8c8693e-5673-449c-badd-257a405a6dee","userEmail":"a@b.example"}`
	status, first := call(t, "POST", s.URL()+"/testdrive/assign", body)
	require.Equal(t, 200, status)
	var answer struct {
		Outputs struct{ URL, Username, Password string }
	}
	require.NoError(t, json.Unmarshal([]byte(first), &answer))
	require.NotEmpty(t, answer.Outputs.URL)
	require.NotEmpty(t, answer.Outputs.Username)
	_, again := call(t, "POST", s.URL()+"/testdrive/assign", body)
	require.Equal(t, first, again)

	require.NoError(t, s.Behave(sample.Behaviour{Path: "/testdrive/assign", Status: 202, Body: json.RawMessage(`{"outputs":{"x":"y"}}`)}))
	status, text := call(t, "POST", s.URL()+"/testdrive/assign", body)
	require.Equal(t, 202, status)
	require.JSONEq(t, `{"outputs":{"x":"y"}}`, text)

	status, _ = call(t, "POST", s.URL()+"/testdrive/deprovision", body)
	require.Equal(t, 200, status)
	for _, bad := range []string{``, `{}`, `[]`, `{"sessionId":7}`} {
		status, _ = call(t, "POST", s.URL()+"/testdrive/deprovision", bad)
		require.Equal(t, 400, status, bad)
	}
	require.Len(t, s.Received("/testdrive/deprovision"), 5)
}

const expired = "We couldn&#39;t identify this purchase. Please reopen this SaaS subscription"

func TestLandingShowsTheDecodedToken(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	status, page := call(t, "GET", s.URL()+"/landing?plan=a&token=ab%2Bcd%2Fef%3Cb%3E", "")
	require.Equal(t, 200, status)
	require.Contains(t, page, "ab&#43;cd/ef&lt;b&gt;")
	got := s.Received("/landing")
	require.Equal(t, "ab+cd/ef<b>", got[0].Token) // FUL-18
	require.Equal(t, "a", got[0].Query["plan"])

	status, page = call(t, "GET", s.URL()+"/landing", "")
	require.Equal(t, 400, status)
	require.Contains(t, page, expired) // FUL-26
}

func TestOverviewAndMethods(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	status, page := call(t, "GET", s.URL()+"/", "")
	require.Equal(t, 200, status)
	require.Contains(t, page, "/received?path=")
	require.NotContains(t, page, "src=", "everything is in the page")
	require.NotContains(t, page, "//127", "everything is in the page")
	status, _ = call(t, "GET", s.URL()+"/webhook", "")
	require.Equal(t, 405, status)
	status, _ = call(t, "GET", s.URL()+"/nothing", "")
	require.Equal(t, 404, status)
}

func TestEndOfContextStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := sample.Start(ctx, sample.Options{})
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool {
		_, err := http.Get(s.URL() + "/")
		return err != nil
	}, 5*time.Second, 5*time.Millisecond)
	_, err = sample.Start(t.Context(), sample.Options{Port: 70000})
	require.Error(t, err)
}
