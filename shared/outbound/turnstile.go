package outbound

import (
	"context"
	"sync"
)

// turnstile lets PerHost calls per host through at the same time. It remembers only hosts that are being called.
type turnstile struct {
	mu    sync.Mutex
	hosts map[string]*gate
}

type gate struct {
	users int
	turns chan struct{}
}

// enter waits for a turn; after nil the caller must leave.
func (t *turnstile) enter(ctx context.Context, host string) error {
	t.mu.Lock()
	if t.hosts == nil {
		t.hosts = map[string]*gate{}
	}
	g := t.hosts[host]
	if g == nil {
		g = &gate{turns: make(chan struct{}, PerHost)}
		t.hosts[host] = g
	}
	g.users++
	t.mu.Unlock()
	select {
	case g.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.drop(host)
		return ctx.Err()
	}
}

func (t *turnstile) leave(host string) {
	t.mu.Lock()
	g := t.hosts[host]
	t.mu.Unlock()
	<-g.turns
	t.drop(host)
}

func (t *turnstile) drop(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.hosts[host]
	g.users--
	if g.users == 0 {
		delete(t.hosts, host)
	}
}
