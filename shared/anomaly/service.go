package anomaly

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stoa/shared/correction"
	"stoa/shared/fault"
)

// Deps are what the service needs. All but Staff are required.
type Deps struct {
	Store       Store
	Usage       Usage
	Offers      Offers
	Contacts    Contacts
	Corrections Corrections
	Staff       []string // addresses of staff that speak with publishers about high risks; none: nobody is mailed
	Now         func() time.Time
}

// Service flags anomalies and takes decisions on them.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Usage == nil || d.Offers == nil || d.Contacts == nil || d.Corrections == nil || d.Now == nil {
		return nil, errors.New("anomaly service: all of Deps but Staff are required")
	}
	return &Service{deps: d}, nil
}

const (
	maxReason = 1000 // characters
	tries     = 4    // when another is at the same rows
)

// List is what a publisher asks for (MTR-75).
type List struct {
	PublisherID string
	Period      int // days back from today: 30, 60 or 90; 0 takes 30
	All         bool
	OfferID     string
	Meter       string
	State       State
	After       string
	Limit       int
}

// periods are those of the list, in days; the first is the default.
var periods = []int{30, 60, 90}

const overImpact = 100 // USD; the list shows what is above unless asked for all (MTR-75)

// List reads anomalies, the newest usage first: those with a financial impact of over 100 USD, unless all are asked
// for. The impact is signed, so under-reported usage shows among all only. Invalid for a period that is none.
func (s *Service) List(ctx context.Context, l List) ([]Anomaly, string, error) {
	if l.Period == 0 {
		l.Period = periods[0]
	}
	known := false
	for _, p := range periods {
		known = known || p == l.Period
	}
	if !known {
		return nil, "", fault.New(fault.Invalid, CodeInvalid, "period", "must be 30, 60 or 90")
	}
	now := s.deps.Now().UTC()
	f := Filter{
		PublisherID: l.PublisherID, From: now.Truncate(day).AddDate(0, 0, -l.Period), OfferID: l.OfferID, Meter: l.Meter, State: l.State,
		Now: now, After: l.After, Limit: l.Limit,
	}
	if !l.All {
		f.Over = decimal.NewNullDecimal(decimal.NewFromInt(overImpact))
	}
	found, next, err := s.deps.Store.Anomalies(ctx, f)
	if err != nil {
		return nil, "", fmt.Errorf("anomalies of %s: %w", l.PublisherID, err)
	}
	for i := range found {
		found[i].State = found[i].StateAt(now)
	}
	return found, next, nil
}

const (
	alertPage = 200
	alertMost = 1000 // counted; there are many then
)

// Alerts is how many anomalies of an offer wait for a decision, for the alert on its overview (MTR-74). It counts up
// to a thousand.
func (s *Service) Alerts(ctx context.Context, publisherID, offerID string) (int, error) {
	now := s.deps.Now().UTC()
	f := Filter{
		PublisherID: publisherID, OfferID: offerID, State: Unacknowledged, Now: now, Limit: alertPage,
		From: now.Truncate(day).Add(-actionWindow - trainingSpan),
	}
	for n := 0; ; {
		found, next, err := s.deps.Store.Anomalies(ctx, f)
		if err != nil {
			return 0, fmt.Errorf("alerts of offer %s: %w", offerID, err)
		}
		if n += len(found); next == "" || n >= alertMost {
			return min(n, alertMost), nil
		}
		f.After = next
	}
}

// Actions reads the action log, the newest first.
func (s *Service) Actions(ctx context.Context, publisherID, after string, limit int) ([]Action, string, error) {
	return s.deps.Store.Actions(ctx, publisherID, after, limit)
}

// Deed is a decision that a publisher takes.
type Deed struct {
	PublisherID string
	AnomalyID   string
	By          string
}

