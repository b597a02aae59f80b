// Package mail brings notifications to people: each one once, over a mail relay when there is one, and in any
// case into a mailbox that staff and the local stack can read.
//
// A notification is known by its id. Post inserts it into the mailbox, which is the check that it is new, sends
// it, and notes that it was sent. A second delivery of a sent one does nothing; one that was taken and not sent,
// because the process died, is sent after two minutes by whoever gets its message then. So a mail is lost never
// and doubled only by a crash between the relay's answer and the note. Safe for concurrent use.
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stoa/shared/fault"
)

// Letter is one notification.
type Letter struct {
	ID      string
	Kind    string
	To      []string
	Subject string
	Body    string
	At      time.Time // when it came
	TakenAt time.Time // when someone last set out to send it
	SentAt  time.Time // zero until it is sent, or, without a relay, kept
	Error   string    // why it can never be sent
	Lock    string    // optimistic lock of the mailbox
}

// Mailbox keeps letters by id.
type Mailbox interface {
	// Add inserts a letter and returns its lock; Conflict when its id is there.
	Add(ctx context.Context, l Letter) (lock string, err error)
	// Letter reads a letter; NotFound.
	Letter(ctx context.Context, id string) (Letter, error)
	// Save replaces a letter that was read before and returns its new lock; StaleETag.
	Save(ctx context.Context, l Letter) (lock string, err error)
}

// Sender sends a letter. A fault that is not transient says that it can never be sent.
type Sender interface {
	Send(ctx context.Context, l Letter) error
}

// Post sends notifications, each once.
type Post struct {
	Mailbox Mailbox
	Sender  Sender // nil: letters are only kept
	Now     func() time.Time
}

// lease is how long a letter is in the hands of who took it.
const lease = 2 * time.Minute

// Limits of a letter.
const (
	maxTo      = 50
	maxSubject = 500
	maxBody    = 100_000
)

// Deliver sends the notification that a message of the queue "notifications" holds. Nil: it is sent, or was.
// Invalid for a message that is none, or that the relay will never take; Unavailable to be called again.
func (p *Post) Deliver(ctx context.Context, body []byte) error {
	l, err := parse(body)
	if err != nil {
		return err
	}
	if l, err = p.take(ctx, l); err != nil || !l.open() {
		return err
	}
	if p.Sender != nil {
		if err := p.Sender.Send(ctx, l); err != nil {
			return p.failed(ctx, l, err)
		}
	}
	// It has gone: that is noted even when the caller has hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	l.SentAt = p.Now().UTC()
	if _, err := p.Mailbox.Save(ctx, l); err != nil {
		return fmt.Errorf("note that letter %s was sent: %w", l.ID, err)
	}
	return nil
}

func (l *Letter) open() bool { return l.SentAt.IsZero() && l.Error == "" }

// take makes the letter ours to send, or returns it as someone else has dealt with it.
func (p *Post) take(ctx context.Context, l Letter) (Letter, error) {
	now := p.Now().UTC()
	l.At, l.TakenAt = now, now
	lock, err := p.Mailbox.Add(ctx, l)
	if err == nil {
		l.Lock = lock
		return l, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return Letter{}, fmt.Errorf("letter %s: %w", l.ID, err)
	}
	if l, err = p.Mailbox.Letter(ctx, l.ID); err != nil {
		return Letter{}, fmt.Errorf("letter: %w", err)
	}
	if !l.open() {
		return l, nil
	}
	if now.Sub(l.TakenAt) < lease {
		return Letter{}, fault.New(fault.Unavailable, "Busy", "", "The letter is being sent.")
	}
	l.TakenAt = now
	if l.Lock, err = p.Mailbox.Save(ctx, l); err != nil {
		return Letter{}, fmt.Errorf("letter %s: %w", l.ID, err)
	}
	return l, nil
}

// failed gives the letter back, or closes it when it can never be sent.
func (p *Post) failed(ctx context.Context, l Letter, why error) error {
	l.TakenAt = l.TakenAt.Add(-lease) // the next delivery may try at once
	if f := fault.As(why); !f.Kind.Transient() {
		l.Error = f.Code
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, err := p.Mailbox.Save(ctx, l)
	return errors.Join(fmt.Errorf("send letter %s: %w", l.ID, why), err)
}

// parse reads a message of the queue.
func parse(body []byte) (Letter, error) {
	bad := func(target, why string) (Letter, error) {
		return Letter{}, fault.New(fault.Invalid, "MalformedNotification", target, "%s", why)
	}
	var wire struct {
		ID      string   `json:"id"`
		Kind    string   `json:"kind"`
		To      []string `json:"to"`
		Subject string   `json:"subject"`
		Body    string   `json:"body"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return bad("", "the message is no notification")
	}
	switch {
	case wire.ID == "" || len(wire.ID) > 400:
		return bad("id", "must have 1 to 400 characters")
	case len(wire.To) == 0 || len(wire.To) > maxTo:
		return bad("to", fmt.Sprintf("must be 1 to %d addresses", maxTo))
	case len(wire.Body) > maxBody:
		return bad("body", fmt.Sprintf("may have %d bytes at most", maxBody))
	}
	subject := strings.Join(strings.Fields(wire.Subject), " ") // one line
	if len(subject) > maxSubject {
		subject = strings.ToValidUTF8(subject[:maxSubject], "")
	}
	return Letter{ID: wire.ID, Kind: wire.Kind, To: wire.To, Subject: subject, Body: wire.Body}, nil
}
