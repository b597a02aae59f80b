package correction

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
)

// Deps are what the service needs. All but Staff are required.
type Deps struct {
	Store    Store
	Events   Events
	Ledger   Ledger
	Offers   Offers
	Contacts Contacts
	Staff    []string // addresses of staff that investigate; none: they look at the list of cases
	Now      func() time.Time
}

// Service takes corrections, has them investigated and credits them.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Events == nil || d.Ledger == nil || d.Offers == nil || d.Contacts == nil || d.Now == nil {
		return nil, errors.New("correction service: all of Deps but Staff are required")
	}
	return &Service{deps: d}, nil
}

// Limits.
const (
	maxReason = 1000 // characters
	maxParts  = 40   // a part is a row or two of one transaction
	tries     = 4    // when another is at the same rows
)

// Report is a publisher's report of too much usage.
type Report struct {
	PublisherID string
	EventID     string
	NewReported *decimal.Decimal
	Reason      string
	By          string
}

// Submit takes a report about one usage event (MTR-82). The error is Invalid for a report that lacks something,
// NotFound for an event that is not the publisher's, NotReady "UnderReportedNotEligible" (MTR-80), and Conflict
// "AlreadyCorrected" when the event or its whole day has been corrected.
func (s *Service) Submit(ctx context.Context, r Report) (Correction, error) {
	if err := r.check(); err != nil {
		return Correction{}, err
	}
	e, err := s.deps.Events.Event(ctx, r.PublisherID, account.GUID(r.EventID))
	if fault.Is(err, fault.NotFound) {
		return Correction{}, fault.New(fault.NotFound, "NotFound", "usageEventId", "There is no such usage event.").Because(err)
	}
	if err != nil {
		return Correction{}, fmt.Errorf("correct usage event %s: %w", r.EventID, err)
	}
	c := Correction{
		PublisherID: r.PublisherID, OfferID: e.OfferID, Meter: e.Meter, CustomerID: e.CustomerID, UsageDate: e.Effective.UTC().Format(time.DateOnly),
		EventID: e.ID, Reported: e.Quantity, NewReported: *r.NewReported, Reason: r.Reason, SubmittedBy: r.By,
	}
	usage := []Usage{{ResourceID: e.ResourceID, PlanID: e.PlanID, Quantity: e.Quantity}}
	for range tries {
		var filed Change
		if filed, err = s.File(ctx, c, usage); err != nil {
			return Correction{}, err
		}
		err = s.deps.Store.Save(ctx, filed)
		if err == nil {
			return filed.Correction, nil
		}
		if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.StaleETag) {
			return Correction{}, fmt.Errorf("correct usage event %s: %w", r.EventID, err)
		}
	}
	return Correction{}, busy(err)
}

// busy is the error of who lost to others at the same rows again and again.
func busy(err error) error {
	return fault.New(fault.Unavailable, "Busy", "", "Others are at the same usage. Try again.").Because(err)
}

func (r Report) check() error {
	var found fault.Findings
	if r.EventID == "" {
		found.Add(CodeMissing, "usageEventId", "is required")
	} else if account.GUID(r.EventID) == "" {
		found.Add(CodeInvalid, "usageEventId", "must be a GUID")
	}
	if r.NewReported == nil {
		found.Add(CodeMissing, "newReportedUsage", "is required")
	}
	if strings.TrimSpace(r.Reason) == "" {
		found.Add(CodeMissing, "reason", "is required")
	} else if utf8.RuneCountInString(r.Reason) > maxReason {
		found.Add(CodeInvalid, "reason", "may have %d characters at most", maxReason)
	}
	return found.Err(fault.Invalid, CodeBadRequest, "the correction has several errors")
}

// idOf is the id of a correction: when it was submitted, and what of.
func idOf(c Correction, now time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d", c.PublisherID, c.EventID, c.AnomalyID, now.UnixNano()))
	return now.Format("20060102150405") + "-" + hex.EncodeToString(sum[:8])
}

var idForm = regexp.MustCompile(`^[0-9]{14}-[0-9a-f]{16}$`)

// ValidID reports whether the text may be the id of a correction.
func ValidID(id string) bool { return idForm.MatchString(id) }

