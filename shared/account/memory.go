package account

import (
	"sync"
	"time"
)

// maxRemembered bounds the memory; a full one is emptied, which costs a read each and is never wrong.
const maxRemembered = 4096

// memory remembers publishers for a short time. What is not found is not remembered.
type memory struct {
	now  func() time.Time
	life time.Duration

	mu    sync.Mutex
	known map[string]remembered
	wiped int // how often it was cleared, so that a read from before is not kept after
}

type remembered struct {
	publisher Publisher
	until     time.Time
}

func newMemory(now func() time.Time, life time.Duration) *memory {
	return &memory{now: now, life: life, known: map[string]remembered{}}
}

func (m *memory) get(key string, read func() (Publisher, error)) (Publisher, error) {
	now := m.now()
	m.mu.Lock()
	entry, ok := m.known[key]
	wiped := m.wiped
	m.mu.Unlock()
	// A clock that was set back must not keep an entry alive for longer.
	if ok && now.Before(entry.until) && !now.Before(entry.until.Add(-m.life)) {
		return entry.publisher, nil
	}
	p, err := read()
	if err != nil {
		return Publisher{}, err
	}
	p = p.normal()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wiped == wiped {
		if len(m.known) >= maxRemembered {
			clear(m.known)
		}
		m.known[key] = remembered{publisher: p, until: now.Add(m.life)}
	}
	return p, nil
}

func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	m.wiped++
}