// Mark says that it is an anomaly. With a lower usage a correction goes to investigation along with it (MTR-82). The
// error is NotFound, NotReady "UnderReportedNotEligible" for a usage that is not lower (MTR-80), Conflict
// "ActionWindowClosed", "DecisionFinal" or "AlreadyCorrected".
func (s *Service) Mark(ctx context.Context, d Deed, lowered *decimal.Decimal) (Anomaly, error) {
	return s.decide(ctx, d, func(a *Anomaly, now time.Time) (*correction.Change, error) {
		if lowered != nil {
			if err := correction.Check(a.Reported, *lowered); err != nil {
				return nil, err
			}
		}
		if err := a.decide(now, MarkedAsAnomaly); err != nil {
			return nil, err
		}
		a.State, a.Reason = MarkedAsAnomaly, ""
		if lowered == nil {
			return nil, nil
		}
		if a.MoreParts {
			return nil, fault.New(fault.Conflict, correction.CodeTooMany, "newReportedUsage",
				"More than %d resources reported on that day; correct their usage events one by one.", maxParts)
		}
		a.NewReported = decimal.NewNullDecimal(*lowered)
		filed, err := s.deps.Corrections.File(ctx, correction.Correction{
			PublisherID: a.PublisherID, OfferID: a.OfferID, Meter: a.Meter, CustomerID: a.CustomerID, UsageDate: a.UsageDate,
			AnomalyID: a.ID, Reported: a.Reported, NewReported: *lowered, SubmittedBy: d.By,
		}, a.usages())
		a.CorrectionID = filed.Correction.ID
		return &filed, err
	})
}

func (a *Anomaly) usages() []correction.Usage {
	all := make([]correction.Usage, len(a.Parts))
	for i, p := range a.Parts {
		all[i] = correction.Usage(p)
	}
	return all
}

// Dismiss says that it is not an anomaly, and why. The day stays in the training (MTR-78). The error is Invalid for a
// reason that is missing or too long, else as for Mark.
func (s *Service) Dismiss(ctx context.Context, d Deed, reason string) (Anomaly, error) {
	switch {
	case strings.TrimSpace(reason) == "":
		return Anomaly{}, fault.New(fault.Invalid, CodeMissing, "reason", "is required: why is it not an anomaly?")
	case utf8.RuneCountInString(reason) > maxReason:
		return Anomaly{}, fault.New(fault.Invalid, CodeInvalid, "reason", "may have %d characters at most", maxReason)
	}
	return s.decide(ctx, d, func(a *Anomaly, now time.Time) (*correction.Change, error) {
		if err := a.decide(now, NotAnAnomaly); err != nil {
			return nil, err
		}
		a.State, a.Reason = NotAnAnomaly, reason
		return nil, nil
	})
}

// decide reads the anomaly, changes it, and writes it with its line of the action log and its correction in one act.
func (s *Service) decide(ctx context.Context, d Deed, change func(*Anomaly, time.Time) (*correction.Change, error)) (Anomaly, error) {
	now := s.deps.Now().UTC()
	var err error
	for range tries {
		var a Anomaly
		if a, err = s.anomaly(ctx, d.PublisherID, d.AnomalyID); err != nil {
			return Anomaly{}, err
		}
		read := a.Tag
		filed, refused := change(&a, now)
		if refused != nil {
			// Of two decisions at once the slower may find the usage corrected by the faster.
			if a, err = s.anomaly(ctx, d.PublisherID, d.AnomalyID); err == nil && a.Tag != read {
				err = refused
				continue
			}
			return Anomaly{}, refused
		}
		a.ActionAt, a.ActionBy = now, d.By
		line := Action{
			AnomalyID: a.ID, Key: a.Key, UsageDate: a.UsageDate, Decision: Dismiss, NewReported: a.NewReported, Reason: a.Reason, At: now, By: d.By,
		}
		if a.State == MarkedAsAnomaly {
			line.Decision = MarkAnomaly
		}
		err = s.deps.Store.Decide(ctx, a, line, filed)
		if err == nil {
			return a, nil
		}
		if !fault.Is(err, fault.StaleETag) && !fault.Is(err, fault.Conflict) {
			return Anomaly{}, fmt.Errorf("decide anomaly %s: %w", d.AnomalyID, err)
		}
	}
	return Anomaly{}, fault.New(fault.Unavailable, "Busy", "", "Others are at the same anomaly or usage. Try again.").Because(err)
}

func (s *Service) anomaly(ctx context.Context, publisherID, id string) (Anomaly, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "anomalyId", "There is no such anomaly.")
	if !ValidID(id) {
		return Anomaly{}, unknown
	}
	a, err := s.deps.Store.Anomaly(ctx, publisherID, id)
	if fault.Is(err, fault.NotFound) {
		return a, unknown.Because(err)
	}
	return a, err
}
