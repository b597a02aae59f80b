package offers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/web"
)

const (
	maxListed = 100 // pages or policies in a body
	maxPolicy = 50  // characters of a policy's id
)

func tooLong(target string, limit int) error {
	return fault.New(fault.Invalid, offer.CodeInvalid, target, "At most %d characters are allowed.", limit)
}

type accepted struct {
	SubmissionID string            `json:"submissionId"`
	Number       int               `json:"number"`
	Warnings     []publish.Message `json:"openWarnings,omitempty"`
}

// publish freezes the draft and starts a submission: 202 (PUB-4 to PUB-9).
func (h *Handler) publish(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Pages []string `json:"pages"`
		Notes string   `json:"notes"`
	}
	if err := web.DecodeOptional(r, &in); err != nil {
		return err
	}
	switch {
	case len(in.Pages) > maxListed:
		return fault.New(fault.Invalid, offer.CodeInvalid, "pages", "At most %d pages can be named.", maxListed)
	case utf8.RuneCountInString(in.Notes) > offer.MaxNotes:
		return tooLong("notes", offer.MaxNotes)
	}
	req := request(r)
	req.Pages, req.Notes = in.Pages, in.Notes
	sub, err := h.deps.Publish.Publish(r.Context(), req)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, accepted{SubmissionID: sub.ID, Number: sub.Number})
}

// goLive signs the preview off: 202 with the open warnings (PUB-13, PUB-29).
func (h *Handler) goLive(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.deps.Publish.GoLive(r.Context(), request(r))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, accepted{SubmissionID: sub.ID, Number: sub.Number, Warnings: sub.Warnings()})
}

// cancel asks to end the running submission: 202, and 200 when that was asked for before (PUB-34, PUB-38).
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) error {
	sub, repeated, err := h.deps.Publish.Cancel(r.Context(), request(r))
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if repeated {
		status = http.StatusOK
	}
	return web.WriteJSON(w, status, accepted{SubmissionID: sub.ID, Number: sub.Number})
}

type overviewStep struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Estimate    string             `json:"estimate,omitempty"`
	Status      publish.StepStatus `json:"status"`
	StartedAt   *time.Time         `json:"startedAt,omitempty"`
	CompletedAt *time.Time         `json:"completedAt,omitempty"`
	Messages    []publish.Message  `json:"messages"`
}

type overviewPhase struct {
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Steps []overviewStep `json:"steps"`
}

type overview struct {
	Anomalies     int               `json:"anomalies,omitempty"` // of usage, which wait for a decision
	Status        offer.Status      `json:"status"`
	StatusText    string            `json:"statusText"`
	Version       int               `json:"version"`
	SubmissionID  string            `json:"submissionId,omitempty"`
	State         publish.State     `json:"submissionState,omitempty"`
	Phases        []overviewPhase   `json:"publishStatus"`
	PreviewLinks  []string          `json:"previewLinks"`
	LiveLinks     []string          `json:"liveLinks"`
	Validation    []publish.Message `json:"validationReport,omitempty"`
	ReportURL     string            `json:"validationReportUrl,omitempty"`
	Certification *publish.Report   `json:"certificationReport,omitempty"`
	Differs       bool              `json:"previewDiffersFromLive"`
	Actions       []string          `json:"actions"`
}

