package publish

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// stopTime is how long it takes until an offer whose distribution was stopped has left the storefronts (PUB-50).
const stopTime = 4 * time.Hour

// Stop asks to end the distribution of an offer that is live: customers do not find it any more after some hours, and
// who bought it keeps it (PUB-50, PUB-53). Conflict unless it is live, OperationInProgress while a submission runs. A
// preview that waits is lost.
func (s *Service) Stop(ctx context.Context, r Request) (offer.Offer, error) {
	var out offer.Offer
	err := retry(func() error {
		o, newest, err := s.load(ctx, r)
		if err != nil {
			return err
		}
		if err := mayStop(&o, newest); err != nil {
			return err
		}
		now := s.Now().UTC()
		o.Status = offer.StatusPendingStopDistribution
		change := Change{Offer: o, Events: []offer.Event{offer.NewEvent(offer.OfferStopped, r.By, "", now)}}
		body := StepMessage{PublisherID: o.PublisherID, OfferID: o.OfferID, Submission: o.Production.Submission, Step: stopStep}
		// Made of the event's number too: an offer may be stopped, published and stopped again.
		id := fmt.Sprintf("publish.stop|%s|%s|%d", o.PublisherID, o.OfferID, o.Events)
		change.Messages = []message.Message{message.New(id, message.PublishSteps, body).At(now.Add(stopTime))}
		waits, err := s.waitingPreview(ctx, &o)
		if err != nil {
			return err
		}
		if waits != nil {
			waits.State, waits.ChangedAt = Superseded, now
			change.Submissions = append(change.Submissions, *waits)
		}
		out = o
		return s.Store.Commit(ctx, change)
	})
	return out, err
}

func mayStop(o *offer.Offer, newest *Submission) error {
	switch {
	case o.Status == offer.StatusPublishInProgress, newest != nil && newest.State == Canceling:
		return fault.New(fault.Conflict, "OperationInProgress", "", "A submission of this offer is running.")
	case o.Production == nil, o.Withdrawn, o.Status == offer.StatusPendingStopDistribution:
		return fault.New(fault.Conflict, "InvalidOfferState", "", "The offer is not live.")
	}
	return nil
}

// waitingPreview is the submission whose preview waits for sign-off, nil when none does.
func (s *Service) waitingPreview(ctx context.Context, o *offer.Offer) (*Submission, error) {
	if o.Preview == nil {
		return nil, nil
	}
	sub, err := s.Store.Submission(ctx, o.PublisherID, o.OfferID, o.Preview.Submission)
	if err != nil || sub.State != WaitingForPublisher {
		return nil, err
	}
	return &sub, nil
}

// finishStop takes the offer out of the storefronts. Done before, or published again: nothing happens.
func (s *Service) finishStop(ctx context.Context, m StepMessage) error {
	return retry(func() error {
		o, err := s.Store.Offer(ctx, m.PublisherID, m.OfferID)
		if err != nil || o.Status != offer.StatusPendingStopDistribution || o.Production == nil || o.Production.Submission != m.Submission {
			return err
		}
		sub, err := s.Store.Submission(ctx, m.PublisherID, m.OfferID, m.Submission)
		if err != nil {
			return err
		}
		o.Status, o.Withdrawn = offer.StatusNotAvailable, true
		return s.Store.Commit(ctx, Change{Offer: o, Messages: s.notice(ctx, &sub, stopped)})
	})
}
