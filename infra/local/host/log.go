package host

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Level is the severity of a log line, in the host's own words.
type Level string

// The levels the host uses.
const (
	Information Level = "Information"
	Warning     Level = "Warning"
	Error       Level = "Error"
)

// Line is one line of the host's log: its own words, or a line the handler wrote (HST-4).
type Line struct {
	Time     time.Time
	Level    Level
	Source   string // "host", "handler", or a function's name
	Function string // the function it is about, if any
	Text     string
}

// String returns the line as it is shown on a console.
func (l Line) String() string {
	return fmt.Sprintf("[%s] %-11s %s: %s", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Level, l.Source, l.Text)
}

// WriteLines returns a log sink for Options.Log that prints every line to w.
func WriteLines(w io.Writer) func(Line) {
	var mu sync.Mutex
	return func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintln(w, l.String())
	}
}

func (h *Host) logf(level Level, format string, args ...any) {
	h.emit(Line{Level: level, Source: "host", Text: fmt.Sprintf(format, args...)})
}

func (h *Host) logFunction(level Level, function, format string, args ...any) {
	h.emit(Line{Level: level, Source: function, Function: function, Text: fmt.Sprintf(format, args...)})
}

func (h *Host) emit(l Line) {
	if h.opts.Log == nil {
		return
	}
	l.Time = time.Now()
	h.opts.Log(l)
}

// lineWriter turns the bytes of a process's output into log lines (HST-4).
type lineWriter struct {
	mu      sync.Mutex
	pending []byte
	emit    func(string)
}

// maxLine bounds what an output without line ends may hold back.
const maxLine = 64 << 10

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, p...)
	for {
		i := strings.IndexByte(string(w.pending), '\n')
		if i < 0 && len(w.pending) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			w.emit(string(w.pending))
			w.pending = w.pending[:0]
			return len(p), nil
		}
		w.emit(strings.TrimRight(string(w.pending[:i]), "\r"))
		w.pending = w.pending[i+1:]
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 {
		w.emit(string(w.pending))
		w.pending = nil
	}
}
