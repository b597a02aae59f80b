package publish

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Announcement is what marketplace staff tell all publishers that sell something, such as a critical change of an
// interface that has to be taken over within 24 hours (SAS-66).
type Announcement struct {
	ID      string // the same again tells nobody twice
	Subject string
	Text    string
	By      time.Time // until when it has to be taken over, zero when there is no such time
}

// Board finds whom to tell and sends it.
type Board interface {
	// LiveOffers lists what is live, by publisher.
	LiveOffers(ctx context.Context, after string, limit int) ([]offer.Version, string, error)
	// Tell sends the messages of one part of an announcement as one act.
	Tell(ctx context.Context, announcement, part string, msgs []message.Message) error
}

// Limits of an announcement.
const (
	maxAnnouncementID = 50
	maxSubject        = 200
	maxText           = 20_000
	offersPerPart     = 90 // offers looked at for a part, so at most as many mails
)

// Check refuses an announcement that cannot be sent.
func (a *Announcement) Check() error {
	var wrong fault.Findings
	text := func(target, value string, limit int) {
		switch n := utf8.RuneCountInString(value); {
		case n == 0:
			wrong.Add(offer.CodeRequired, target, "A value is required.")
		case n > limit:
			wrong.Add(offer.CodeInvalid, target, "At most %d characters are allowed.", limit)
		}
	}
	text("id", a.ID, maxAnnouncementID)
	text("subject", a.Subject, maxSubject)
	text("text", a.Text, maxText)
	return wrong.Err(fault.Invalid, offer.CodeInvalid, "Some values are not allowed.")
}

// Announce mails one part of the publishers that have a live offer and returns where the next part begins, "" after
// the last. Each gets the mail once, also when a part is told again. Publishers that nobody can be told for are
// skipped.
func (s *Service) Announce(ctx context.Context, board Board, a Announcement, after string) (told int, next string, err error) {
	if err := a.Check(); err != nil {
		return 0, "", err
	}
	versions, next, err := board.LiveOffers(ctx, after, offersPerPart)
	if err != nil {
		return 0, "", fmt.Errorf("announcement %s: %w", a.ID, err)
	}
	var publishers []string
	for _, v := range versions {
		if !slices.Contains(publishers, v.PublisherID) {
			publishers = append(publishers, v.PublisherID)
		}
	}
	var msgs []message.Message
	for _, id := range publishers {
		m, err := s.announcement(ctx, &a, id)
		if err != nil {
			return 0, "", err
		}
		if m != nil {
			msgs = append(msgs, *m)
		}
	}
	if len(msgs) == 0 {
		return 0, next, nil
	}
	return len(msgs), next, board.Tell(ctx, a.ID, offer.GUID(after), msgs)
}

func (s *Service) announcement(ctx context.Context, a *Announcement, publisherID string) (*message.Message, error) {
	if s.Contacts == nil {
		return nil, nil
	}
	to, err := s.Contacts.Recipients(ctx, publisherID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("announcement %s to %s: %w", a.ID, publisherID, err)
	}
	if len(to) == 0 {
		return nil, nil
	}
	text := a.Text + "\n\nPublisher: " + publisherID + "\n"
	if !a.By.IsZero() {
		text += "To be taken over by: " + a.By.UTC().Format("2006-01-02 15:04") + " UTC\n"
	}
	id := "announcement|" + a.ID + "|" + publisherID
	m := message.New(id, message.Notifications, map[string]any{"id": id, "kind": "announcement", "to": to, "subject": a.Subject, "body": text})
	return &m, nil
}
