package publish

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// RunStep runs one step of a submission and queues the next. A second delivery finds the step done and changes
// nothing. NotFound when there is no such submission, which no later delivery will change.
func (s *Service) RunStep(ctx context.Context, m StepMessage) error {
	if m.Step == cancelStep {
		return s.finishCancel(ctx, m)
	}
	sub, err := s.Store.Submission(ctx, m.PublisherID, m.OfferID, m.Submission)
	if err != nil {
		return err
	}
	if !runnable(&sub, m.Step) {
		return nil
	}
	content, err := s.Snapshots.Frozen(ctx, sub.Snapshot)
	if err != nil {
		return fmt.Errorf("step %s of %s: %w", m.Step, sub.Snapshot, err)
	}
	out, err := s.check(ctx, m.Step, &sub, &content)
	if err != nil {
		return err
	}
	if m.Step == finalPublish {
		// Listed before it is live, so that no crash leaves a live offer off the list.
		if err := s.Store.List(ctx, m.PublisherID, m.OfferID); err != nil {
			return err
		}
	}
	return retry(func() error { return s.commitOutcome(ctx, m, out, content, InProgress) })
}

// runnable reports whether the step is the one under way of a submission that runs. PUB-36: after a cancel no
// step starts and the result of a running one is discarded.
func runnable(sub *Submission, step string) bool {
	at := sub.current()
	return at != nil && at.ID == step && at.Status == InProgress &&
		(sub.State == Created || sub.State == Running || sub.State == GoingLive)
}

// commitOutcome applies an outcome to a step that still has the expected status.
func (s *Service) commitOutcome(ctx context.Context, m StepMessage, out outcome, content offer.Content, expected StepStatus) error {
	o, err := s.Store.Offer(ctx, m.PublisherID, m.OfferID)
	if err != nil {
		return err
	}
	sub, err := s.Store.Submission(ctx, m.PublisherID, m.OfferID, m.Submission)
	if err != nil {
		return err
	}
	at := sub.current()
	if at == nil || at.ID != m.Step || at.Status != expected || !(sub.State == Created || sub.State == Running || sub.State == GoingLive) {
		return nil
	}
	t := transition{service: s, offer: o, sub: sub, content: content, now: s.Now().UTC()}
	if err := t.apply(ctx, m.Step, out); err != nil {
		return err
	}
	return s.Store.Commit(ctx, t.change())
}

// transition is one step of the state machine in the making.
type transition struct {
	service *Service
	offer   offer.Offer
	sub     Submission
	content offer.Content
	now     time.Time

	also     []Submission // others that change with it
	events   []offer.Event
	messages []message.Message
}

func (t *transition) change() Change {
	return Change{Offer: t.offer, Submissions: append([]Submission{t.sub}, t.also...), Events: t.events, Messages: t.messages}
}

func (t *transition) apply(ctx context.Context, id string, out outcome) error {
	t.sub.ChangedAt = t.now
	if t.sub.State == Created {
		t.sub.State = Running
	}
	if out.report != nil {
		out.report.At = t.now
		t.sub.Certification = out.report
	}
	step := t.sub.step(id)
	step.Status = out.status
	for _, m := range out.messages {
		m.Timestamp = t.now
		step.Messages = append(step.Messages, m)
	}
	switch out.status {
	case WaitingForApproval:
		return nil
	case StepBlocked, Rejected:
		t.fail(ctx, step)
		return nil
	}
	return t.complete(ctx, step)
}

// fail ends or blocks the submission (PUB-15): what the publisher can fix before sign-off blocks, the rest fails.
func (t *transition) fail(ctx context.Context, step *Step) {
	step.CompletedAt = t.now
	if step.Status == StepBlocked && t.sub.State == Running {
		t.sub.State = Blocked
	} else {
		t.sub.State = Failed
	}
	t.offer.Status = offer.StatusAttentionNeeded
	t.record(step, "failed")
	t.messages = append(t.messages, t.service.notice(ctx, &t.sub, "publish.attention", "Publishing needs your attention: "+step.Name)...)
}

func (t *transition) complete(ctx context.Context, step *Step) error {
	step.CompletedAt = t.now
	switch step.ID {
	case previewCreation:
		if err := t.openPreview(ctx); err != nil {
			return err
		}
	case finalPublish:
		if !t.makeLive() { // PUB-31
			step.Status = Rejected
			step.Messages = append(step.Messages, Message{HTML: "The live configuration differs from the preview.", Level: Error, Timestamp: t.now})
			t.fail(ctx, step)
			return nil
		}
	}
	completion := "completed"
	if step.hasWarning() {
		completion = "warning"
	}
	t.record(step, completion)
	t.advance(ctx)
	return nil
}

