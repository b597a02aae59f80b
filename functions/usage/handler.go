// Package usage counts accepted usage: it turns the announcements of the queue "usage-accepted" into daily sums per
// series and per offer, from which usage is read back, trends are shown and anomalies are found (MTR-86, MTR-88).
//
// At least once, unordered. An hour of a resource and dimension has one accepted event, and the sums say which hours
// they hold, so that an event counts once however often it is announced. What names no accepted usage announces
// nothing and is parked with its reason, seen under /operator/v1/deadletters.
package usage

import (
	"context"

	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/queue"
)

// Handler is the trigger of the queue.
type Handler struct {
	Usage  *metering.Counter
	Parked queue.Parker
}

// Run counts what one request has added. Nil settles the message, an error brings it back (HST-24). A second
// delivery changes nothing.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.UsageAccepted, h.Parked, h.Usage.Count)
}
