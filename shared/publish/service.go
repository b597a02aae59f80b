package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/packages"
	packagefinding "stoa/shared/packages/finding"
	"stoa/shared/packages/managedapp"
	"stoa/shared/packages/vmimage"
)

// Change is what one act changes, committed as one: all of it is in the partition of the offer.
type Change struct {
	Offer       offer.Offer
	Submissions []Submission
	Events      []offer.Event
	Messages    []message.Message
}

// Store keeps submissions beside their offer. Commit fails with StaleETag when the offer or a submission was
// saved in between.
type Store interface {
	Offer(ctx context.Context, publisherID, offerID string) (offer.Offer, error)
	Submission(ctx context.Context, publisherID, offerID string, number int) (Submission, error)
	// Submissions lists the newest first, those below a number; 0 starts at the newest.
	Submissions(ctx context.Context, publisherID, offerID string, below, limit int) ([]Submission, error)
	// History lists events, the newest first; after is the continuation of the page before.
	History(ctx context.Context, publisherID, offerID, after string, limit int) ([]offer.Event, string, error)
	Commit(ctx context.Context, c Change) error
	// Offers lists a publisher's offers by id, without their drafts.
	Offers(ctx context.Context, publisherID, after string, limit int) ([]offer.Offer, string, error)
	// List puts the offer on the list the storefront shows. It may stand there before it is live.
	List(ctx context.Context, publisherID, offerID string) error
}

// Snapshots keeps frozen contents. Freezing the same content under the same name again is no error.
type Snapshots interface {
	Freeze(ctx context.Context, name string, c offer.Content) error
	Frozen(ctx context.Context, name string) (offer.Content, error)
}

// Contacts finds who is mailed about an offer.
type Contacts interface {
	Recipients(ctx context.Context, publisherID string) ([]string, error)
}

// Packages tells whether an uploaded package may be published.
type Packages interface {
	// Accepted gives the record of a package that was validated without a blocking finding, or why it may not be
	// published.
	Accepted(ctx context.Context, publisherID, offerID, name string) (record packages.Record, why string, err error)
}

// Definitions keeps the application definitions of managed applications, one for each plan, version and cloud. The last
// one under a name stands: one that is live does not change, because another one needs a higher version (AZA-51).
type Definitions interface {
	PutDefinition(ctx context.Context, name DefinitionName, d managedapp.Definition) error
}

// DefinitionName names a definition (02, 3.5).
type DefinitionName struct{ PublisherID, OfferID, PlanID, Version, Cloud string }

// Secrets opens what a publisher's secrets were sealed into.
type Secrets interface {
	Open(sealed, context string) (string, error)
}

// Machines looks at the images of virtual machines.
type Machines interface {
	MachinePlan(ctx context.Context, plan vmimage.Plan, configuration vmimage.Configuration) (*packagefinding.Report, error)
}

// Service publishes offers. Safe for concurrent use. Certifier, Contacts, Packages, Defined, Machines, Secrets,
// Calls and Proof may be nil: then everything is certified, nobody is mailed, packages are not looked at, definitions
// are not kept, images are not looked at, of secrets only that they are there, addresses are not called, and nothing is
// known of what a publisher's application does.
type Service struct {
	Store     Store
	Snapshots Snapshots
	Certifier Certifier
	Policies  []Policy // of offer validation; nil means the built-in ones
	Contacts  Contacts
	Packages  Packages
	Defined   Definitions
	Machines  Machines
	Secrets   Secrets
	Calls     call.Doer // tries the addresses of a publisher
	Proof     Proof
	Now       func() time.Time
}

// Request is what publish, go live and cancel take.
type Request struct {
	PublisherID string
	OfferID     string
	By          string   // who asks, for the history
	IfMatch     string   // tag of the draft; "" and "*" compare nothing (CPP-17)
	Pages       []string // of publish: the selected pages, none means all (PUB-6)
	Notes       string   // of publish: notes for certification
	Emails      string   // of publish: the comma-separated notification list (CPP-38)
}

// StepMessage is the body of a message on publish-steps.
type StepMessage struct {
	PublisherID string `json:"publisherId"`
	OfferID     string `json:"offerId"`
	Submission  int    `json:"submission"`
	Step        string `json:"step"`
}

const attempts = 25

// retry repeats an act whose offer was saved in between. A tag of the caller that is not the draft's is wrong for
// good and no lost race.
func retry(act func() error) error {
	for range attempts {
		err := act()
		if f := fault.As(err); err == nil || f.Kind != fault.StaleETag || f.Code == offer.CodeDraftChanged {
			return err
		}
	}
	return fault.New(fault.Unavailable, "Busy", "", "The offer is being changed by others. Try again.")
}

