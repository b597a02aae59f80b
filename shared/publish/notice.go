package publish

import (
	"context"
	"fmt"
	"html"
	"strings"

	"stoa/shared/message"
	"stoa/shared/offer"
)

// notice is what the publisher is told about a submission.
type notice struct {
	kind    string
	subject string
	lines   []string
}

// What publishers are told without being asked (PUB-68).
var (
	submitted    = notice{kind: "publish.submitted", subject: "The offer was submitted"}
	previewReady = notice{kind: "publish.preview", subject: "The preview is ready: review it and go live"}
	signedOff    = notice{kind: "publish.golive", subject: "The offer is going live"}
	live         = notice{kind: "publish.live", subject: "The offer is live"}
	stopped      = notice{kind: "publish.stopped", subject: "The offer is no longer available in the marketplace"}
	cancelled    = notice{kind: "publish.canceled", subject: "Publishing was cancelled"}
)

// ready tells where the preview can be seen and how much offer validation has found (SAS-65).
func ready(sub *Submission, c *offer.Content) notice {
	n := previewReady
	var stores []string
	for _, store := range c.Stores() {
		stores = append(stores, string(store))
	}
	n.lines = []string{"The overview of the offer has links to the preview in: " + strings.Join(stores, ", ") + "."}
	if found := len(sub.Warnings()); found > 0 {
		n.lines = append(n.lines, fmt.Sprintf("Findings in the validation report: %d. Certification is likely to fail on them.", found))
	}
	if c.TestOffer {
		n.lines = append(n.lines, "It is a test offer and stays in preview.")
	}
	return n
}

// failed tells which step failed and what it found.
func failed(step *Step) notice {
	n := notice{kind: "publish.attention", subject: "Publishing needs your attention: " + step.Name}
	for _, m := range step.Messages {
		if m.Level == Error {
			n.lines = append(n.lines, "- "+html.UnescapeString(m.HTML))
		}
	}
	return n
}

// certified is the certification report in a mail (PUB-20).
func certified(r *Report) notice {
	n := notice{kind: "publish.certification", subject: "Certification report: passed with notes"}
	if r.Result == Refused {
		n.subject = "Certification report: the offer was refused"
	}
	for _, p := range r.FailedPolicies {
		n.lines = append(n.lines, "- "+p.ID+": "+p.Description)
	}
	if r.Notes != "" {
		n.lines = append(n.lines, "", r.Notes)
	}
	return n
}

// notice makes the mail about an event of a submission, once per submission and event (PUB-68). Whom to tell is
// looked up now; when that fails the act goes on without the mail rather than not at all.
func (s *Service) notice(ctx context.Context, sub *Submission, n notice) []message.Message {
	if s.Contacts == nil {
		return nil
	}
	to, err := s.Contacts.Recipients(ctx, sub.PublisherID)
	if err != nil || len(to) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s.\n\nPublisher: %s\nOffer: %s\nSubmission: %d\n", n.subject, sub.PublisherID, sub.OfferID, sub.Number)
	if len(n.lines) > 0 {
		text += "\n" + strings.Join(n.lines, "\n") + "\n"
	}
	id := n.kind + "|" + sub.ID
	body := map[string]any{"id": id, "kind": n.kind, "to": to, "subject": sub.OfferID + ": " + n.subject, "body": text}
	return []message.Message{message.New(id, message.Notifications, body)}
}
