// Package anomalyexpiry is the daily timer that notes which anomalies nobody decided in time (MTR-76).
//
// It changes no answer: an anomaly whose window has closed is refused and shown as expired from that instant on,
// whether the timer has come or not. A late or doubled run finds what is left. What is more than a page goes on by
// messages of the queue "usage-reviews".
package anomalyexpiry

import (
	"context"

	"stoa/shared/functionshost"
)

// Expirer lets anomalies expire. *anomaly.Service does.
type Expirer interface {
	Expire(ctx context.Context) error
}

// Handler is the trigger of the timer.
type Handler struct{ Anomalies Expirer }

// Run lets the first page of what is due expire.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	if _, err := in.Timer("timer"); err != nil {
		return err
	}
	return h.Anomalies.Expire(ctx)
}
