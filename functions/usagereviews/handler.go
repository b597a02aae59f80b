// Package usagereviews works off the queue "usage-reviews": pages of the weekly training, anomalies that expire, and
// the steps of usage corrections (MTR-72, MTR-76, MTR-82).
//
// At least once, unordered. How far a run has come stands in the run, a day is flagged once by its id, and a
// correction's state decides what is still to be done, so a second delivery changes nothing. A credit whose usage is
// not charged yet puts itself off. What can never be done is parked with its reason and seen under
// /operator/v1/deadletters, from where a replay goes on.
package usagereviews

import (
	"context"

	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/queue"
)

// Handler is the trigger of the queue.
type Handler struct {
	Anomalies   *anomaly.Service
	Corrections *correction.Service
	Parked      queue.Parker
}

// work is a message of the queue: the kind says whose.
type work struct {
	Kind         string `json:"kind"`
	Run          string `json:"run"`
	Page         int    `json:"page"`
	PublisherID  string `json:"publisherId"`
	CorrectionID string `json:"correctionId"`
	Try          int    `json:"try"`
}

// Run does one piece of the work. Nil settles the message, an error brings it back (HST-24).
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.UsageReviews, h.Parked, func(ctx context.Context, w work) error {
		switch w.Kind {
		case anomaly.KindTrain, anomaly.KindExpire:
			return h.Anomalies.Handle(ctx, anomaly.Work{Kind: w.Kind, Run: w.Run, Page: w.Page})
		}
		return h.Corrections.Handle(ctx, correction.Work{Kind: w.Kind, PublisherID: w.PublisherID, CorrectionID: w.CorrectionID, Try: w.Try})
	})
}
