package publish

import (
	"context"
	"fmt"
	"html"
	"slices"
	"strings"

	"stoa/shared/offer"
)

// Certifier reviews a content. The verdict Pending leaves the step waiting for an operator.
type Certifier interface {
	Certify(ctx context.Context, sub Submission, c offer.Content) (Report, error)
}

// finding is one thing that is wrong with a content.
type finding struct {
	code, page, field, text string
}

func (f finding) message(level string) Message {
	return Message{HTML: html.EscapeString(f.text), Level: level, Code: f.code, Page: f.page, Field: f.field}
}

func inform(text string) Message { return Message{HTML: html.EscapeString(text), Level: Information} }

// outcome is what running a step came to.
type outcome struct {
	status   StepStatus // Complete, StepBlocked, Rejected or WaitingForApproval
	messages []Message
	report   *Report
	packages map[string]string // versions of the packages that were looked at, by plan
}

// check does the work of one step. It changes nothing, so running it twice is harmless.
func (s *Service) check(ctx context.Context, step string, sub *Submission, c *offer.Content) (outcome, error) {
	switch step {
	case manualValidation, contentValidation:
		return s.certify(ctx, sub, c)
	case offerValidation:
		return s.validate(ctx, c)
	case technicalValidation:
		return s.checkMachines(ctx, c)
	case packageProvisioning, livePackageProvisioning:
		return s.provision(ctx, sub, c, step == livePackageProvisioning)
	case "purchaseFlowSetup", "livePurchaseFlowSetup":
		return checked(purchaseFindings(c), nil), nil
	case "leadManagement", "liveLeadManagement":
		return checked(s.leadFindings(c)), nil
	case "testDriveDataValidation", "liveTestDriveDataValidation":
		return checked(testDriveFindings(c), nil), nil
	case "testDriveProvisioning", "liveTestDriveProvisioning":
		return checked(nil, provisioningWarnings(c)), nil
	}
	return checked(nil, nil), nil
}

// checked blocks the step when something is wrong, else completes it with its warnings.
func checked(wrong, warnings []finding) outcome {
	out := outcome{status: Complete}
	for _, f := range wrong {
		out.messages = append(out.messages, f.message(Error))
	}
	for _, f := range warnings {
		out.messages = append(out.messages, f.message(Warning))
	}
	if len(wrong) > 0 {
		out.status = StepBlocked
		out.messages = append(out.messages, inform("Correct the offer and publish again, or cancel."))
		return out
	}
	out.messages = append(out.messages, inform("Step completed."))
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
	out := verdict(report)
	items, err := s.checklistOf(ctx, c)
	if err != nil {
		return outcome{}, err
	}
	out.messages = append(unproven(items), out.messages...) // SAS-66
	return out, nil
}

// verdict is the outcome a certification report means (PUB-15, PUB-20).
func verdict(r Report) outcome {
	out := outcome{report: &r}
	switch r.Result {
	case Pending:
		out.status = WaitingForApproval
	case Refused:
		out.status = Rejected
		for _, p := range r.FailedPolicies {
			out.messages = append(out.messages, finding{code: p.ID, text: p.ID + ": " + p.Description}.message(Error))
		}
		if len(out.messages) == 0 {
			out.messages = []Message{finding{text: "Certification refused the offer."}.message(Error)}
		}
	default:
		out.status, out.messages = Complete, []Message{inform("Step completed.")}
	}
	return out
}

// purchaseFindings says why a customer could not buy.
func purchaseFindings(c *offer.Content) []finding {
	var out []finding
	for field, value := range map[string]string{"landingPageUrl": c.Technical.LandingPageURL, "connectionWebhook": c.Technical.ConnectionWebhook} {
		if value == "" {
			out = append(out, finding{offer.CodeRequired, pageTechnical, "technicalConfiguration." + field, "The technical configuration has no " + field + "."})
		}
	}
	slices.SortFunc(out, func(a, b finding) int { return strings.Compare(a.field, b.field) })
	for i, p := range c.Plans {
		if len(p.Terms) == 0 {
			out = append(out, finding{offer.CodeRequired, pagePlans, fmt.Sprintf("plans[%d].terms", i), "The plan " + p.ID + " has no billing term."})
		}
	}
	return out
}
