package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Storage is a proxy before one storage service.
type Storage struct {
	script    *Script
	target    string // host:port
	transport *http.Transport
	listener  net.Listener
	server    *http.Server
}

// StartStorage listens on a free loopback port and passes requests on to a service at 127.0.0.1:port.
//
// The Host header stays that of the proxy and the path is not touched, so that signatures stay valid: what is signed
// is the path with the account's name, and no host.
func StartStorage(script *Script, port int) (*Storage, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the storage proxy: %w", err)
	}
	p := &Storage{
		script: script, target: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), listener: l,
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 128},
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 30 * time.Second}
	go func() { _ = p.server.Serve(l) }() // ends with Stop
	return p, nil
}

// Port is where the proxy listens.
func (p *Storage) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Stop closes the proxy and its connections.
func (p *Storage) Stop() {
	_ = p.server.Close()
	p.transport.CloseIdleConnections()
}

// serve decides about a request and passes it on, or does not.
func (p *Storage) serve(w http.ResponseWriter, r *http.Request) {
	switch fault := p.script.next(Operation{Method: r.Method, Target: r.URL.Path}); fault {
	case Refuse:
		header, body := busyAnswer(r.Header.Get("Accept"))
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(body)
	case TimeOut:
		wait(r.Context(), p.script.hold())
		cut()
	case Kill:
		p.script.die()
		cut()
	case Lose, KillLate:
		if reply, err := p.forward(r); err == nil {
			_, _ = io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
		}
		if fault == KillLate {
			p.script.die()
		}
		cut()
	default:
		p.pass(w, r)
	}
}

// cut ends the connection without an answer.
func cut() { panic(http.ErrAbortHandler) }

// pass forwards a request and gives back its answer.
func (p *Storage) pass(w http.ResponseWriter, r *http.Request) {
	reply, err := p.forward(r)
	if err != nil {
		cut()
	}
	defer reply.Body.Close()
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.StatusCode)
	if _, err := io.Copy(w, reply.Body); err != nil {
		cut()
	}
}

// forward sends the request to the service. A program that dies meanwhile does not take it back.
func (p *Storage) forward(r *http.Request) (*http.Response, error) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", p.target, ""
	out.Header.Del("Connection")
	return p.transport.RoundTrip(out)
}

// wait returns after a while, or when nobody waits any more.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
