package sample

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxDelay bounds how slow an answer can be asked to be.
const maxDelay = time.Hour

// Behaviour says how a path answers from now on. The zero value, but for Path, is the ordinary answer.
type Behaviour struct {
	Path        string            `json:"path"`
	Status      int               `json:"status,omitempty"`      // 0 answers as usual
	Times       int               `json:"times,omitempty"`       // how often; 0 until told otherwise
	DelayMs     int               `json:"delayMs,omitempty"`     // before the answer
	NeverAnswer bool              `json:"neverAnswer,omitempty"` // hold the connection until the caller gives up
	Abort       bool              `json:"abort,omitempty"`       // cut the connection instead of an answer
	Headers     map[string]string `json:"headers,omitempty"`     // added to the answer, such as Location
	Body        json.RawMessage   `json:"body,omitempty"`        // JSON answered in place of the usual
	Acknowledge string            `json:"acknowledge,omitempty"` // of a webhook: Success or Failure, said before the answer; empty never does
}

// receiving are the paths that record, and that can be told to misbehave.
var receiving = []string{"/landing", "/webhook", "/lead", "/testdrive/assign", "/testdrive/deprovision"}

// check refuses what cannot be done.
func (b Behaviour) check() error {
	switch {
	case !slices.Contains(receiving, b.Path):
		return fmt.Errorf("behaviour: path %q, want one of %q", b.Path, receiving)
	case b.Status != 0 && (b.Status < 200 || b.Status > 599):
		return fmt.Errorf("behaviour: status %d, want 200 to 599", b.Status)
	case b.Acknowledge != "" && (b.Path != "/webhook" || b.Acknowledge != "Success" && b.Acknowledge != "Failure"):
		return fmt.Errorf("behaviour: acknowledge %q, want Success or Failure, of /webhook", b.Acknowledge)
	case b.Times < 0:
		return fmt.Errorf("behaviour: times %d, want 0 or more", b.Times)
	case b.DelayMs < 0 || time.Duration(b.DelayMs)*time.Millisecond > maxDelay:
		return fmt.Errorf("behaviour: delayMs %d, want 0 to %d", b.DelayMs, maxDelay.Milliseconds())
	}
	return nil
}

// script is how every path behaves: one behaviour after the other, each as often as it says.
type script struct {
	mu    sync.Mutex
	paths map[string][]Behaviour
}

func newScript() *script { return &script{paths: map[string][]Behaviour{}} }

// set replaces the behaviour of all paths that are named.
func (s *script) set(all []Behaviour) error {
	for _, b := range all {
		if err := b.check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range all {
		s.paths[b.Path] = nil
	}
	for _, b := range all {
		s.paths[b.Path] = append(s.paths[b.Path], b)
	}
	return nil
}

// next is the behaviour for one call of a path.
func (s *script) next(path string) Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.paths[path]
	if len(list) == 0 {
		return Behaviour{Path: path}
	}
	b := list[0]
	switch {
	case b.Times == 1:
		s.paths[path] = list[1:]
	case b.Times > 1:
		list[0].Times--
	}
	return b
}

// pending lists what is still in force, by path.
func (s *script) pending() []Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Behaviour{}
	for _, path := range receiving {
		all = append(all, s.paths[path]...)
	}
	return all
}

// clear makes every path answer as usual.
func (s *script) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.paths)
}

// hold waits as the behaviour says. It reports whether an answer is to be given: not when the caller left, the
// server stops, or the behaviour never answers.
func (s *Server) hold(r *http.Request, b Behaviour) bool {
	if b.Abort {
		return false
	}
	if !b.NeverAnswer && b.DelayMs == 0 {
		return true
	}
	var after <-chan time.Time
	if !b.NeverAnswer {
		timer := time.NewTimer(time.Duration(b.DelayMs) * time.Millisecond)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.stopping:
	}
	return false
}
