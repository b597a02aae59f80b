package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// written is a writer that may be read at the same time.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestLogBuffer(t *testing.T) {
	t.Parallel()
	var w written
	b := newLogBuffer(&w, func(line []byte) bool { return bytes.HasPrefix(line, []byte("!")) })
	line := func(text string) {
		t.Helper()
		n, err := b.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	line("one\n")
	require.Empty(t, w.String(), "a line waits for others")
	require.Eventually(t, func() bool { return w.String() == "one\n" }, 10*time.Second, time.Millisecond, "but not for long")
	line("two\n")
	line("!three\n")
	require.Equal(t, "one\ntwo\n!three\n", w.String(), "what is urgent goes at once, in its place")
	line("four\n")
	require.NoError(t, b.Flush())
	require.True(t, strings.HasSuffix(w.String(), "four\n"))

	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				_, _ = b.Write([]byte("line\n"))
			}
		})
	}
	group.Wait()
	require.NoError(t, b.Flush())
	require.Equal(t, 5000, strings.Count(w.String(), "\nline"))
}
