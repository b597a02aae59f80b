package sample

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of what is kept of one path: requests and bytes of their bodies. The oldest go first.
const (
	keepRequests = 1000
	keepBytes    = 16 << 20
)

// Request is one call that was received.
type Request struct {
	ID      int64             `json:"id"` // counts up over all paths
	At      time.Time         `json:"at"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   map[string]string `json:"query,omitempty"` // decoded, the first value of each name
	Token   string            `json:"token,omitempty"` // of the landing page, decoded
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	JSON    json.RawMessage   `json:"json,omitempty"` // the body, when it is JSON
	Status  int               `json:"status"`         // answered; 0 when no answer was given

	Acknowledged string `json:"acknowledged,omitempty"` // what was said of the operation, or why it was not
}

// record is what was received, by path.
type record struct {
	mu    sync.Mutex
	next  int64
	paths map[string][]Request
}

func newRecord() *record { return &record{paths: map[string][]Request{}} }

// add keeps a request and drops the oldest of its path that are too many.
func (r *record) add(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	q.ID = r.next
	list := append(r.paths[q.Path], q)
	size := 0
	first := len(list)
	for first > 0 && len(list)-first < keepRequests && size+len(list[first-1].Body) <= keepBytes {
		first--
		size += len(list[first].Body)
	}
	r.paths[q.Path] = slices.Delete(list, 0, first)
}

// list gives what was received at a path, or at every path when it is empty, oldest first.
func (r *record) list(path string) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []Request{}
	for at, list := range r.paths {
		if path == "" || path == at {
			all = append(all, list...)
		}
	}
	slices.SortFunc(all, func(a, b Request) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// clear forgets a path, or every path when it is empty.
func (r *record) clear(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if path == "" {
		clear(r.paths)
		return
	}
	delete(r.paths, path)
}

// describe makes a Request of a call and its body.
func describe(r *http.Request, body []byte, at time.Time) Request {
	q := Request{At: at, Method: r.Method, Path: r.URL.Path, Headers: map[string]string{}, Body: string(body)}
	for name, values := range r.Header {
		q.Headers[name] = strings.Join(values, ", ")
	}
	for name, values := range r.URL.Query() {
		if q.Query == nil {
			q.Query = map[string]string{}
		}
		q.Query[name] = values[0]
	}
	if json.Valid(body) {
		q.JSON = json.RawMessage(body)
	}
	return q
}
