package publish

import (
	"context"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Policy is one check of offer validation. Its findings never block (PUB-13, SAS-64).
type Policy struct {
	ID    string
	Page  string
	Field string
	Check func(c *offer.Content) string // what is wrong, "" when nothing is
}

// builtInPolicies are the quick checks of offer validation.
var builtInPolicies = []Policy{
	{ID: "listing.description.short", Page: pageListing, Field: "listing.description", Check: func(c *offer.Content) string {
		if utf8.RuneCountInString(c.Listing.Description) < 100 {
			return "The description is very short. Say what the offer does, for whom, and what it is worth to them."
		}
		return ""
	}},
	{ID: "listing.description.language", Page: pageListing, Field: "listing.description", Check: checkLanguage},
	{ID: "listing.name.shouting", Page: pageListing, Field: "listing.name", Check: func(c *offer.Content) string {
		if name := c.Listing.Name; utf8.RuneCountInString(name) > 5 && name == strings.ToUpper(name) && name != strings.ToLower(name) {
			return "The name is written in capital letters only."
		}
		return ""
	}},
	{ID: "listing.name.emoji", Page: pageListing, Field: "listing.name", Check: func(c *offer.Content) string {
		if strings.ContainsFunc(c.Listing.Name, func(r rune) bool { return unicode.Is(unicode.So, r) && !strings.ContainsRune("™©®", r) }) {
			return "The name has a picture among its letters."
		}
		return ""
	}},
	absent("screenshots", "The listing has no screenshot.", func(c *offer.Content) bool { return len(c.Listing.Screenshots) == 0 }),
	absent("supportContact", "The listing names nobody for support.", func(c *offer.Content) bool { return c.Listing.Support == nil }),
	absent("engineeringContact", "The listing names no engineer, who gets the mail of certification.", func(c *offer.Content) bool { return c.Listing.Engineering == nil }),
	absent("gettingStarted", "The listing does not say how customers get started.", func(c *offer.Content) bool {
		return c.Transactable() && strings.TrimSpace(c.Listing.Start) == ""
	}),
	{ID: "technical.landingPage.fragment", Page: pageTechnical, Field: "technicalConfiguration.landingPageUrl", Check: func(c *offer.Content) string {
		if strings.Contains(c.Technical.LandingPageURL, "#") {
			return "The address of the landing page has a #, so the token behind it never arrives."
		}
		return ""
	}},
	{ID: "technical.app.invalid", Page: pageTechnical, Field: "technicalConfiguration.aadApplicationId", Check: func(c *offer.Content) string {
		if c.Transactable() && c.OfferType == offer.TypeSaaS && !(realID(c.Technical.TenantID) && realID(c.Technical.AppID)) {
			return "The tenant and the application are not those of an application registration."
		}
		return ""
	}},
}

// absent finds what a good listing has and this one lacks (PUB-17).
func absent(member, words string, lacks func(c *offer.Content) bool) Policy {
	return Policy{ID: "listing." + member + ".missing", Page: pageListing, Field: "listing." + member, Check: func(c *offer.Content) string {
		if lacks(c) {
			return words
		}
		return ""
	}}
}

// language opens the description of a listing in another language than English.
const language = "This application is available only in "

// checkLanguage takes a description whose letters are mostly not Latin for one that is not English (SAS-21).
func checkLanguage(c *offer.Content) string {
	letters, foreign := 0, 0
	for _, r := range c.Listing.Description {
		if unicode.IsLetter(r) {
			letters++
			if !unicode.Is(unicode.Latin, r) {
				foreign++
			}
		}
	}
	if 2*foreign <= letters || strings.HasPrefix(strings.TrimSpace(c.Listing.Description), language) {
		return ""
	}
	return `A description in another language than English begins with "` + language + `" and the language.`
}

// realID reports whether a text is a GUID that somebody has made.
func realID(text string) bool {
	id := account.GUID(text)
	return id != "" && strings.Trim(id, "0-") != ""
}

// validate runs offer validation: content, technical configuration and, for a test offer, what differs from a
// production one. Whatever it finds, the step completes (SAS-64).
func (s *Service) validate(ctx context.Context, c *offer.Content) (outcome, error) {
	policies := s.Policies
	if policies == nil {
		policies = builtInPolicies
	}
	var warnings []finding
	for _, p := range policies {
		if words := p.Check(c); words != "" {
			warnings = append(warnings, finding{code: p.ID, page: p.Page, field: p.Field, text: words})
		}
	}
	warnings = append(warnings, s.unreachable(ctx, c)...)
	shared, err := s.registrationFindings(ctx, c)
	if err != nil {
		return outcome{}, err
	}
	warnings = append(warnings, shared...)
	if c.TestOffer {
		warnings = append(warnings, testOfferFindings(c)...)
	}
	return checked(nil, warnings), nil
}

const probeTime = 10 * time.Second

// unreachable tries the addresses of the technical configuration. A webhook answers to other calls than this one, so
// of it any answer counts but a broken one; a landing page has to be there.
func (s *Service) unreachable(ctx context.Context, c *offer.Content) []finding {
	if s.Calls == nil || c.OfferType != offer.TypeSaaS || !c.Transactable() {
		return nil
	}
	var out []finding
	for _, probe := range []struct {
		policy, field, url string
		broken             func(status int) bool
	}{
		{"technical.landingPage.unreachable", "landingPageUrl", c.Technical.LandingPageURL,
			func(status int) bool { return status == 404 || status == 410 || status >= 500 }},
		{"technical.webhook.unreachable", "connectionWebhook", c.Technical.ConnectionWebhook, func(status int) bool { return status >= 500 }},
	} {
		if probe.url == "" {
			continue
		}
		reply, err := s.Calls.Do(ctx, call.Request{Method: "GET", URL: probe.url, Timeout: probeTime})
		words := ""
		switch {
		case err != nil:
			words = "The address cannot be reached."
		case probe.broken(reply.Status):
			words = fmt.Sprintf("The address answers with the status %d.", reply.Status)
		}
		if words != "" {
			out = append(out, finding{code: probe.policy, page: pageTechnical, field: "technicalConfiguration." + probe.field, text: words})
		}
	}
	return out
}

// maxSiblings bounds the offers that a registration is compared with.
const maxSiblings = 500

// registrationFindings compares the application with those of the publisher's other offers that can be seen: all
// production offers use one, test offers another (SAS-31, SAS-58).
func (s *Service) registrationFindings(ctx context.Context, c *offer.Content) ([]finding, error) {
	if c.OfferType != offer.TypeSaaS || !c.Transactable() {
		return nil, nil
	}
	pair := func(t offer.Technical) string { return strings.ToLower(t.TenantID + "|" + t.AppID) }
	var second, shared bool
	after := ""
	for seen := 0; seen < maxSiblings; {
		page, next, err := s.Store.Offers(ctx, c.PublisherID, after, 100)
		if err != nil {
			return nil, fmt.Errorf("offers of %s: %w", c.PublisherID, err)
		}
		for _, o := range page {
			shown := o.Production
			if shown == nil {
				shown = o.Preview
			}
			if o.OfferID == c.OfferID || o.OfferType != offer.TypeSaaS || shown == nil {
				continue
			}
			other, err := s.Snapshots.Frozen(ctx, shown.Snapshot)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", shown.Snapshot, err)
			}
			if !other.Transactable() || other.TestOffer {
				continue
			}
			same := pair(other.Technical) == pair(c.Technical)
			shared = shared || c.TestOffer && same
			second = second || !c.TestOffer && !same
		}
		if seen += len(page); next == "" {
			break
		}
		after = next
	}
	var out []finding
	add := func(code, text string) {
		out = append(out, finding{code: code, page: pageTechnical, field: "technicalConfiguration.aadApplicationId", text: text})
	}
	if second {
		add("technical.app.second", "Another production offer uses another application: one is meant for all of a publisher's offers.")
	}
	if shared {
		add("testOffer.app.production", "A production offer uses the same application: a test offer has one of its own.")
	}
	return out, nil
}