// overview shows the offer's status, the steps of the newest submission, the links and what can be done.
func (h *Handler) overview(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	sub, err := h.underway(r.Context(), &o)
	if err != nil {
		return err
	}
	out := overview{
		Status: o.Status, StatusText: o.Status.Text(), Version: o.Version, Phases: []overviewPhase{}, PreviewLinks: []string{}, LiveLinks: []string{},
		Differs: o.Preview != nil && o.Production != nil && o.Preview.Submission != o.Production.Submission, Actions: actions(&o, sub), // PUB-30
	}
	if len(o.Dimensions) > 0 { // MTR-74
		if out.Anomalies, err = h.deps.Alerts(r.Context(), o.PublisherID, o.OfferID); err != nil {
			return err
		}
	}
	if out.PreviewLinks, err = h.links(r.Context(), &o, o.Preview, h.deps.Catalogue.InPreview); err != nil {
		return err
	}
	if !o.Withdrawn {
		if out.LiveLinks, err = h.links(r.Context(), &o, o.Production, h.deps.Catalogue.Live); err != nil {
			return err
		}
	}
	if sub != nil {
		if _, ok := sub.Validation(); ok { // SAS-64
			out.ReportURL = "/portal/v1/publishers/" + o.PublisherID + "/offers/" + o.OfferID + "/validationReport?submission=" + strconv.Itoa(sub.Number)
		}
		out.SubmissionID, out.State, out.Certification, out.Validation = sub.ID, sub.State, sub.Certification, sub.Warnings()
		out.Phases = phasesOf(sub)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// links lead to a version, one for each store that shows it (PUB-25, SAS-65).
func (h *Handler) links(ctx context.Context, o *offer.Offer, slot *offer.Frozen, read func(context.Context, string, string) (offer.Version, error)) ([]string, error) {
	out := []string{}
	if slot == nil {
		return out, nil
	}
	v, err := read(ctx, o.PublisherID, o.OfferID)
	if fault.Is(err, fault.NotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	link := "/storefront/v1/offers/" + o.PublisherID + "/" + o.OfferID + "?"
	if v.Slot == offer.Preview {
		link += "slot=preview&"
	}
	for _, store := range v.Stores() {
		out = append(out, link+"store="+string(store))
	}
	return out, nil
}

func phasesOf(sub *publish.Submission) []overviewPhase {
	out := []overviewPhase{}
	for _, p := range publish.PhasesOf(sub.OfferType) {
		phase := overviewPhase{ID: p.ID, Name: p.Name, Steps: []overviewStep{}}
		for _, s := range sub.Steps {
			if s.Phase == p.ID {
				phase.Steps = append(phase.Steps, overviewStep{
					ID: s.ID, Name: s.Name, Estimate: s.Estimate, Status: s.Status, StartedAt: at(s.StartedAt), CompletedAt: at(s.CompletedAt),
					Messages: append([]publish.Message{}, s.Messages...),
				})
			}
		}
		out = append(out, phase)
	}
	return out
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func actions(o *offer.Offer, sub *publish.Submission) []string {
	out := []string{}
	if o.Status == offer.StatusPreview && !o.TestOffer {
		out = append(out, "golive")
	}
	if sub != nil && sub.Cancellable() {
		out = append(out, "cancel")
	}
	if o.Status != offer.StatusPublishInProgress && o.Status != offer.StatusPendingStopDistribution {
		out = append(out, "publish")
		if o.Production != nil && !o.Withdrawn {
			out = append(out, "stopDistribution")
		}
	}
	return out
}

// Operator mounts what staff do: the verdict on a submission that waits for certification, with what to look at, and
// announcements.
func (h *Handler) Operator(g *web.Group) {
	const certification = "/operator/v1/publishers/{publisherId}/offers/{offerId}/certification"
	g.Handle(http.MethodPost, certification, web.Operator(), h.certify)
	g.Handle(http.MethodGet, certification, web.Operator(), h.checklist)
	g.Handle(http.MethodPost, "/operator/v1/announcements", web.Operator(), h.announce)
}

// verdict is the body of a certification.
type verdict struct {
	Result         publish.Result         `json:"result"`
	FailedPolicies []publish.FailedPolicy `json:"failedPolicies"`
	Notes          string                 `json:"reviewNotes"`
}

func (v *verdict) check() error {
	switch {
	case v.Result != publish.Passed && v.Result != publish.PassedWithNotes && v.Result != publish.Refused:
		return fault.New(fault.Invalid, offer.CodeInvalid, "result", "The result is %s, %s or %s.", publish.Passed, publish.PassedWithNotes, publish.Refused)
	case v.Result == publish.Refused && len(v.FailedPolicies) == 0:
		return fault.New(fault.Invalid, offer.CodeRequired, "failedPolicies", "A refusal names the policies that are not met.")
	case len(v.FailedPolicies) > maxListed:
		return fault.New(fault.Invalid, offer.CodeInvalid, "failedPolicies", "At most %d policies can be named.", maxListed)
	case utf8.RuneCountInString(v.Notes) > offer.MaxNotes:
		return tooLong("reviewNotes", offer.MaxNotes)
	}
	for i, p := range v.FailedPolicies {
		if utf8.RuneCountInString(p.ID) > maxPolicy {
			return tooLong(fmt.Sprintf("failedPolicies[%d].policyId", i), maxPolicy)
		}
		if utf8.RuneCountInString(p.Description) > offer.MaxNotes {
			return tooLong(fmt.Sprintf("failedPolicies[%d].description", i), offer.MaxNotes)
		}
	}
	return nil
}

func (h *Handler) certify(w http.ResponseWriter, r *http.Request) error {
	var in verdict
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	sub, err := h.deps.Publish.Verdict(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"),
		publish.Report{Result: in.Result, FailedPolicies: in.FailedPolicies, Notes: in.Notes})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]string{"submissionId": sub.ID, "number": strconv.Itoa(sub.Number), "submissionState": string(sub.State)})
}
