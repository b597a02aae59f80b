// Package anomalytraining is the timer that begins the weekly training of the usage models (MTR-72).
//
// It comes on Monday at 02:00 UTC. A run exists once for each week, and beginning it again joins it, so a late or
// doubled timer is ordinary; a week that was missed is judged by the next run. What the run then does goes by messages
// of the queue "usage-reviews", one for each page of series.
package anomalytraining

import (
	"context"

	"stoa/shared/functionshost"
)

// Trainer begins runs. *anomaly.Service does.
type Trainer interface {
	Train(ctx context.Context) error
}

// Handler is the trigger of the timer.
type Handler struct{ Anomalies Trainer }

// Run begins the run of the week.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	if _, err := in.Timer("timer"); err != nil {
		return err
	}
	return h.Anomalies.Train(ctx)
}
