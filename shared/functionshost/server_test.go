package functionshost

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func open(t *testing.T, patience time.Duration) *Server {
	t.Helper()
	s, err := listen([]string{"FUNCTIONS_CUSTOMHANDLER_PORT=0"}, patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// get asks the server for a path; what went wrong is status 0.
func get(s *Server, path string) (status int, body string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.Addr() + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestPortOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, environ, want string }{
		{"HST-1 the host's setting", "A=b FUNCTIONS_CUSTOMHANDLER_PORT=7 FUNCTIONS_HTTPWORKER_PORT=8", "7"},
		{"HST-1 the older one", "FUNCTIONS_HTTPWORKER_PORT=8", "8"},
		{"HST-1 the older one beside an empty one", "FUNCTIONS_CUSTOMHANDLER_PORT= FUNCTIONS_HTTPWORKER_PORT=8", "8"},
		{"none", "A=b", ""},
		{"not a port", "FUNCTIONS_CUSTOMHANDLER_PORT=x", ""},
		{"over the last port", "FUNCTIONS_CUSTOMHANDLER_PORT=65536", ""},
		{"an address", "FUNCTIONS_CUSTOMHANDLER_PORT=0.0.0.0:80", ""},
	} {
		got, err := portOf(strings.Fields(row.environ))
		require.Equal(t, row.want, got, row.name)
		require.Equal(t, row.want == "", err != nil, row.name)
	}
	_, err := Listen(nil)
	require.ErrorContains(t, err, "FUNCTIONS_CUSTOMHANDLER_PORT")
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	_, port, _ := strings.Cut(open(t, time.Second).Addr(), ":")
	_, err := Listen([]string{"FUNCTIONS_CUSTOMHANDLER_PORT=" + port})
	require.Error(t, err)
}

// HST-2: the host's question is answered before the application is there, everything else waits for it.
func TestReadyBeforeTheApplication(t *testing.T) {
	t.Parallel()
	s := open(t, time.Minute)
	require.True(t, strings.HasPrefix(s.Addr(), "127.0.0.1:"), "loopback only")
	status, _ := get(s, "/")
	require.Equal(t, 200, status)
	waiting := make(chan int)
	go func() { status, _ := get(s, "/x"); waiting <- status }()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	}()
	require.Equal(t, http.StatusTeapot, <-waiting)
	status, _ = get(s, "/")
	require.Equal(t, 200, status)
	stop()
	require.NoError(t, <-done)
	status, _ = get(s, "/")
	require.Zero(t, status, "closed")
}

func TestApplicationThatNeverComes(t *testing.T) {
	t.Parallel()
	s := open(t, time.Millisecond)
	status, body := get(s, "/x")
	require.Equal(t, 503, status)
	require.Contains(t, body, "Starting")
	require.NoError(t, s.Close())
	require.Error(t, s.Serve(context.Background(), http.NotFoundHandler()))
}

// HST-4: work in flight is finished, and what does not end within the grace is told to.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		grace time.Duration
		free  bool // the work ends by itself
	}{
		{"HST-4 work in flight is finished", time.Minute, true},
		{"HST-4 work that does not end is cancelled", time.Millisecond, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, time.Minute)
			s.Grace = row.grace
			ctx, stop := context.WithCancel(context.Background())
			started, release := make(chan struct{}), make(chan struct{})
			done, answered := make(chan error), make(chan string)
			go func() {
				done <- s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(started)
					select {
					case <-release:
						_, _ = io.WriteString(w, "finished")
					case <-r.Context().Done():
						_, _ = io.WriteString(w, "cancelled")
					}
				}))
			}()
			go func() { _, body := get(s, "/x"); answered <- body }()
			<-started
			stop()
			require.Eventually(t, func() bool { status, _ := get(s, "/"); return status == 0 }, 5*time.Second, 10*time.Millisecond, "accepts nothing new")
			if row.free {
				close(release)
				require.Equal(t, "finished", <-answered)
			} else {
				require.Equal(t, "cancelled", <-answered)
			}
			require.NoError(t, <-done)
		})
	}
}

// A handler that heeds nothing cannot keep the process.
func TestDrainOfTheDeaf(t *testing.T) {
	t.Parallel()
	s := open(t, time.Minute)
	s.Grace = time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	started, never := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(never) })
	done := make(chan error)
	go func() {
		done <- s.Serve(ctx, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(started); <-never }))
	}()
	go get(s, "/x")
	<-started
	stop()
	require.NoError(t, <-done)
}
