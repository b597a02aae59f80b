package functionshost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Server is the handler's port. It listens from the start and serves when the application is ready.
type Server struct {
	// Grace is how long work in flight may take after the end was asked for, before its context is cancelled.
	Grace time.Duration

	listener net.Listener
	server   *http.Server
	cancel   context.CancelFunc // of all requests
	patience time.Duration      // how long a request waits for the application
	ready    chan struct{}      // closed when handler is set
	handler  atomic.Pointer[http.Handler]
	failed   chan error
}

const (
	defaultGrace    = 20 * time.Second
	defaultPatience = 25 * time.Second // below the 30 s the host waits for us (HST-2)
	maxHeader       = 64 << 10
)

// Listen opens the port that the host picked (HST-1) on loopback and answers GET / from then on, so that the
// host finds the handler ready while it is still being put together (HST-2). Other requests wait for Serve, and
// get 503 when that takes too long. Environ is the environment as os.Environ gives it.
func Listen(environ []string) (*Server, error) { return listen(environ, defaultPatience) }

func listen(environ []string, patience time.Duration) (*Server, error) {
	port, err := portOf(environ)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("listen for the host: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		Grace: defaultGrace, listener: listener, cancel: cancel, patience: patience,
		ready: make(chan struct{}), failed: make(chan error, 1),
	}
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.gate),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
	}
	go func() { s.failed <- s.server.Serve(listener) }()
	return s, nil
}

// portOf reads the port from the setting of the host, or its older name (HST-1).
func portOf(environ []string) (string, error) {
	const setting, older = "FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"
	values := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	name := setting
	if values[setting] == "" {
		name = older
	}
	if values[name] == "" {
		return "", fmt.Errorf("%s is not set; the Functions host sets it", setting)
	}
	if n, err := strconv.ParseUint(values[name], 10, 16); err != nil {
		return "", fmt.Errorf("%s is %q: must be a port", name, values[name])
	} else {
		return strconv.FormatUint(n, 10), nil
	}
}

// Addr is where the server listens, "127.0.0.1:7071".
func (s *Server) Addr() string { return s.listener.Addr().String() }

// gate answers the host's question and holds everything else back until the application is there.
func (s *Server) gate(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		write(w, http.StatusOK, []byte("{}")) // HST-2
		return
	}
	if h := s.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	patience := time.NewTimer(s.patience)
	defer patience.Stop()
	select {
	case <-s.ready:
		(*s.handler.Load()).ServeHTTP(w, r)
	case <-patience.C:
		w.Header().Set("Retry-After", "5")
		write(w, http.StatusServiceUnavailable, []byte(`{"error":{"code":"Starting","message":"The service is starting. Try again."}}`))
	case <-r.Context().Done():
	}
}

// Serve serves until ctx ends, which the program lets SIGTERM do. Then it accepts nothing new, lets what is in
// flight finish within Grace (HST-4), cancels what is left and returns nil. Call it once.
func (s *Server) Serve(ctx context.Context, handler http.Handler) error {
	s.handler.Store(&handler)
	close(s.ready)
	select {
	case err := <-s.failed:
		s.cancel()
		return fmt.Errorf("serve the host: %w", err)
	case <-ctx.Done():
	}
	defer s.cancel()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer stop()
	if err := s.server.Shutdown(grace); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.cancel()
	// What heeds its context may still answer.
	last, stopLast := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stopLast()
	if err := s.server.Shutdown(last); err != nil {
		return s.server.Close()
	}
	return nil
}

// Close gives the port up at once, for a start that went wrong.
func (s *Server) Close() error {
	s.cancel()
	return s.server.Close()
}