// ReportFinding is one finding of a validation report.
type ReportFinding struct {
	Policy      string `json:"policy"`
	Description string `json:"description"`
	Page        string `json:"page"`
	Field       string `json:"field"`
}

// ValidationReport is what offer validation found of a submission (3.6, SAS-64).
type ValidationReport struct {
	PublisherID  string          `json:"publisherId"`
	OfferID      string          `json:"offerId"`
	SubmissionID string          `json:"submissionId"`
	Number       int             `json:"submission"`
	CreatedAt    time.Time       `json:"createdAt"`
	Findings     []ReportFinding `json:"findings"`
}

// ValidationReport is the report on a submission, the one under way when the number is 0. NotFound until offer
// validation has run, and for types that have none.
func (s *Service) ValidationReport(ctx context.Context, publisherID, offerID string, number int) (ValidationReport, error) {
	o, err := s.Store.Offer(ctx, publisherID, offerID)
	if err != nil {
		return ValidationReport{}, err
	}
	sub, err := s.numbered(ctx, &o, number)
	if err != nil {
		return ValidationReport{}, err
	}
	report, ok := sub.Validation()
	if !ok {
		return ValidationReport{}, fault.New(fault.NotFound, "NotFound", "submission", "There is no validation report.")
	}
	return report, nil
}

// numbered is a submission of the offer, the one under way when the number is 0.
func (s *Service) numbered(ctx context.Context, o *offer.Offer, number int) (Submission, error) {
	switch {
	case o.Submission == 0:
		return Submission{}, neverSubmitted()
	case number == 0:
		return s.Underway(ctx, o)
	}
	return s.Store.Submission(ctx, o.PublisherID, o.OfferID, number)
}

func neverSubmitted() error {
	return fault.New(fault.NotFound, "NotFound", "submission", "The offer was never submitted.")
}

// Validation is the validation report of the submission, false until it is there.
func (s *Submission) Validation() (ValidationReport, bool) {
	step := s.step(offerValidation)
	if step == nil || step.Status != Complete {
		return ValidationReport{}, false
	}
	report := ValidationReport{
		PublisherID: s.PublisherID, OfferID: s.OfferID, SubmissionID: s.ID, Number: s.Number, CreatedAt: step.CompletedAt, Findings: []ReportFinding{},
	}
	for _, m := range step.Messages {
		if m.Level == Warning {
			report.Findings = append(report.Findings, ReportFinding{Policy: m.Code, Description: html.UnescapeString(m.HTML), Page: m.Page, Field: m.Field})
		}
	}
	return report, true
}
