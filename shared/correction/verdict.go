package correction

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// investigate shows a submitted correction to staff.
func (s *Service) investigate(ctx context.Context, w Work) error {
	c, err := s.Correction(ctx, w.PublisherID, w.CorrectionID)
	if err != nil || c.State != Submitted {
		return err
	}
	if err := s.deps.Store.OpenCase(ctx, c); err != nil {
		return fmt.Errorf("open the case of correction %s: %w", c.ID, err)
	}
	c.State, c.OpenedAt = UnderInvestigation, s.deps.Now().UTC()
	change := Change{Correction: c, Messages: c.mail("investigate", s.deps.Staff, "Usage correction to investigate")}
	if err := s.deps.Store.Save(ctx, change); err != nil {
		return fmt.Errorf("investigate correction %s: %w", c.ID, err)
	}
	return nil
}

// Verdict is what staff found.
type Verdict struct {
	PublisherID  string
	CorrectionID string
	Approve      bool
	Note         string // why; required to decline
	By           string
}

// Decide ends the investigation of a correction (MTR-82): the customer is credited, or the usage may be corrected
// anew. The same verdict again changes nothing. NotFound, Invalid for a note that is missing or too long, and Conflict
// "InvalidState" for a correction that is not under investigation.
func (s *Service) Decide(ctx context.Context, v Verdict) (Correction, error) {
	switch {
	case !v.Approve && strings.TrimSpace(v.Note) == "":
		return Correction{}, fault.New(fault.Invalid, CodeMissing, "note", "is required to decline a correction")
	case utf8.RuneCountInString(v.Note) > maxReason:
		return Correction{}, fault.New(fault.Invalid, CodeInvalid, "note", "may have %d characters at most", maxReason)
	}
	var err error
	for range tries {
		var c Correction
		if c, err = s.decide(ctx, v); !fault.Is(err, fault.StaleETag) {
			return c, err
		}
	}
	return Correction{}, busy(err)
}

func (s *Service) decide(ctx context.Context, v Verdict) (Correction, error) {
	c, err := s.Correction(ctx, v.PublisherID, v.CorrectionID)
	if err != nil {
		return c, err
	}
	switch {
	case v.Approve && (c.State == Approved || c.State == Credited), !v.Approve && c.State == Declined:
		return c, nil
	case c.State != UnderInvestigation:
		return c, fault.New(fault.Conflict, CodeState, "state", "The correction is %s.", c.State)
	}
	to, err := s.deps.Contacts.Recipients(ctx, c.PublisherID)
	if err != nil {
		return c, fmt.Errorf("decide correction %s: %w", c.ID, err)
	}
	c.DecidedAt, c.DecidedBy, c.Note = s.deps.Now().UTC(), v.By, v.Note
	change := Change{}
	if v.Approve {
		c.State = Approved
		change.Messages = append(c.mail("approved", to, "Your usage correction was approved"), c.work(KindCredit, 0))
	} else {
		c.State = Declined
		change.Messages = append(c.mail("declined", to, "Your usage correction was declined"), c.work(KindClose, 0))
		if change.Claims, err = s.released(ctx, c); err != nil {
			return c, err
		}
	}
	change.Correction = c
	if err := s.deps.Store.Save(ctx, change); err != nil {
		return c, fmt.Errorf("decide correction %s: %w", c.ID, err)
	}
	return c, nil
}

// released are the claims of a correction, given up.
func (s *Service) released(ctx context.Context, c Correction) ([]Claim, error) {
	var all []Claim
	for _, p := range c.Parts {
		claim, err := s.deps.Store.Claim(ctx, c.claimed(p.Usage))
		if err != nil {
			return nil, fmt.Errorf("claim of correction %s: %w", c.ID, err)
		}
		if claim.Whole == c.ID {
			claim.Whole = ""
		}
		events := map[string]string{}
		for event, id := range claim.Events {
			if id != c.ID {
				events[event] = id
			}
		}
		claim.Events = events
		all = append(all, claim)
	}
	return all, nil
}

// mail is a notice about the correction, once for each kind of it.
func (c Correction) mail(kind string, to []string, subject string) []message.Message {
	if len(to) == 0 {
		return nil
	}
	body := fmt.Sprintf("%s.\n\nPublisher: %s\nOffer: %s\nMeter: %s\nUsage date: %s\nReported usage: %s\nNew reported usage: %s\nCorrection: %s\n",
		subject, c.PublisherID, c.OfferID, c.Meter, c.UsageDate, c.Reported, c.NewReported, c.ID)
	for _, line := range []struct{ name, text string }{{"Case type", c.CaseType}, {"Reason", c.Reason}, {"Note", c.Note}} {
		if line.text != "" {
			body += line.name + ": " + line.text + "\n"
		}
	}
	id := "correction:" + c.ID + ":" + kind
	return []message.Message{message.New(id, message.Notifications, map[string]any{
		"id": id, "kind": "correction." + kind, "to": to, "subject": c.OfferID + ": " + subject, "body": body,
	})}
}
