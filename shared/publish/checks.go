package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"stoa/shared/offer"
)

// Certifier reviews a content. The verdict Pending leaves the step waiting for an operator.
type Certifier interface {
	Certify(ctx context.Context, sub Submission, c offer.Content) (Report, error)
}

// Policy is one check of offer validation. Its findings never block (PUB-13).
type Policy struct {
	ID    string
	Check func(c *offer.Content) string // what is wrong, "" when nothing is
}

// builtInPolicies are the quick checks of offer validation.
var builtInPolicies = []Policy{
	{ID: "listing.description.short", Check: func(c *offer.Content) string {
		if utf8.RuneCountInString(c.Listing.Description) < 100 {
			return "The description is very short. Say what the offer does, for whom, and what it is worth to them."
		}
		return ""
	}},
	{ID: "listing.name.shouting", Check: func(c *offer.Content) string {
		if name := c.Listing.Name; utf8.RuneCountInString(name) > 5 && name == strings.ToUpper(name) && name != strings.ToLower(name) {
			return "The name is written in capital letters only."
		}
		return ""
	}},
}

// outcome is what running a step came to.
type outcome struct {
	status   StepStatus // Complete, StepBlocked, Rejected or WaitingForApproval
	messages []Message
	report   *Report
}

// check does the work of one step. It changes nothing, so running it twice is harmless.
func (s *Service) check(ctx context.Context, step string, sub *Submission, c *offer.Content) (outcome, error) {
	switch step {
	case manualValidation, contentValidation:
		return s.certify(ctx, sub, c)
	case offerValidation:
		return s.validate(c), nil
	case technicalValidation:
		return blockedBy(imageProblems(c)), nil
	case packageProvisioning, "livePackageProvisioning":
		problems, err := s.packageProblems(ctx, c)
		return blockedBy(problems), err
	case "purchaseFlowSetup", "livePurchaseFlowSetup":
		return blockedBy(purchaseProblems(c)), nil
	}
	return blockedBy(nil), nil
}

func blockedBy(problems []string) outcome {
	if len(problems) == 0 {
		return outcome{status: Complete, messages: []Message{{HTML: "Step completed.", Level: Information}}}
	}
	out := outcome{status: StepBlocked}
	for _, p := range problems {
		out.messages = append(out.messages, Message{HTML: p, Level: Error})
	}
	out.messages = append(out.messages, Message{HTML: "Correct the offer and publish again, or cancel.", Level: Information})
	return out
}

func (s *Service) validate(c *offer.Content) outcome {
	out := blockedBy(nil)
	policies := s.Policies
	if policies == nil {
		policies = builtInPolicies
	}
	for _, p := range policies {
		if words := p.Check(c); words != "" {
			out.messages = append(out.messages, Message{HTML: p.ID + ": " + words, Level: Warning})
		}
	}
	return out
}

func (s *Service) certify(ctx context.Context, sub *Submission, c *offer.Content) (outcome, error) {
	report := Report{Result: Passed}
	if s.Certifier != nil {
		var err error
		if report, err = s.Certifier.Certify(ctx, *sub, *c); err != nil {
			return outcome{}, fmt.Errorf("certify %s submission %d: %w", sub.OfferID, sub.Number, err)
		}
	}
	return verdict(report), nil
}

// verdict is the outcome a certification report means (PUB-15, PUB-20).
func verdict(r Report) outcome {
	switch r.Result {
	case Pending:
		return outcome{status: WaitingForApproval, report: &r}
	case Refused:
		out := outcome{status: Rejected, report: &r}
		for _, p := range r.FailedPolicies {
			out.messages = append(out.messages, Message{HTML: p.ID + ": " + p.Description, Level: Error})
		}
		return out
	}
	out := blockedBy(nil)
	out.report = &r
	return out
}

// purchaseProblems says why a customer could not buy.
func purchaseProblems(c *offer.Content) []string {
	var out []string
	if c.Technical.LandingPageURL == "" || c.Technical.ConnectionWebhook == "" {
		out = append(out, "The technical configuration has no landing page or no connection webhook.")
	}
	for _, p := range c.Plans {
		if len(p.Terms) == 0 {
			out = append(out, fmt.Sprintf("The plan %s has no billing term.", p.ID))
		}
	}
	return out
}

func (s *Service) packageProblems(ctx context.Context, c *offer.Content) ([]string, error) {
	if s.Packages == nil {
		return nil, nil
	}
	var out []string
	for _, p := range c.Plans {
		name := p.PackageBlob[strings.LastIndexByte(p.PackageBlob, '/')+1:]
		ok, why, err := s.Packages.Accepted(ctx, c.PublisherID, c.OfferID, name)
		if err != nil {
			return nil, fmt.Errorf("package of plan %s: %w", p.ID, err)
		}
		if !ok {
			out = append(out, fmt.Sprintf("The package of the plan %s cannot be published: %s", p.ID, why))
		}
	}
	return out, nil
}

// imageProblems says which virtual machine plans have no image.
func imageProblems(c *offer.Content) []string {
	if c.OfferType != "VirtualMachine" {
		return nil
	}
	var definition struct {
		Plans []map[string]json.RawMessage `json:"plans"`
	}
	if err := json.Unmarshal(c.Definition, &definition); err != nil {
		return []string{"The offer has no readable definition."}
	}
	var out []string
	for i, plan := range definition.Plans {
		var images map[string]json.RawMessage
		// Images of another shape are none.
		_ = json.Unmarshal(plan["microsoft-azure-virtualmachines.vmImages"], &images)
		if len(images) == 0 && i < len(c.Plans) {
			out = append(out, fmt.Sprintf("No virtual machine image was found for the plan %s.", c.Plans[i].ID))
		}
	}
	return out
}
