// Package payouts opens the payout run of the month by timer or by staff (PAY-20, PAY-21), and shows publishers
// their payouts (PAY-50).
//
// The timer comes at the cut-off, day 5 at 08:00 UTC. A late or doubled run of it is ordinary: a run exists once, and
// opening it again joins it. What the run then does goes by messages of the queue "payout-items".
package payouts

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/payout"
	"stoa/shared/web"
)

// Links makes links for download that need no token.
type Links interface {
	DownloadLink(container, name string, life time.Duration) (string, error)
}

// Handler serves the timer and the routes.
type Handler struct {
	Payouts *payout.Service
	Links   Links
	Pages   web.Pages
	Now     func() time.Time
}

// Run opens the run of the newest month whose cut-off has come. What earlier months left is in it.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	if _, err := in.Timer("timer"); err != nil {
		return err
	}
	_, err := h.Payouts.OpenRun(ctx, payout.Due(h.Now()))
	return err
}

const mayRead account.Permission = "payoutReports.read"

// Portal mounts the payout page.
func (h *Handler) Portal(g *web.Group) {
	g.Handle(http.MethodGet, "/portal/v1/publishers/{publisherId}/payouts", web.Publisher(mayRead), h.list)
}

// Operator mounts the opening of a run.
func (h *Handler) Operator(g *web.Group) {
	g.Handle(http.MethodPost, "/operator/v1/payoutRuns", web.Operator(), h.open)
}

// open opens a run, or joins the one that stands: 200 with the run.
func (h *Handler) open(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Month string `json:"month"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	month, err := payout.ParseMonth(in.Month)
	if err != nil {
		return err
	}
	run, err := h.Payouts.OpenRun(r.Context(), month)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, run)
}

// view is a publisher's part of a run.
type view struct {
	payout.Item
	StatementLink string `json:"statementLink,omitempty"` // good for an hour
}

const (
	linkLife    = time.Hour
	defaultPage = 24
	largestPage = 120
)

// list answers the publisher's payouts, the newest month first, with links to the statements.
func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	publisherID := r.PathValue("publisherId")
	scope, limit := "payouts|"+publisherID, defaultPage
	var err error
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > largestPage {
			return fault.New(fault.Invalid, "InvalidValue", "limit", "must be a number from 1 to %d", largestPage)
		}
	}
	after, err := h.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	items, next, err := h.Payouts.Items(r.Context(), publisherID, after, limit)
	if err != nil {
		return err
	}
	answer := web.Page[view]{Value: []view{}, Continuation: h.Pages.Encode(scope, next)}
	for _, it := range items {
		v := view{Item: it}
		if it.Statement != "" {
			if v.StatementLink, err = h.Links.DownloadLink(payout.StatementContainer, it.Statement, linkLife); err != nil {
				return err
			}
		}
		answer.Value = append(answer.Value, v)
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}
