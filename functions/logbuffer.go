package main

import (
	"bufio"
	"io"
	"sync"
	"time"
)

// logBuffer gathers log lines, because a write for each request is a good part of what a read costs. They go out
// when the buffer is full, at once with a line that is more than information, and otherwise a moment later: a
// process that is killed loses as much.
type logBuffer struct {
	mu     sync.Mutex
	out    *bufio.Writer
	timer  *time.Timer // runs while something is in the buffer
	urgent func(line []byte) bool
}

const (
	logBufferSize = 64 << 10
	logMoment     = 50 * time.Millisecond
)

func newLogBuffer(w io.Writer, urgent func(line []byte) bool) *logBuffer {
	return &logBuffer{out: bufio.NewWriterSize(w, logBufferSize), urgent: urgent}
}

// Write takes one line.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.out.Write(line)
	if err != nil || b.urgent(line) {
		b.stop()
		return n, b.out.Flush()
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(logMoment, func() { _ = b.Flush() })
	}
	return n, nil
}

// Flush writes what is there.
func (b *logBuffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop()
	return b.out.Flush()
}

func (b *logBuffer) stop() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}
