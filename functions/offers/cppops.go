package offers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/web"
)

// Kinds of operation, in the list's spelling.
const (
	kindPublish = "publish"
	kindGoLive  = "goLive"
	kindCancel  = "cancel"
)

// operation is one long-running act on a submission: its publishing, its sign-off or its cancel.
type operation struct {
	id   string
	kind string
	at   time.Time
	sub  *publish.Submission
}

// operationsOf are the operations of a submission, the newest first. Their ids are made of the submission's.
func operationsOf(sub *publish.Submission) []operation {
	var out []operation
	if !sub.CancelAt.IsZero() {
		out = append(out, operation{offer.GUID(kindCancel, sub.ID), kindCancel, sub.CancelAt, sub})
	}
	if !sub.SignedOffAt.IsZero() {
		out = append(out, operation{offer.GUID(kindGoLive, sub.ID), kindGoLive, sub.SignedOffAt, sub})
	}
	return append(out, operation{sub.ID, kindPublish, sub.CreatedAt, sub})
}

// cppStatusOf is the status of an offer by its newest submission (5.4).
func cppStatusOf(sub *publish.Submission) string {
	if sub == nil {
		return "neverPublished"
	}
	switch sub.State {
	case publish.Created:
		return "notStarted"
	case publish.WaitingForPublisher, publish.Superseded:
		return "waitingForPublisherReview"
	case publish.Succeeded:
		return "succeeded"
	case publish.Canceled:
		return "canceled"
	case publish.Failed:
		return "failed"
	}
	return "running"
}

// state is the state of an operation in the list of submissions.
func (op operation) state() string {
	switch s := op.sub.State; {
	case op.kind == kindCancel && s == publish.Canceled:
		return "completed"
	case op.kind == kindCancel:
		return "running"
	case s == publish.Canceling && op.kind == kindPublish:
		return "canceled" // the cancel is the operation that runs (CPP-43)
	case s == publish.Canceled:
		return "canceled"
	case op.kind == kindPublish && !op.sub.SignedOffAt.IsZero():
		return "completed"
	case s == publish.WaitingForPublisher, s == publish.Superseded, s == publish.Succeeded:
		return "completed"
	case s == publish.Created:
		return "notStarted"
	case s == publish.Failed:
		return "failed"
	}
	return "running"
}

func (op operation) status() string {
	if s := op.state(); op.kind == kindPublish || s == "running" {
		if op.sub.State == publish.Canceling {
			return "running"
		}
		return cppStatusOf(op.sub)
	}
	return map[string]string{"completed": "succeeded", "failed": "failed", "canceled": "canceled"}[op.state()]
}

type cppMessage struct {
	HTML      string `json:"messageHtml"`
	Level     string `json:"level"`
	Timestamp string `json:"timestamp"`
}

type cppStep struct {
	Estimate    string       `json:"estimatedTimeFrame"`
	ID          string       `json:"id"`
	Name        string       `json:"stepName"`
	Description string       `json:"description"`
	Status      string       `json:"status"`
	Messages    []cppMessage `json:"messages"`
	Progress    int          `json:"progressPercentage"`
}

type cppStatusBody struct {
	PublishingVersion *int         `json:"publishingVersion,omitempty"`
	OfferVersion      *int         `json:"offerVersion,omitempty"`
	Cancellation      string       `json:"cancellationRequestState,omitempty"`
	Status            string       `json:"status"`
	Messages          []cppMessage `json:"messages"`
	Steps             []cppStep    `json:"steps"`
	PreviewLinks      []string     `json:"previewLinks"`
	LiveLinks         []string     `json:"liveLinks"`
}

// statusBody is the body that status and operation share (6.1).
func statusBody(status string, sub *publish.Submission) cppStatusBody {
	body := cppStatusBody{Status: status, Messages: []cppMessage{}, Steps: []cppStep{}, PreviewLinks: []string{}, LiveLinks: []string{}}
	for _, def := range publish.CPPSteps() {
		step := cppStep{Estimate: def.Estimate, ID: def.ID, Name: def.Name, Description: def.Description, Status: string(publish.NotStarted), Messages: []cppMessage{}}
		if sub != nil {
			step.progress(sub, def.Phase)
		}
		body.Steps = append(body.Steps, step)
	}
	return body
}

// progress folds the steps of a phase into the one the portal API shows.
func (s *cppStep) progress(sub *publish.Submission, phase string) {
	total, done, worst := 0, 0, publish.NotStarted
	for _, step := range sub.Steps {
		if step.Phase != phase {
			continue
		}
		total++
		switch step.Status {
		case publish.Complete:
			done++
		case publish.NotStarted:
		default:
			worst = step.Status
		}
		for _, m := range step.Messages {
			s.Messages = append(s.Messages, cppMessage{HTML: m.HTML, Level: m.Level, Timestamp: m.Timestamp.UTC().Format(time.RFC3339Nano)})
		}
	}
	switch {
	case total > 0 && done == total:
		s.Status, s.Progress = string(publish.Complete), 100
	case worst != publish.NotStarted:
		s.Status = string(worst)
	case done > 0:
		s.Status = string(publish.InProgress)
	}
	if worst != publish.StepBlocked && total > 0 && done < total {
		s.Progress = 100 * done / total
	}
}

