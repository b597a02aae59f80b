// Package dev is the workbench of the local stack: it moves the clock, shows the mail, registers sample publishers,
// and does what customers, their payments and the calendar do to subscriptions, for developers of publishers
// (FUL-14, FUL-18, FUL-84, FUL-86, FUL-88). It is mounted in the local stack only, never in a deployed bundle;
// nothing here asks for a token.
package dev

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/web"
)

// Clock is a clock that can be moved ahead. *clock.Moved does.
type Clock interface {
	Now() time.Time
	Advance(by time.Duration) (time.Time, error)
}

// Letter is a mail of the local mailbox.
type Letter struct {
	ID      string
	Kind    string
	To      []string
	Subject string
	Body    string
	At      time.Time
	TakenAt time.Time
	SentAt  time.Time
	Error   string
	Lock    string
}

// Registrar registers publishers. *account.Service does.
type Registrar interface {
	Register(ctx context.Context, p account.Publisher) error
}

// Handler serves /dev.
type Handler struct {
	Clock         Clock
	Mail          func(ctx context.Context, limit int) ([]Letter, error)
	Accounts      Registrar
	Subscriptions Subscriptions
	Reader        Reader
	Moved         func(ctx context.Context) error // called after the clock was moved; may be nil
}

// Routes mounts the routes.
func (h *Handler) Routes(rt *web.Router) {
	g := rt.API(web.API{Prefix: "/dev"})
	g.Handle("GET", "/dev/clock", web.Open(), h.clock)
	g.Handle("POST", "/dev/clock", web.Open(), h.advance)
	g.Handle("GET", "/dev/mail", web.Open(), h.mail)
	g.Handle("POST", "/dev/seed", web.Open(), h.seed)
	h.subscriptionRoutes(g)
}

type clockWire struct {
	Now time.Time `json:"now"`
}

func (h *Handler) clock(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, clockWire{h.Clock.Now().UTC()})
}

// advance moves the clock ahead by an ISO 8601 duration. Months and years go by the calendar.
func (h *Handler) advance(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	now := h.Clock.Now().UTC()
	to, err := add(now, in.Advance)
	if err != nil {
		return err
	}
	now, err = h.Clock.Advance(to.Sub(now))
	if err != nil {
		return err
	}
	if h.Moved != nil {
		if err := h.Moved(r.Context()); err != nil {
			return err
		}
	}
	return web.WriteJSON(w, http.StatusOK, clockWire{now.UTC()})
}

type letterWire struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	To      []string  `json:"to"`
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	At      time.Time `json:"at"`
	SentAt  time.Time `json:"sentAt,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// mail answers the newest letters.
func (h *Handler) mail(w http.ResponseWriter, r *http.Request) error {
	limit := 50
	if text := r.URL.Query().Get("top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return fault.New(fault.Invalid, "InvalidValue", "top", "must be a whole number from 1 to 1000")
		}
		limit = n
	}
	letters, err := h.Mail(r.Context(), limit)
	if err != nil {
		return err
	}
	out := make([]letterWire, len(letters))
	for i, l := range letters {
		out[i] = letterWire{ID: l.ID, Kind: l.Kind, To: l.To, Subject: l.Subject, Body: l.Body, At: l.At, SentAt: l.SentAt, Error: l.Error}
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"value": out})
}
