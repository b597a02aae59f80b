package store

import (
	"context"
	"sync"
	"time"
)

// markers gives acts their markers. A marker names a partition, so acts that come to a partition shortly after
// another one share its marker and write none.
type markers struct {
	journal *journal[markerData]

	mu     sync.Mutex
	shared map[place]*shared // partitions whose marker may be taken
}

// shared is the marker of a partition, or the one that is being written.
type shared struct {
	written chan struct{} // closed when marker and err are there
	marker  marker
	err     error
}

// markerShared is how long a marker may be taken, on the machine's clock; well below sweepAge.
const markerShared = 2 * time.Second

func newMarkers(db *DB) *markers {
	return &markers{journal: newJournal[markerData](db, markerPrefix, markersOfRow), shared: map[place]*shared{}}
}

// mark returns when a marker of the partition is durable. The caller ends it with DB.done.
func (m *markers) mark(ctx context.Context, at place) (marker, error) {
	m.mu.Lock()
	s := m.shared[at]
	if s == nil {
		s = &shared{written: make(chan struct{})}
		m.shared[at] = s
		m.mu.Unlock()
		return m.write(ctx, at, s)
	}
	m.mu.Unlock()
	select {
	case <-s.written:
	case <-ctx.Done():
		return marker{}, ctx.Err()
	}
	// A marker that has grown old because the clock was moved, or that has just ended, is not taken.
	if s.err != nil || !m.journal.young(s.marker) || !s.marker.take() {
		return m.journal.mark(ctx, markerData{at.table, at.partition})
	}
	return s.marker, nil
}

// write writes the marker that acts will share: one use of it is the caller's, another holds it for a while.
func (m *markers) write(ctx context.Context, at place, s *shared) (marker, error) {
	s.marker, s.err = m.journal.mark(ctx, markerData{at.table, at.partition})
	if s.err == nil && !s.marker.take() {
		panic("a marker ended before its first use")
	}
	close(s.written)
	if s.err != nil {
		m.forget(at, s)
		return marker{}, s.err
	}
	time.AfterFunc(markerShared, func() { m.release(at, s) })
	return s.marker, nil
}

// forget lets the partition get a new marker, and reports whether this one was still its.
func (m *markers) forget(at place, s *shared) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shared[at] != s {
		return false
	}
	delete(m.shared, at)
	return true
}

// release ends the time in which a marker may be taken, once.
func (m *markers) release(at place, s *shared) {
	if m.forget(at, s) {
		m.journal.db.done(s.marker)
	}
}

// releaseAll ends that time for all markers that are written.
func (m *markers) releaseAll() {
	m.mu.Lock()
	all := make(map[place]*shared, len(m.shared))
	for at, s := range m.shared {
		all[at] = s
	}
	m.mu.Unlock()
	for at, s := range all {
		select {
		case <-s.written:
			if s.err == nil {
				m.release(at, s)
			}
		default: // an act under way; its process goes on
		}
	}
}
