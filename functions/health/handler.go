// Package health answers whether the handler and what it depends on are well: GET /healthz.
//
// Every check is asked at the same time and has three seconds. One that fails makes it 503; the answer names the
// check and says no more, because anyone may ask.
package health

import (
	"context"
	"net/http"
	"sync"
	"time"

	"stoa/shared/web"
)

// Pinger is one dependency; it is well when Ping returns nil.
type Pinger interface {
	Ping(ctx context.Context) error
}

// PingFunc is a Pinger that is a function.
type PingFunc func(ctx context.Context) error

// Ping implements Pinger.
func (f PingFunc) Ping(ctx context.Context) error { return f(ctx) }

// Handler serves /healthz.
type Handler struct {
	Checks map[string]Pinger // by name: table, blob, bus
}

const patience = 3 * time.Second

// Routes mounts /healthz.
func (h *Handler) Routes(rt *web.Router) {
	rt.API(web.API{Prefix: "/healthz"}).Handle("GET", "/healthz", web.Open(), h.show)
}

type answer struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	a, status := answer{Status: "ok", Checks: map[string]string{}}, http.StatusOK
	for name, err := range h.ask(r.Context()) {
		a.Checks[name] = "ok"
		if err != nil {
			a.Checks[name], a.Status, status = "failed", "failed", http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return web.WriteJSON(w, status, a)
}

// ask asks all at once. A check that does not answer in time has failed, whatever it does later.
func (h *Handler) ask(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	var wait sync.WaitGroup
	found := map[string]error{}
	for name, p := range h.Checks {
		done := make(chan error, 1)
		go func() { done <- p.Ping(ctx) }()
		wait.Go(func() {
			var err error
			select {
			case err = <-done:
			case <-ctx.Done():
				err = ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			found[name] = err
		})
	}
	wait.Wait()
	return found
}
