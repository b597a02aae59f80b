// Package operator shows marketplace staff the messages that could not be processed, with their reasons, and
// sends them again. What staff does about offers, subscriptions and leads is in the packages of those.
package operator

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/web"
)

// DeadLetter is a message that could not be processed.
type DeadLetter struct {
	ID            string    // of the dead letter, fit for a path
	Queue         string    // where the message was to be processed
	MessageID     string    // its id on the queue
	RequestID     string    // of the request that caused it
	CorrelationID string    // of that request
	Body          string    // as it was sent; mostly JSON
	Reason        string    // why it could not be processed
	Parked        time.Time // when it was put here
	Replays       int       // how often it was sent again
	Replayed      time.Time // when last; zero when never
}

// DeadLetters lists and replays dead letters.
type DeadLetters interface {
	// List reads a page of those of a queue, or of all, and the continuation of the next.
	List(ctx context.Context, queue, after string, limit int) ([]DeadLetter, string, error)
	// Replay sends one again; NotFound, Conflict "NotReplayable".
	Replay(ctx context.Context, id string) (DeadLetter, error)
}

// Handler serves the routes.
type Handler struct {
	DeadLetters DeadLetters
	Pages       web.Pages
}

// Operator mounts the routes.
func (h *Handler) Operator(g *web.Group) {
	g.Handle("GET", "/operator/v1/deadletters", web.Operator(), h.list)
	g.Handle("POST", "/operator/v1/deadletters/{id}/replay", web.Operator(), h.replay)
}

// wire is a dead letter as staff sees it: the body as JSON where it is JSON, else as text.
type wire struct {
	ID            string          `json:"id"`
	Queue         string          `json:"queue"`
	MessageID     string          `json:"messageId"`
	RequestID     string          `json:"requestId,omitempty"`
	CorrelationID string          `json:"correlationId,omitempty"`
	Reason        string          `json:"reason"`
	Body          json.RawMessage `json:"body"`
	ParkedAt      time.Time       `json:"parkedAt"`
	Replays       int             `json:"replays"`
	ReplayedAt    time.Time       `json:"replayedAt,omitzero"`
}

func wireOf(d DeadLetter) wire {
	body := json.RawMessage(d.Body)
	if !json.Valid(body) {
		body, _ = json.Marshal(d.Body) // a string always marshals
	}
	return wire{
		ID: d.ID, Queue: d.Queue, MessageID: d.MessageID, RequestID: d.RequestID, CorrelationID: d.CorrelationID, Reason: d.Reason, Body: body,
		ParkedAt: d.Parked, Replays: d.Replays, ReplayedAt: d.Replayed,
	}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit := 50
	if text := query.Get("top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 200 {
			return fault.New(fault.Invalid, "InvalidValue", "top", "must be a whole number from 1 to 200")
		}
		limit = n
	}
	queue := query.Get("queue")
	if queue != "" && !slices.Contains(message.Queues, queue) {
		return fault.New(fault.Invalid, "InvalidValue", "queue", "must be one of %s", strings.Join(message.Queues, ", "))
	}
	scope := "deadletters|" + queue
	after, err := h.Pages.Decode(scope, query.Get("continuation"))
	if err != nil {
		return err
	}
	letters, next, err := h.DeadLetters.List(r.Context(), queue, after, limit)
	if err != nil {
		return err
	}
	out := make([]wire, len(letters))
	for i, d := range letters {
		out[i] = wireOf(d)
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[wire]{Value: out, Continuation: h.Pages.Encode(scope, next)})
}

func (h *Handler) replay(w http.ResponseWriter, r *http.Request) error {
	d, err := h.DeadLetters.Replay(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, wireOf(d))
}