func (h *Handler) cppStatus(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	sub, err := h.underway(r.Context(), &o)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, statusBody(cppStatusOf(sub), sub))
}

// cppMetadata is the body of publish, go live and cancel, which may be absent.
type cppMetadata struct {
	Metadata struct {
		Emails string `json:"notification-emails"`
	} `json:"metadata"`
}

// maxEmails bounds the notification list, in characters.
const maxEmails = 2000

// action is what publish, go live and cancel share: the body, the type, the answer with the operation's place.
func (h *Handler) action(w http.ResponseWriter, r *http.Request, kind string, do func(publish.Request) (publish.Submission, int, error)) error {
	var in cppMetadata
	if err := web.DecodeOptional(r, &in); err != nil {
		return err
	}
	if utf8.RuneCountInString(in.Metadata.Emails) > maxEmails {
		return fault.New(fault.Invalid, "BadRequest", "metadata.notification-emails", "At most %d characters are allowed.", maxEmails)
	}
	if err := h.writable(r); err != nil {
		return err
	}
	req := request(r)
	req.Emails = in.Metadata.Emails
	sub, status, err := do(req)
	if err != nil {
		return err
	}
	id := sub.ID
	if kind != kindPublish {
		id = offer.GUID(kind, sub.ID)
	}
	location := fmt.Sprintf("/api/publishers/%s/offers/%s/operations/%s?api-version=2017-10-31", sub.PublisherID, sub.OfferID, id)
	w.Header().Set("Location", location) // CPP-36
	w.Header().Set("Operation-Location", location)
	return web.WriteJSON(w, status, map[string]string{"location": location})
}

func (h *Handler) cppPublish(w http.ResponseWriter, r *http.Request) error {
	return h.action(w, r, kindPublish, func(req publish.Request) (publish.Submission, int, error) {
		sub, err := h.deps.Publish.Publish(r.Context(), req)
		return sub, http.StatusAccepted, err
	})
}

func (h *Handler) cppGoLive(w http.ResponseWriter, r *http.Request) error {
	return h.action(w, r, kindGoLive, func(req publish.Request) (publish.Submission, int, error) {
		sub, err := h.deps.Publish.GoLive(r.Context(), req)
		return sub, http.StatusAccepted, err
	})
}

// cppCancel answers 202 when it starts a cancel and 200 when there is one (CPP-35, PUB-38).
func (h *Handler) cppCancel(w http.ResponseWriter, r *http.Request) error {
	return h.action(w, r, kindCancel, func(req publish.Request) (publish.Submission, int, error) {
		sub, repeated, err := h.deps.Publish.Cancel(r.Context(), req)
		if repeated {
			return sub, http.StatusOK, err
		}
		return sub, http.StatusAccepted, err
	})
}

type cppSubmission struct {
	ID                string         `json:"id"`
	OfferID           string         `json:"offerId"`
	OfferVersion      int            `json:"offerVersion"`
	OfferTypeID       string         `json:"offerTypeId"`
	PublisherID       string         `json:"publisherId"`
	Type              string         `json:"submissionType"`
	State             string         `json:"submissionState"`
	PublishingVersion int            `json:"publishingVersion"`
	Slot              string         `json:"slot"`
	Version           int64          `json:"version"`
	Definition        map[string]any `json:"definition"`
	ChangedTime       string         `json:"changedTime"`
	Created           string         `json:"createdDateTime"`
	LastAction        string         `json:"lastActionDateTime"`
	Status            string         `json:"status"`
	Error             *cppError      `json:"error,omitempty"`
}

// maxOperations bounds how many submissions back an operation is found.
const maxOperations = 500