// File makes a correction of usages that were reported together, ready to be written: the caller saves the change,
// alone or with what led to it. The correction has all but its id, state, parts and times; usages are the event, or
// all of a day, the largest first. The errors are those of Submit, and Conflict "TooManyResources" for a day that too
// many resources have a part in.
func (s *Service) File(ctx context.Context, c Correction, usages []Usage) (Change, error) {
	if err := Check(c.Reported, c.NewReported); err != nil {
		return Change{}, err
	}
	if len(usages) == 0 || len(usages) > maxParts {
		return Change{}, fault.New(fault.Conflict, CodeTooMany, "newReportedUsage",
			"More than %d resources reported on that day; correct their usage events one by one.", maxParts)
	}
	v, err := s.deps.Offers.Sold(ctx, c.PublisherID, c.OfferID, false)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Change{}, fmt.Errorf("offer %s of a correction: %w", c.OfferID, err)
	}
	now := s.deps.Now().UTC()
	c.State, c.SubmittedAt, c.CaseType = Submitted, now, caseTypes[v.OfferType]
	c.ID = idOf(c, now)
	c.Parts = spread(usages, c.Reported, c.NewReported)
	change := Change{Correction: c}
	for _, u := range usages {
		claim, err := s.claim(ctx, c, u)
		if err != nil {
			return Change{}, err
		}
		change.Claims = append(change.Claims, claim)
	}
	change.Messages = []message.Message{c.work(KindInvestigate, 0)}
	return change, nil
}

// claim takes the usage for the correction. A day that is corrected as a whole and its events exclude each other.
func (s *Service) claim(ctx context.Context, c Correction, u Usage) (Claim, error) {
	claim, err := s.deps.Store.Claim(ctx, c.claimed(u))
	if err != nil {
		return claim, fmt.Errorf("claim usage of %s: %w", u.ResourceID, err)
	}
	other := claim.Whole
	switch {
	case other != "":
	case c.EventID != "":
		other = claim.Events[c.EventID]
	default:
		for _, id := range claim.Events {
			other = id
		}
	}
	if other != "" {
		return claim, fault.New(fault.Conflict, CodeCorrected, "newReportedUsage", "Correction %s is about the same usage.", other)
	}
	if c.EventID == "" {
		claim.Whole = c.ID
		return claim, nil
	}
	events := map[string]string{c.EventID: c.ID}
	for event, id := range claim.Events {
		events[event] = id
	}
	claim.Events = events
	return claim, nil
}

func (c Correction) claimed(u Usage) Claim {
	return Claim{PublisherID: c.PublisherID, ResourceID: u.ResourceID, Meter: c.Meter, PlanID: u.PlanID, UsageDate: c.UsageDate}
}

// Correction reads a correction of the publisher. NotFound.
func (s *Service) Correction(ctx context.Context, publisherID, id string) (Correction, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "correctionId", "There is no such correction.")
	if !ValidID(id) {
		return Correction{}, unknown
	}
	c, err := s.deps.Store.Correction(ctx, publisherID, id)
	if fault.Is(err, fault.NotFound) {
		return c, unknown.Because(err)
	}
	return c, err
}

// Corrections reads the corrections of a publisher, the newest first.
func (s *Service) Corrections(ctx context.Context, publisherID, after string, limit int) ([]Correction, string, error) {
	return s.deps.Store.Corrections(ctx, publisherID, after, limit)
}

// Cases reads what staff have to investigate, of all publishers, the oldest first. One that was decided a moment ago
// may still be among them.
func (s *Service) Cases(ctx context.Context, after string, limit int) ([]Correction, string, error) {
	return s.deps.Store.Cases(ctx, after, limit)
}

// Handle does what a message asks for. A fault that is not transient will never succeed.
func (s *Service) Handle(ctx context.Context, w Work) error {
	switch w.Kind {
	case KindInvestigate:
		return s.investigate(ctx, w)
	case KindCredit:
		return s.credit(ctx, w)
	case KindClose:
		c, err := s.Correction(ctx, w.PublisherID, w.CorrectionID)
		if err != nil {
			return err
		}
		return s.deps.Store.CloseCase(ctx, c)
	}
	return fault.New(fault.Invalid, "UnknownKind", "kind", "there is no work of the kind %q", w.Kind)
}
