package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Server is an Issuer that listens on loopback.
type Server struct {
	*Issuer
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// Start listens on loopback and serves until Stop or the end of ctx. The URLs of the fixtures and of discovery
// are those of the address it got.
func Start(ctx context.Context, options Options) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(options.Port)))
	if err != nil {
		return nil, fmt.Errorf("identity stand-in: %w", err)
	}
	if options.Authority == "" {
		options.Authority = "http://" + listener.Addr().String()
	}
	issuer, err := New(options)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("identity stand-in: %w", err)
	}
	issuer.options.Fixtures = issuer.options.Fixtures.WithURLs(options.Authority, "")
	s := &Server{
		Issuer: issuer, listener: listener, done: make(chan struct{}),
		server: &http.Server{Handler: issuer.Handler(), ReadHeaderTimeout: 10 * time.Second},
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			issuer.options.Log.Error("identity stand-in ended", "error", err)
		}
	}()
	context.AfterFunc(ctx, s.Stop)
	return s, nil
}

// Addr is the address it listens on, host and port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base URL, the authority of its tokens' endpoints.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Stop ends the server; requests that are under way get a moment to finish. It may be called more than once.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.server.Close()
	}
	<-s.done
}
