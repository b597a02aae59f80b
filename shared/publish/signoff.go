package publish

import (
	"context"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// GoLive signs the preview off: the preview's frozen content becomes live, never the draft (PUB-29). Conflict
// InvalidOfferState unless the offer waits for it (PUB-33). The submission's open warnings come back with it.
func (s *Service) GoLive(ctx context.Context, r Request) (Submission, error) {
	var out Submission
	err := retry(func() error {
		o, err := s.offer(ctx, r)
		if err != nil {
			return err
		}
		change, sub, err := s.signOff(ctx, o, r)
		if err != nil {
			return err
		}
		out = sub
		return s.Store.Commit(ctx, change)
	})
	return out, err
}

func (s *Service) signOff(ctx context.Context, o offer.Offer, r Request) (Change, Submission, error) {
	refused := fault.New(fault.Conflict, "InvalidOfferState", "", "The offer does not wait for sign-off.")
	if o.Status != offer.StatusPreview || o.Preview == nil {
		return Change{}, Submission{}, refused
	}
	if o.TestOffer { // SAS-57
		return Change{}, Submission{}, fault.New(fault.Conflict, "TestOfferCannotGoLive", "isTestOffer", "A test offer stays in preview.")
	}
	sub, err := s.Store.Submission(ctx, o.PublisherID, o.OfferID, o.Preview.Submission)
	if err != nil {
		return Change{}, Submission{}, err
	}
	if sub.State != WaitingForPublisher {
		return Change{}, Submission{}, refused
	}
	now := s.Now().UTC()
	sub.State, sub.ChangedAt, sub.SignedOffAt = GoingLive, now, now
	signoff := sub.step(publisherSignoff)
	signoff.Status, signoff.CompletedAt = Complete, now
	event := offer.NewEvent(offer.SignedOff, r.By, "", now)
	event.Submission = sub.Number
	next := start(&sub, sub.current(), now)
	o.Status = offer.StatusPublishInProgress
	change := Change{Offer: o, Submissions: []Submission{sub}, Events: []offer.Event{event}}
	change.Messages = append(s.notice(ctx, &sub, signedOff), next)
	return change, sub, nil
}

// offer reads the offer and compares the tag of the request.
func (s *Service) offer(ctx context.Context, r Request) (offer.Offer, error) {
	o, _, err := s.load(ctx, r)
	return o, err
}

// Cancel asks to end the newest submission before it reaches sign-off (PUB-34). It reports whether a cancel was
// already under way or done: then nothing is changed and the operation is the same (PUB-38).
func (s *Service) Cancel(ctx context.Context, r Request) (sub Submission, repeated bool, err error) {
	err = retry(func() error {
		o, newest, err := s.load(ctx, r)
		if err != nil {
			return err
		}
		if newest == nil {
			return cannotCancel()
		}
		if newest.State == Canceled && o.Status == offer.StatusPublishInProgress {
			return cannotCancel() // the preview before it goes live
		}
		sub, repeated = *newest, newest.State == Canceling || newest.State == Canceled
		if repeated {
			return nil
		}
		if !sub.Cancellable() {
			return cannotCancel()
		}
		now := s.Now().UTC()
		sub.State, sub.CancelAt, sub.ChangedAt, sub.CancelBy = Canceling, now, now, r.By
		event := offer.NewEvent(offer.PreviewCancelInitiated, r.By, "", now) // PUB-36
		event.Submission = sub.Number
		change := Change{Offer: o, Submissions: []Submission{sub}, Events: []offer.Event{event}}
		change.Messages = append(change.Messages, stepMessage(&sub, cancelStep))
		return s.Store.Commit(ctx, change)
	})
	return sub, repeated, err
}

func cannotCancel() error {
	return fault.New(fault.Conflict, "CannotCancel", "", "Nothing can be cancelled: no submission runs, or it has reached sign-off.")
}

// finishCancel ends a submission whose cancel was asked for. Done before: nothing happens.
func (s *Service) finishCancel(ctx context.Context, m StepMessage) error {
	return retry(func() error {
		o, err := s.Store.Offer(ctx, m.PublisherID, m.OfferID)
		if err != nil {
			return err
		}
		sub, err := s.Store.Submission(ctx, m.PublisherID, m.OfferID, m.Submission)
		if err != nil || sub.State != Canceling {
			return err
		}
		now := s.Now().UTC()
		sub.State, sub.ChangedAt = Canceled, now
		for i := range sub.Steps {
			if st := &sub.Steps[i]; st.Status != Complete && st.Status != NotStarted {
				st.Status, st.CompletedAt = StepCanceled, now
			}
		}
		if o.Submission == sub.Number {
			o.Status = sub.PreviousStatus // PUB-37
		}
		event := offer.NewEvent(offer.PreviewCanceled, sub.CancelBy, "", now)
		event.Submission = sub.Number
		change := Change{Offer: o, Submissions: []Submission{sub}, Events: []offer.Event{event}}
		change.Messages = s.notice(ctx, &sub, cancelled)
		return s.Store.Commit(ctx, change)
	})
}
