// Package clock gives the one clock that is injected everywhere: the machine's, or in the local stack one that
// can be moved.
//
// The moved clock is the machine's clock plus an offset that is kept in a small file, so that every process of
// the local stack (host, handler, issuer) sees the same time and a restarted process goes on where it was.
package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// System is the machine's clock in UTC.
func System() time.Time { return time.Now().UTC() }

// Moved is a clock that runs with the machine's, ahead by an offset that only grows.
// It is safe for concurrent use, also by several processes that share the file.
type Moved struct {
	path string

	mu      sync.Mutex
	checked time.Time // when the file was last looked at
	written time.Time // modification time of the file as last read
	offset  time.Duration
}

type movedState struct {
	Offset string `json:"offset"`
}

// recheck bounds how long another process may still see the old time.
const recheck = 20 * time.Millisecond

// NewMoved makes a moved clock on a file. The file need not exist; its folder must.
func NewMoved(path string) *Moved { return &Moved{path: path} }

// Now is the moved time in UTC.
func (m *Moved) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(m.checked) >= recheck {
		m.checked = now
		// A file that cannot be read keeps the offset that was known: time never jumps back.
		_ = m.load()
	}
	return now.Add(m.offset).UTC()
}

// Advance moves the clock ahead and returns the new time. A negative distance is refused: time never goes back.
func (m *Moved) Advance(by time.Duration) (time.Time, error) {
	if by < 0 {
		return time.Time{}, errors.New("move the clock: it never goes back")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return time.Time{}, err
	}
	state, err := json.Marshal(movedState{Offset: (m.offset + by).String()})
	if err != nil {
		return time.Time{}, fmt.Errorf("move the clock: %w", err)
	}
	if err := replace(m.path, state); err != nil {
		return time.Time{}, fmt.Errorf("move the clock: %w", err)
	}
	m.offset += by
	return time.Now().Add(m.offset).UTC(), nil
}

func (m *Moved) load() error {
	info, err := os.Stat(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the moved clock: %w", err)
	}
	if info.ModTime().Equal(m.written) {
		return nil
	}
	raw, err := os.ReadFile(m.path)
	if err != nil {
		return fmt.Errorf("read the moved clock: %w", err)
	}
	var state movedState
	if err := json.Unmarshal(raw, &state); err != nil {
		return fmt.Errorf("read the moved clock: %w", err)
	}
	offset, err := time.ParseDuration(state.Offset)
	if err != nil {
		return fmt.Errorf("read the moved clock: %w", err)
	}
	m.written = info.ModTime()
	if offset > m.offset {
		m.offset = offset
	}
	return nil
}

// replace writes a file so that a reader sees the old or the new content and never a part.
func replace(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".clock-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(content); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