// Publish freezes the draft and starts a submission. NotReady with one detail per finding when a page is not
// complete (PUB-4); Conflict OperationInProgress while another runs (PUB-8).
func (s *Service) Publish(ctx context.Context, r Request) (Submission, error) {
	var out Submission
	err := retry(func() error {
		o, newest, err := s.load(ctx, r)
		if err != nil {
			return err
		}
		change, sub, err := s.submit(ctx, o, newest, r)
		if err != nil {
			return err
		}
		out = sub
		return s.Store.Commit(ctx, change)
	})
	return out, err
}

// load reads the offer and its newest submission, if it has one, and compares the tag of the request.
func (s *Service) load(ctx context.Context, r Request) (offer.Offer, *Submission, error) {
	o, err := s.Store.Offer(ctx, r.PublisherID, r.OfferID)
	if err != nil {
		return o, nil, err
	}
	if err := offer.CheckMatch(&o, r.IfMatch); err != nil {
		return o, nil, err
	}
	if o.Submission == 0 {
		return o, nil, nil
	}
	sub, err := s.Store.Submission(ctx, r.PublisherID, r.OfferID, o.Submission)
	return o, &sub, err
}

func (s *Service) submit(ctx context.Context, o offer.Offer, newest *Submission, r Request) (Change, Submission, error) {
	if err := mayPublish(&o, newest); err != nil {
		return Change{}, Submission{}, err
	}
	if err := checkPages(&o, r.Pages); err != nil {
		return Change{}, Submission{}, err
	}
	content, err := s.selection(ctx, &o, r.Pages)
	if err != nil {
		return Change{}, Submission{}, err
	}
	rests, err := s.restingStatus(ctx, &o)
	if err != nil {
		return Change{}, Submission{}, err
	}
	now, number := s.Now().UTC(), o.Submission+1
	sub := Submission{
		ID: offer.GUID("publish", o.PublisherID, o.OfferID, fmt.Sprint(number), o.CreatedAt.UTC().Format(time.RFC3339Nano)), Number: number,
		PublisherID: o.PublisherID, OfferID: o.OfferID, OfferType: o.OfferType, State: Created,
		ChangedPages: changedPages(&o, r.Pages), InitiatedBy: r.By, NotificationEmails: r.Emails,
		Steps: StepsFor(&content), OfferVersion: o.Version, PreviousStatus: rests, CreatedAt: now, ChangedAt: now,
	}
	if sub.Snapshot, err = s.freeze(ctx, number, content); err != nil {
		return Change{}, Submission{}, err
	}
	event := offer.NewEvent(offer.SubmittedToPreview, r.By, "", now)
	event.Pages, event.Submission = sub.ChangedPages, number
	if r.Notes != "" {
		o.Notes = r.Notes
	}
	sub.Notes = o.Notes
	change := Change{Events: []offer.Event{event}}
	if newest != nil && newest.State == Blocked { // PUB-8: publishing over a blocked submission ends it
		newest.State, newest.ChangedAt = Failed, now
		change.Submissions = append(change.Submissions, *newest)
	}
	o.Submission, o.Status = number, offer.StatusPublishInProgress
	change.Messages = append(s.notice(ctx, &sub, submitted), start(&sub, sub.current(), now))
	change.Submissions = append(change.Submissions, sub)
	change.Offer = o
	return change, sub, nil
}

// start marks the step as begun and makes the message that runs it.
func start(sub *Submission, step *Step, now time.Time) message.Message {
	step.Status, step.StartedAt = InProgress, now
	return stepMessage(sub, step.ID)
}

func stepMessage(sub *Submission, step string) message.Message {
	id := fmt.Sprintf("publish|%s|%s", sub.ID, step)
	return message.New(id, message.PublishSteps, StepMessage{PublisherID: sub.PublisherID, OfferID: sub.OfferID, Submission: sub.Number, Step: step})
}

// mayPublish checks the state (PUB-8, PUB-9).
func mayPublish(o *offer.Offer, newest *Submission) error {
	switch o.Status {
	case offer.StatusPublishInProgress:
		return fault.New(fault.Conflict, "OperationInProgress", "", "A submission of this offer is running.")
	case offer.StatusPendingStopDistribution:
		return fault.New(fault.Conflict, "InvalidOfferState", "", "The offer is about to leave the marketplace.")
	}
	if newest != nil && (newest.State == Canceling || newest.State == GoingLive) {
		return fault.New(fault.Conflict, "OperationInProgress", "", "A submission of this offer is running.")
	}
	return nil
}

// CodePagesIncomplete is the code of a publish that pages which are not complete refuse.
const CodePagesIncomplete = "PagesIncomplete"

