package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is its own handler: with this variable set it relays every request it gets to the
// test process, which records it and decides the answer.
const relayVariable = "HOST_TEST_RELAY"

func TestMain(m *testing.M) {
	if relay := os.Getenv(relayVariable); relay != "" {
		runHandler(relay)
		return
	}
	code := m.Run()
	stopAzurite()
	os.Exit(code)
}

// seen is a request as the handler got it.
type seen struct {
	Method, URI, Host string
	Header            http.Header
	ContentLength     int64
	Chunked           bool
	Body              []byte
	PID               int
}

// answer is what the handler is to reply.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Stream []string // pieces, flushed one by one
}

// began is what a started handler reports about itself.
type began struct {
	Env []string
	Dir string
	PID int
}

func runHandler(relay string) {
	switch os.Getenv("HOST_TEST_MODE") {
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	case "late":
		time.Sleep(300 * time.Millisecond)
	}
	dir, _ := os.Getwd()
	send(relay+"/began", began{Env: os.Environ(), Dir: dir, PID: os.Getpid()}, nil)
	server := &http.Server{
		Addr:    "127.0.0.1:" + os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { relayRequest(relay, w, r) }),
	}
	fmt.Println("handler is up")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	}()
	<-ctx.Done()
	fmt.Println("handler got SIGTERM")
	_ = server.Shutdown(context.Background())
	fmt.Print("handler is done") // without a line end: flushed all the same
}

func send(url string, in, out any) {
	raw, _ := json.Marshal(in)
	reply, err := http.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer func() { _ = reply.Body.Close() }()
	if out != nil {
		_ = json.NewDecoder(reply.Body).Decode(out)
	}
}

func relayRequest(relay string, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && r.Header.Get(headerInvocation) == "" {
		w.WriteHeader(http.StatusTeapot) // any answer means ready
		return
	}
	body, _ := io.ReadAll(r.Body)
	var a answer
	send(relay+"/seen", seen{
		Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header, ContentLength: r.ContentLength,
		Chunked: len(r.TransferEncoding) > 0, Body: body, PID: os.Getpid(),
	}, &a)
	for key, values := range a.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(max(a.Status, 200))
	_, _ = io.WriteString(w, a.Body)
	for _, piece := range a.Stream {
		_, _ = io.WriteString(w, piece)
		w.(http.Flusher).Flush()
	}
}

// app is a function app under test: its files, its handler's answers, its log.
type app struct {
	t      testing.TB
	root   string
	relay  *httptest.Server
	onCall func(seen) answer

	mu     sync.Mutex
	begun  []began
	calls  []seen
	lines  []Line
	opts   Options
	host   *Host
	client *http.Client
}

// newApp lays out a script root. Files are given by path; host.json's executable is filled in.
func newApp(t testing.TB, hostJSON string, functions map[string]string) *app {
	t.Helper()
	a := &app{t: t, root: t.TempDir()}
	self, err := os.Executable()
	require.NoError(t, err)
	if hostJSON == "" {
		hostJSON = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"HANDLER"},"enableForwardingHttpRequest":true},"extensions":{"http":{"routePrefix":""}}}`
	}
	a.write("host.json", strings.ReplaceAll(hostJSON, "HANDLER", self))
	for name, text := range functions {
		a.write(name+"/function.json", text)
	}
	a.onCall = func(seen) answer { return jsonAnswer(`{}`) }
	a.relay = httptest.NewServer(http.HandlerFunc(a.serveRelay))
	t.Cleanup(func() { // not Close, which would wait for an answer that a failed test withholds
		a.relay.CloseClientConnections()
		_ = a.relay.Listener.Close()
	})
	a.opts = Options{
		ScriptRoot: a.root, Settings: map[string]string{relayVariable: a.relay.URL},
		Log: func(l Line) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.lines = append(a.lines, l)
		},
		TimerTick: 5 * time.Millisecond, BlobPollInterval: 50 * time.Millisecond, StopGrace: 5 * time.Second,
	}
	a.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return a
}

func (a *app) write(name, text string) {
	path := filepath.Join(a.root, name)
	require.NoError(a.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(a.t, os.WriteFile(path, []byte(text), 0o644))
}

func (a *app) serveRelay(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/began" {
		var b began
		_ = json.NewDecoder(r.Body).Decode(&b)
		a.mu.Lock()
		a.begun = append(a.begun, b)
		a.mu.Unlock()
		return
	}
	var s seen
	_ = json.NewDecoder(r.Body).Decode(&s)
	a.mu.Lock()
	a.calls = append(a.calls, s)
	a.mu.Unlock()
	_ = json.NewEncoder(w).Encode(a.onCall(s))
}

func (a *app) start() *Host {
	a.t.Helper()
	h, err := Start(a.t.Context(), a.opts)
	require.NoError(a.t, err)
	a.host = h
	a.t.Cleanup(func() { _ = h.Stop(context.Background()) })
	return h
}

func (a *app) seen() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.calls...)
}

// awaitCalls waits for n calls and returns them.
func (a *app) awaitCalls(n int) []seen {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return len(a.seen()) >= n }, 10*time.Second, 5*time.Millisecond, "calls of the handler")
	return a.seen()
}

func (a *app) logged(level Level, part string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lines {
		if l.Level == level && strings.Contains(l.Text, part) {
			return true
		}
	}
	return false
}

func (a *app) awaitLog(level Level, part string) {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return a.logged(level, part) }, 10*time.Second, 5*time.Millisecond, "log line %q", part)
}

// do sends one request to the public port and reads the whole answer.
func (a *app) do(method, target, body string, header ...string) (*http.Response, string) {
	a.t.Helper()
	r, err := http.NewRequest(method, "http://"+a.host.Addr()+target, strings.NewReader(body))
	require.NoError(a.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := a.client.Do(r)
	require.NoError(a.t, err)
	defer func() { _ = reply.Body.Close() }()
	raw, err := io.ReadAll(reply.Body)
	require.NoError(a.t, err)
	return reply, string(raw)
}

func jsonAnswer(body string) answer {
	return answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// envelopeOf decodes a call's envelope one level deep: what is a string stays one.
func envelopeOf(t testing.TB, s seen) (data, meta map[string]any) {
	t.Helper()
	var e struct{ Data, Metadata map[string]any }
	require.NoError(t, json.Unmarshal(s.Body, &e), "envelope %s", s.Body)
	return e.Data, e.Metadata
}

// httpFunction is the function.json of a forwarded HTTP function.
func httpFunction(trigger string) string {
	return `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"` + trigger + `},{"type":"http","direction":"out","name":"res"}]}`
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
