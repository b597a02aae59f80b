package sample

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxBody bounds the body of every request.
const maxBody = 1 << 20

// Options say how the sample publisher runs. The zero value works, with a landing page that shows the token and
// does not resolve it.
type Options struct {
	Port        int              // loopback port; 0 takes a free one
	Marketplace *Marketplace     // where landing tokens are resolved; nil until Connect
	Now         func() time.Time // stamps what is received; nil takes the machine's clock
	Log         *slog.Logger     // nil logs nothing
}

// Server is the sample publisher, listening on loopback.
type Server struct {
	options     Options
	marketplace atomic.Pointer[Marketplace]
	received    *record
	script      *script
	listener    net.Listener
	server      *http.Server
	stopping    chan struct{} // closed when Stop begins
	stop        sync.Once
	done        chan struct{}
}

// Start listens on loopback and serves until Stop or the end of ctx.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(options.Port)))
	if err != nil {
		return nil, fmt.Errorf("sample publisher: %w", err)
	}
	s := &Server{
		options: options, received: newRecord(), script: newScript(), listener: listener,
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
	s.marketplace.Store(options.Marketplace)
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			options.Log.Error("sample publisher ended", "error", err)
		}
	}()
	context.AfterFunc(ctx, s.Stop)
	return s, nil
}

// Connect tells it the marketplace from now on, for a publisher that is there before its marketplace.
func (s *Server) Connect(m Marketplace) { s.marketplace.Store(&m) }

// Addr is the address it listens on, host and port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base URL.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Stop ends the server and lets go of held connections. It may be called more than once.
func (s *Server) Stop() {
	s.stop.Do(func() { close(s.stopping) })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.server.Close()
	}
	<-s.done
}

// Received lists what came to a path, or to all when it is empty, oldest first. Only the last 1000 of each path
// are kept.
func (s *Server) Received(path string) []Request { return s.received.list(path) }

// Forget drops what came to a path, or to all when it is empty.
func (s *Server) Forget(path string) { s.received.clear(path) }

// Behave replaces how the named paths answer. Several behaviours of one path follow each other.
func (s *Server) Behave(all ...Behaviour) error { return s.script.set(all) }

// Reset makes all paths answer as usual again.
func (s *Server) Reset() { s.script.clear() }

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /landing", s.receive(s.landing))
	mux.HandleFunc("POST /activate", s.activate)
	mux.HandleFunc("POST /webhook", s.receive(empty))
	mux.HandleFunc("POST /lead", s.receive(empty))
	mux.HandleFunc("POST /testdrive/assign", s.receive(assign))
	mux.HandleFunc("POST /testdrive/deprovision", s.receive(deprovision))
	mux.HandleFunc("POST /offer", s.publish)
	mux.HandleFunc("POST /behaviour", s.behave)
	mux.HandleFunc("GET /behaviour", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.script.pending())
	})
	mux.HandleFunc("DELETE /behaviour", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /received", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.Received(r.URL.Query().Get("path")))
	})
	mux.HandleFunc("DELETE /received", func(w http.ResponseWriter, r *http.Request) {
		s.Forget(r.URL.Query().Get("path"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /{$}", overview)
	return mux
}

// answer is the usual answer of a path.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// receive records a call and answers it, as usual or as the script says.
func (s *Server) receive(usual func(*http.Request, Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			http.Error(w, "the body is larger than 1 MiB", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			return // the caller left
		}
		q := describe(r, body, s.options.Now().UTC())
		if q.Path == "/landing" {
			q.Token = q.Query["token"]
		}
		b := s.script.next(q.Path)
		q.Acknowledged = s.acknowledged(r.Context(), q, b)
		reply := s.reply(r, q, b, usual)
		q.Status = reply.status
		s.received.add(q)
		s.options.Log.InfoContext(r.Context(), "received", "path", q.Path, "status", q.Status, "bytes", len(body))
		if !s.hold(r, b) {
			panic(http.ErrAbortHandler) // cuts the connection without an answer
		}
		for name, value := range b.Headers {
			w.Header().Set(name, value)
		}
		write(w, reply)
	}
}

func write(w http.ResponseWriter, a answer) {
	if len(a.body) > 0 {
		w.Header().Set("Content-Type", a.contentType)
	}
	w.WriteHeader(a.status)
	// The caller may have gone; there is nobody left to tell.
	_, _ = w.Write(a.body)
}

// reply is the answer to a call under a behaviour; status 0 is none.
func (s *Server) reply(r *http.Request, q Request, b Behaviour, usual func(*http.Request, Request) answer) answer {
	if b.NeverAnswer || b.Abort {
		return answer{}
	}
	reply := answer{status: b.Status, contentType: "application/json"}
	if b.Status == 0 || b.Status == http.StatusOK {
		reply = usual(r, q)
	}
	if len(b.Body) > 0 {
		reply.contentType, reply.body = "application/json", b.Body
	}
	return reply
}

// behave takes one behaviour or a list.
func (s *Server) behave(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is larger than 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	var all []Behaviour
	if text := strings.TrimSpace(string(body)); strings.HasPrefix(text, "[") {
		err = strictly(text, &all)
	} else {
		all = make([]Behaviour, 1)
		err = strictly(text, &all[0])
	}
	if err == nil {
		err = s.Behave(all...)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s.script.pending())
}

// strictly decodes JSON and refuses members that are not known: a mistyped one would do nothing, unseen.
func strictly(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The caller may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}
