// Package reconciliation is the hourly timer that compares the usage that was submitted with what the ledger took of
// it (MTR-88).
//
// A run goes through the months in which something is not settled, as far as its time allows; the next one goes on
// where it stopped. Late, missed and doubled runs are ordinary: each compares what is there. A series that fails
// does not stop the others.
package reconciliation

import (
	"context"
	"log/slog"
	"time"

	"stoa/shared/functionshost"
	"stoa/shared/metering"
)

// Handler is the trigger of the timer.
type Handler struct {
	Usage *metering.Reconciliation
	Log   *slog.Logger // nil is silent
}

const patience = 100 * time.Second // a run ends then; the next one goes on

// Run compares what is not settled. An error is shown by the host; the next run tries again.
func (h *Handler) Run(ctx context.Context, _ functionshost.Invocation) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	compared, err := h.Usage.Run(ctx)
	if h.Log != nil {
		h.Log.InfoContext(ctx, "usage was reconciled", "months", compared)
	}
	return err
}