// advance starts the next step, or lets the submission wait or end.
func (t *transition) advance(ctx context.Context) {
	next := t.sub.current()
	switch {
	case next == nil:
		t.sub.State, t.offer.Status = Succeeded, offer.StatusLive
		t.messages = append(t.messages, t.service.notice(ctx, &t.sub, "publish.live", "The offer is live")...)
	case next.ID == publisherSignoff: // PUB-27
		next.Status, next.StartedAt = WaitingForReview, t.now
		t.sub.State, t.offer.Status = WaitingForPublisher, offer.StatusPreview
		t.messages = append(t.messages, t.service.notice(ctx, &t.sub, "publish.preview", "The preview is ready: review it and go live")...)
	default:
		t.messages = append(t.messages, start(&t.sub, next, t.now))
	}
}

// openPreview points the preview slot at this submission; an older one that waits for sign-off is superseded now
// and not before (PUB-9).
func (t *transition) openPreview(ctx context.Context) error {
	if was := t.offer.Preview; was != nil && was.Submission != t.sub.Number {
		old, err := t.service.Store.Submission(ctx, t.sub.PublisherID, t.sub.OfferID, was.Submission)
		if err != nil {
			return err
		}
		if old.State == WaitingForPublisher {
			old.State, old.ChangedAt = Superseded, t.now
			t.also = append(t.also, old)
		}
	}
	t.offer.Preview = &offer.Frozen{Submission: t.sub.Number, SubmissionID: t.sub.ID, Version: t.offer.Version + 1, At: t.now, Snapshot: t.sub.Snapshot}
	return nil
}

// makeLive points the production slot at the preview (PUB-32). It reports false when the preview is not this
// submission's frozen content.
func (t *transition) makeLive() bool {
	if p := t.offer.Preview; p == nil || p.Submission != t.sub.Number || p.Snapshot != t.sub.Snapshot {
		return false
	}
	t.offer.Version++
	t.offer.Production = &offer.Frozen{Submission: t.sub.Number, SubmissionID: t.sub.ID, Version: t.offer.Version, At: t.now, Snapshot: t.sub.Snapshot}
	t.offer.Published = offer.PublishedFacts(t.offer.Published, t.content)
	return true
}

// record writes the step's history event: its completion, and no user (PUB-60).
func (t *transition) record(step *Step, completion string) {
	t.events = append(t.events, offer.Event{Kind: offer.EventKind(step.ID), Label: step.Name, At: t.now, Completion: completion, Submission: t.sub.Number})
}

func (s *Step) hasWarning() bool {
	for _, m := range s.Messages {
		if m.Level == Warning {
			return true
		}
	}
	return false
}

// Verdict is an operator's word on a step that waits for approval. Conflict when no step of the submission
// waits.
func (s *Service) Verdict(ctx context.Context, publisherID, offerID string, report Report) (Submission, error) {
	o, err := s.Store.Offer(ctx, publisherID, offerID)
	if err != nil {
		return Submission{}, err
	}
	waits := fault.New(fault.Conflict, "InvalidOfferState", "", "No submission of the offer waits for a verdict.")
	if o.Submission == 0 {
		return Submission{}, waits
	}
	sub, err := s.Store.Submission(ctx, publisherID, offerID, o.Submission)
	if err != nil {
		return Submission{}, err
	}
	step := sub.current()
	if step == nil || step.Status != WaitingForApproval {
		return Submission{}, waits
	}
	if report.Result != Passed && report.Result != PassedWithNotes && report.Result != Refused {
		return Submission{}, fault.New(fault.Invalid, "InvalidValue", "result", "The result is Passed, PassedWithNotes or Failed.")
	}
	content, err := s.Snapshots.Frozen(ctx, sub.Snapshot)
	if err != nil {
		return Submission{}, fmt.Errorf("verdict on %s: %w", sub.Snapshot, err)
	}
	m := StepMessage{PublisherID: publisherID, OfferID: offerID, Submission: sub.Number, Step: step.ID}
	err = retry(func() error { return s.commitOutcome(ctx, m, verdict(report), content, WaitingForApproval) })
	if err != nil {
		return Submission{}, err
	}
	return s.Store.Submission(ctx, publisherID, offerID, sub.Number)
}

// notice makes the mail about an event of a submission, once per submission and event (PUB-68). Whom to tell is
// looked up now; when that fails the act goes on without the mail rather than not at all.
func (s *Service) notice(ctx context.Context, sub *Submission, kind, subject string) []message.Message {
	if s.Contacts == nil {
		return nil
	}
	to, err := s.Contacts.Recipients(ctx, sub.PublisherID)
	if err != nil || len(to) == 0 {
		return nil
	}
	id := kind + "|" + sub.ID
	body := map[string]any{"id": id, "kind": kind, "to": to, "subject": sub.OfferID + ": " + subject,
		"body": fmt.Sprintf("%s.\n\nPublisher: %s\nOffer: %s\nSubmission: %d\n", subject, sub.PublisherID, sub.OfferID, sub.Number)}
	return []message.Message{message.New(id, message.Notifications, body)}
}
