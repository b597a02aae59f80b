package store

import (
	"context"
	"sync"
	"time"
)

// batcher collects items while earlier ones are being worked on, so that the busier it gets the larger its
// batches grow. It has a goroutine only while there is work.
type batcher[T any] struct {
	size    int           // most items of a batch
	workers int           // batches worked on at the same time
	linger  time.Duration // waited for more items before a batch that is not full
	run     func([]T)

	mu      sync.Mutex
	waiting []T
	running int
	idle    []chan struct{} // closed when all is done
	hurry   chan struct{}   // ends the linger
}

func newBatcher[T any](size, workers int, run func([]T)) *batcher[T] {
	return &batcher[T]{size: size, workers: workers, run: run, hurry: make(chan struct{}, 1)}
}

// lingering makes the batcher wait for more items before it works on a batch that is not full.
func (b *batcher[T]) lingering(d time.Duration) *batcher[T] {
	b.linger = d
	return b
}

func (b *batcher[T]) add(items ...T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, items...)
	if len(b.waiting) > 0 && b.running < b.workers {
		b.running++
		go b.work()
	}
	if len(b.waiting) >= b.size {
		b.hurryUp()
	}
}

func (b *batcher[T]) work() {
	for {
		if b.linger > 0 && !b.full() {
			select {
			case <-time.After(b.linger):
			case <-b.hurry:
			}
		}
		batch := b.next()
		if batch == nil {
			return
		}
		b.run(batch)
	}
}

// full reports whether there is nothing to wait for: a whole batch, or no item at all.
func (b *batcher[T]) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0 || len(b.waiting) >= b.size
}

// next takes a batch, or ends the worker.
func (b *batcher[T]) next() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := min(len(b.waiting), b.size); n > 0 {
		batch := append([]T(nil), b.waiting[:n]...)
		b.waiting = b.waiting[n:]
		return batch
	}
	b.waiting = nil
	b.running--
	if b.running == 0 {
		for _, c := range b.idle {
			close(c)
		}
		b.idle = nil
	}
	return nil
}

func (b *batcher[T]) hurryUp() {
	select {
	case b.hurry <- struct{}{}:
	default:
	}
}

// wait returns when there is nothing to do, or when the context ends.
func (b *batcher[T]) wait(ctx context.Context) error {
	b.mu.Lock()
	if b.running == 0 {
		b.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	b.idle = append(b.idle, c)
	b.mu.Unlock()
	b.hurryUp()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
