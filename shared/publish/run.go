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
	switch m.Step {
	case cancelStep:
		return s.finishCancel(ctx, m)
	case stopStep:
		return s.finishStop(ctx, m)
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
	return retry(func() error {
		_, err := s.commitOutcome(ctx, attempt{m, InProgress}, out, content)
		return err
	})
}

// runnable reports whether the step is the one under way of a submission that runs. PUB-36: after a cancel no
// step starts and the result of a running one is discarded.
func runnable(sub *Submission, step string) bool {
	at := sub.current()
	return at != nil && at.ID == step && at.Status == InProgress && sub.running()
}

// attempt names a step and the status it must still have.
type attempt struct {
	StepMessage
	expected StepStatus
}

// commitOutcome applies an outcome to a step that still has the expected status of a submission that runs. It
// reports false, and does nothing, when the step or the submission has moved on.
func (s *Service) commitOutcome(ctx context.Context, a attempt, out outcome, content offer.Content) (bool, error) {
	o, err := s.Store.Offer(ctx, a.PublisherID, a.OfferID)
	if err != nil {
		return false, err
	}
	sub, err := s.Store.Submission(ctx, a.PublisherID, a.OfferID, a.Submission)
	if err != nil {
		return false, err
	}
	at := sub.current()
	if at == nil || at.ID != a.Step || at.Status != a.expected || !sub.running() {
		return false, nil
	}
	t := transition{service: s, offer: o, sub: sub, content: content, now: s.Now().UTC()}
	if err := t.apply(ctx, a.Step, out); err != nil {
		return false, err
	}
	return true, s.Store.Commit(ctx, t.change())
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
	if out.packages != nil {
		t.sub.Packages = out.packages
	}
	step := t.sub.step(id)
	step.Status = out.status
	for _, m := range out.messages {
		m.Timestamp = t.now
		step.Messages = append(step.Messages, m)
	}
	if out.report != nil && (out.report.Result == Refused || out.report.Result == PassedWithNotes) { // PUB-20
		t.messages = append(t.messages, t.service.notice(ctx, &t.sub, certified(out.report))...)
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
	t.messages = append(t.messages, t.service.notice(ctx, &t.sub, failed(step))...)
}

func (t *transition) complete(ctx context.Context, step *Step) error {
	step.CompletedAt = t.now
	switch step.ID {
	case previewCreation:
		if err := t.openPreview(ctx); err != nil {
			return err
		}
		step.Messages = append(step.Messages, Message{HTML: "It can take up to 4 hours until the preview is visible.", Level: Information, Timestamp: t.now}) // PUB-24
	case finalPublish:
		same, err := t.makeLive(ctx)
		if err != nil {
			return err
		}
		if !same { // PUB-31
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
		t.messages = append(t.messages, t.service.notice(ctx, &t.sub, live)...)
	case next.ID == publisherSignoff: // PUB-27
		next.Status, next.StartedAt = WaitingForReview, t.now
		t.sub.State, t.offer.Status = WaitingForPublisher, offer.StatusPreview
		t.messages = append(t.messages, t.service.notice(ctx, &t.sub, ready(&t.sub, &t.content))...)
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
func (t *transition) makeLive(ctx context.Context) (bool, error) {
	if p := t.offer.Preview; p == nil || p.Submission != t.sub.Number || p.Snapshot != t.sub.Snapshot {
		return false, nil
	}
	content, snapshot, err := t.settleAudiences(ctx)
	if err != nil {
		return false, err
	}
	t.offer.Version++
	t.offer.Production = &offer.Frozen{Submission: t.sub.Number, SubmissionID: t.sub.ID, Version: t.offer.Version, At: t.now, Snapshot: snapshot}
	t.offer.Published = offer.PublishedFacts(t.offer.Published, content)
	t.offer.Withdrawn = false // PUB-54
	return true, nil
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

// Underway is the submission that an offer's status speaks of: the newest one, or the preview that went on when the
// newest one was cancelled. The offer must have been submitted.
func (s *Service) Underway(ctx context.Context, o *offer.Offer) (Submission, error) {
	newest, err := s.Store.Submission(ctx, o.PublisherID, o.OfferID, o.Submission)
	if err != nil || newest.State != Canceled || o.Preview == nil {
		return newest, err
	}
	preview, err := s.Store.Submission(ctx, o.PublisherID, o.OfferID, o.Preview.Submission)
	if err == nil && preview.ChangedAt.After(newest.ChangedAt) {
		return preview, nil
	}
	return newest, err
}

// Verdict is an operator's word on a step that waits for approval. Invalid for a result that is none and for a
// refusal that names no policy; Conflict when no step of a running submission waits, also when another verdict or
// a cancel came first.
func (s *Service) Verdict(ctx context.Context, publisherID, offerID string, report Report) (Submission, error) {
	o, err := s.Store.Offer(ctx, publisherID, offerID)
	if err != nil {
		return Submission{}, err
	}
	waits := fault.New(fault.Conflict, "InvalidOfferState", "", "No submission of the offer waits for a verdict.")
	if o.Submission == 0 {
		return Submission{}, waits
	}
	sub, err := s.Underway(ctx, &o)
	if err != nil {
		return Submission{}, err
	}
	step := sub.current()
	if step == nil || step.Status != WaitingForApproval || !sub.running() {
		return Submission{}, waits
	}
	if report.Result != Passed && report.Result != PassedWithNotes && report.Result != Refused {
		return Submission{}, fault.New(fault.Invalid, "InvalidValue", "result", "The result is Passed, PassedWithNotes or Failed.")
	}
	if report.Result == Refused && len(report.FailedPolicies) == 0 {
		return Submission{}, fault.New(fault.Invalid, offer.CodeRequired, "failedPolicies", "A refusal names the policies that are not met.")
	}
	content, err := s.Snapshots.Frozen(ctx, sub.Snapshot)
	if err != nil {
		return Submission{}, fmt.Errorf("verdict on %s: %w", sub.Snapshot, err)
	}
	m := StepMessage{PublisherID: publisherID, OfferID: offerID, Submission: sub.Number, Step: step.ID}
	done := false
	err = retry(func() (err error) {
		done, err = s.commitOutcome(ctx, attempt{m, WaitingForApproval}, verdict(report), content)
		return err
	})
	if err != nil {
		return Submission{}, err
	}
	if !done {
		return Submission{}, waits
	}
	return s.Store.Submission(ctx, publisherID, offerID, sub.Number)
}
