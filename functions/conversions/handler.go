// Package conversions is the timer that looks after deadlines of subscriptions that were missed: trials that
// ended, terms to renew, grace periods that ran out, acknowledgements and deliveries that are overdue (FUL-92).
//
// The deadlines themselves are messages that are due later; a run sends again the work whose message seems to be
// lost, a stretch of the subscriptions at a time. A late run makes up for missed ones, and two at once send the
// same messages, which change nothing the second time.
package conversions

import (
	"context"
	"log/slog"

	"stoa/shared/functionshost"
)

// Keeper sends missed work again and says how much.
type Keeper interface {
	CatchUp(ctx context.Context, limit int) (int, error)
}

// rows is about how many rows a run looks at.
const rows = 10_000

// Handler is the trigger of the timer.
type Handler struct {
	Subscriptions Keeper
	Log           *slog.Logger // nil is silent
}

// Run looks after one stretch. An error is shown by the host; the next run begins at the same place.
func (h *Handler) Run(ctx context.Context, _ functionshost.Invocation) error {
	sent, err := h.Subscriptions.CatchUp(ctx, rows)
	if sent > 0 && h.Log != nil {
		h.Log.WarnContext(ctx, "deadlines were missed and sent again", "count", sent)
	}
	return err
}