// checkPages refuses what is not complete and a selection that may not be. Incomplete pages are a Conflict with the
// list of what they lack for types that are published from the portal (SAS-61), and NotReady for those of the
// portal API (PUB-4, CPP-40). A page there is none of is Invalid; pages left out of a first submission NotReady
// (PUB-6).
func checkPages(o *offer.Offer, selected []string) error {
	pages := o.Pages()
	var unknown, left, incomplete fault.Findings
	for _, id := range selected {
		if !slices.ContainsFunc(pages, func(p offer.Page) bool { return p.ID == id }) {
			unknown.Add(offer.CodeInvalid, "pages", "The offer has no page %s.", id)
		}
	}
	for _, p := range pages {
		if len(selected) > 0 && !slices.Contains(selected, p.ID) {
			if o.Published == nil {
				left.Add("PageNotSelected", p.ID, "The first submission of an offer takes all pages.")
			}
			continue
		}
		for _, f := range p.Findings {
			incomplete.Add(f.Code, f.Field, "%s: %s", p.Name, f.Message)
		}
	}
	if err := unknown.Err(fault.Invalid, offer.CodeInvalid, "The offer has no such page."); err != nil {
		return err
	}
	const words = "The offer cannot be published yet: some pages are not complete."
	t, _ := offer.TypeOf(o.OfferType)
	if len(left) > 0 || t.CPPWrites {
		return append(left, incomplete...).Err(fault.NotReady, "OfferNotReady", words)
	}
	if len(incomplete) == 0 {
		return nil
	}
	refused := fault.New(fault.Conflict, CodePagesIncomplete, "", words)
	refused.Details = incomplete
	return refused
}

// selection is the draft, or the live content with the selected pages of the draft.
func (s *Service) selection(ctx context.Context, o *offer.Offer, pages []string) (offer.Content, error) {
	if len(pages) == 0 || o.Production == nil {
		return o.Content, nil
	}
	live, err := s.Snapshots.Frozen(ctx, o.Production.Snapshot)
	if err != nil {
		return offer.Content{}, fmt.Errorf("publish %s: %w", o.OfferID, err)
	}
	merged, err := offer.Merge(live, o.Content, pages)
	if err != nil {
		return offer.Content{}, err
	}
	return merged, checkMerged(&live, &merged, pages)
}

// checkMerged refuses a selection that gives the offer pages which it did not have and which were not selected:
// they would go live with nothing on them.
func checkMerged(live, merged *offer.Content, selected []string) error {
	before := offer.Fingerprints(live)
	o := offer.Offer{Content: *merged}
	var wrong fault.Findings
	for _, p := range o.Pages() {
		if _, had := before[p.ID]; !had && !slices.Contains(selected, p.ID) {
			wrong.Add("PageNotSelected", p.ID, "%s: the page is new and has to be published with the others.", p.Name)
		}
	}
	return wrong.Err(fault.NotReady, "OfferNotReady", "The selection leaves pages out that the offer needs.")
}

// freeze keeps the content under a name made of the number and the content, so that a repeat meets itself
// (PUB-7).
func (s *Service) freeze(ctx context.Context, number int, c offer.Content) (string, error) {
	name := fmt.Sprintf("%s/%s/%06d-%s.json", c.PublisherID, c.OfferID, number, offer.Fingerprint(&c))
	if err := s.Snapshots.Freeze(ctx, name, c); err != nil {
		return "", fmt.Errorf("freeze %s: %w", name, err)
	}
	return name, nil
}

// changedPages are the selected pages that differ from what is live. Offer setup and, for types with plans, plan
// overview always count (3.4, PUB-62).
func changedPages(o *offer.Offer, selected []string) []string {
	t, _ := offer.TypeOf(o.OfferType)
	out := []string{"offerSetup"}
	if t.Plans {
		out = append(out, "planOverview")
	}
	for _, p := range o.Pages() {
		if len(selected) > 0 && !slices.Contains(selected, p.ID) {
			continue
		}
		if (o.Published == nil || p.Status == offer.UnpublishedChanges) && !slices.Contains(out, p.ID) {
			out = append(out, p.ID)
		}
	}
	return out
}

// restingStatus is the status the offer goes back to after a cancel: a preview counts while it waits for sign-off
// (PUB-37).
func (s *Service) restingStatus(ctx context.Context, o *offer.Offer) (offer.Status, error) {
	if p := o.Preview; p != nil && (o.Production == nil || p.Submission != o.Production.Submission) {
		sub, err := s.Store.Submission(ctx, o.PublisherID, o.OfferID, p.Submission)
		if err != nil {
			return "", err
		}
		if sub.State == WaitingForPublisher {
			return offer.StatusPreview, nil
		}
	}
	switch {
	case o.Withdrawn:
		return offer.StatusNotAvailable, nil
	case o.Production != nil:
		return offer.StatusLive, nil
	}
	return offer.StatusDraft, nil
}