// cppSubmissions lists operations, the newest first (CPP-42, CPP-45).
func (h *Handler) cppSubmissions(w http.ResponseWriter, r *http.Request) error {
	subs, err := h.submissionsOf(r)
	if err != nil {
		return err
	}
	fold := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	want := fold(r.URL.Query().Get("status"))
	if want == "" {
		want = fold(r.URL.Query().Get("submissionState"))
	}
	out := []cppSubmission{}
	for i := range subs {
		for _, op := range operationsOf(&subs[i]) {
			if want == "" || fold(op.state()) == want {
				out = append(out, op.wire())
			}
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (op operation) wire() cppSubmission {
	t, _ := offer.TypeOf(op.sub.OfferType)
	changed, slot := op.sub.ChangedAt.UTC(), "staging"
	if op.kind == kindGoLive {
		slot = "production"
	}
	return cppSubmission{
		ID: op.id, OfferID: op.sub.OfferID, OfferVersion: op.sub.OfferVersion, OfferTypeID: t.CPPID, PublisherID: op.sub.PublisherID,
		Type: op.kind, State: op.state(), PublishingVersion: op.sub.Number, Slot: slot, Version: ticks(changed),
		Definition:  map[string]any{"metadata": map[string]string{"emails": op.sub.NotificationEmails}},
		ChangedTime: changed.Format(cppTime), Created: op.at.UTC().Format(cppTime), LastAction: changed.Format(cppTime), Status: op.state(),
	}
}

// submissionsOf reads the submissions of the offer of the request; NotFound when there is no such offer.
func (h *Handler) submissionsOf(r *http.Request) ([]publish.Submission, error) {
	publisherID, offerID := r.PathValue("publisherId"), r.PathValue("offerId")
	if _, err := h.deps.Catalogue.Offer(r.Context(), publisherID, offerID); err != nil {
		return nil, err
	}
	return h.deps.Catalogue.Submissions(r.Context(), publisherID, offerID, 0, maxOperations)
}

// cppOperation answers one object (CPP-44).
func (h *Handler) cppOperation(w http.ResponseWriter, r *http.Request) error {
	subs, err := h.submissionsOf(r)
	if err != nil {
		return err
	}
	for i := range subs {
		for _, op := range operationsOf(&subs[i]) {
			if strings.EqualFold(op.id, r.PathValue("operationId")) {
				return op.answer(w)
			}
		}
	}
	return noOperation()
}

func noOperation() error { // CPP-49
	return fault.New(fault.NotFound, "NotFound", "operationId", "There is no such operation.")
}

func (op operation) answer(w http.ResponseWriter) error {
	body := statusBody(op.status(), op.sub)
	body.PublishingVersion, body.OfferVersion = &op.sub.Number, &op.sub.OfferVersion
	switch {
	case op.sub.State == publish.Canceling:
		body.Cancellation = "cancelRequested"
	case op.sub.State == publish.Canceled:
		body.Cancellation = "canceled"
	case op.sub.Cancellable():
		body.Cancellation = "canCancel"
	default: // CPP-46
		body.Cancellation = "cannotCancel"
	}
	return web.WriteJSON(w, http.StatusOK, body)
}

// cppOperationByName resolves publisher$offer$number$slot (CPP-37).
func (h *Handler) cppOperationByName(w http.ResponseWriter, r *http.Request) error {
	parts := strings.Split(r.PathValue("operationId"), "$")
	if len(parts) != 4 {
		return noOperation()
	}
	if err := h.deps.Accounts.Allow(r.Context(), web.Caller(r.Context()), parts[0], mayRead); err != nil {
		return err
	}
	number, err := strconv.Atoi(parts[2])
	if err != nil || number < 1 {
		return noOperation()
	}
	sub, err := h.deps.Catalogue.Submission(r.Context(), parts[0], parts[1], number)
	if fault.Is(err, fault.NotFound) {
		return noOperation()
	}
	if err != nil {
		return err
	}
	kind := map[string]string{"preview": kindPublish, "production": kindGoLive}[strings.ToLower(parts[3])]
	for _, op := range operationsOf(&sub) {
		if op.kind == kind {
			return op.answer(w)
		}
	}
	return noOperation()
}

// cppSlot reads a slot (CPP-21, CPP-22).
func (h *Handler) cppSlot(w http.ResponseWriter, r *http.Request) error {
	for _, slot := range []offer.Slot{offer.Draft, offer.Preview, offer.Production} {
		if strings.EqualFold(r.PathValue("slotId"), string(slot)) {
			return h.answerSlot(w, r, slot)
		}
	}
	return fault.New(fault.Invalid, "BadRequest", "slotId", "The slot is Draft, Preview or Production.")
}

func (h *Handler) answerSlot(w http.ResponseWriter, r *http.Request, slot offer.Slot) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	var v offer.Version
	switch slot {
	case offer.Preview:
		v, err = h.deps.Catalogue.InPreview(r.Context(), o.PublisherID, o.OfferID)
	case offer.Production:
		v, err = h.deps.Catalogue.Live(r.Context(), o.PublisherID, o.OfferID)
	default:
		return h.cppAnswer(w, r, http.StatusOK, o)
	}
	if err != nil {
		return err
	}
	return h.answerVersion(w, r, &o, v)
}

func (h *Handler) answerVersion(w http.ResponseWriter, r *http.Request, o *offer.Offer, v offer.Version) error {
	sub, err := h.underway(r.Context(), o)
	if err != nil {
		return err
	}
	body, err := cppOfferOf(o, sub, &v.Content, v.Number)
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag())
	return web.WriteJSON(w, http.StatusOK, body)
}

// cppVersion reads a version that was live, by its number (PUB-32).
func (h *Handler) cppVersion(w http.ResponseWriter, r *http.Request) error {
	number, err := strconv.Atoi(r.PathValue("version"))
	if err != nil {
		return fault.New(fault.Invalid, "BadRequest", "version", "The version is a whole number.")
	}
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	subs, err := h.deps.Catalogue.Submissions(r.Context(), o.PublisherID, o.OfferID, 0, maxOperations)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if sub.State != publish.Succeeded || sub.OfferVersion+1 != number {
			continue
		}
		content, err := h.deps.Publish.Snapshots.Frozen(r.Context(), sub.Snapshot)
		if err != nil {
			return err
		}
		return h.answerVersion(w, r, &o, offer.Version{Number: number, Content: content})
	}
	return fault.New(fault.NotFound, "NotFound", "version", "The offer has no version %d.", number)
}
