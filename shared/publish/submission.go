package publish

import (
	"slices"
	"time"

	"stoa/shared/offer"
)

// State is the state of a submission (5.2).
type State string

// The states.
const (
	Created             State = "Created"
	Running             State = "Running"
	Blocked             State = "Blocked"
	WaitingForPublisher State = "WaitingForPublisher"
	GoingLive           State = "GoingLive"
	Succeeded           State = "Succeeded"
	Failed              State = "Failed"
	Canceling           State = "Canceling"
	Canceled            State = "Canceled"
	Superseded          State = "Superseded"
)

// StepStatus is the status of a step, in the spelling of the portal API (3.5).
type StepStatus string

// The step statuses.
const (
	NotStarted         StepStatus = "notStarted"
	InProgress         StepStatus = "inProgress"
	WaitingForReview   StepStatus = "waitingForPublisherReview"
	WaitingForApproval StepStatus = "waitingForApproval"
	StepBlocked        StepStatus = "blocked"
	Rejected           StepStatus = "rejected"
	Complete           StepStatus = "complete"
	StepCanceled       StepStatus = "canceled"
)

// Levels of a step's message.
const (
	Information = "information"
	Warning     = "warning"
	Error       = "error"
)

// Message is what a step says.
type Message struct {
	HTML      string    `json:"messageHtml"`
	Level     string    `json:"level"`
	Timestamp time.Time `json:"timestamp"`
	// Of a finding: its code, or the policy's, and the page and the field it is about.
	Code  string `json:"code,omitempty"`
	Page  string `json:"page,omitempty"`
	Field string `json:"field,omitempty"`
}

// Step is one check of a submission.
type Step struct {
	ID          string     `json:"id"`
	Phase       string     `json:"phase"`
	Name        string     `json:"name"`
	Estimate    string     `json:"estimate,omitempty"`
	Status      StepStatus `json:"status"`
	StartedAt   time.Time  `json:"startedAt,omitzero"`
	CompletedAt time.Time  `json:"completedAt,omitzero"`
	Messages    []Message  `json:"messages,omitempty"`
}

// Submission is a frozen copy of a draft on its way to preview and then live (3.4).
type Submission struct {
	ID                 string       `json:"submissionId"` // GUID; the id of its publish operation
	Number             int          `json:"number"`       // counts up per offer
	PublisherID        string       `json:"publisherId"`
	OfferID            string       `json:"offerId"`
	OfferType          string       `json:"offerType"`
	Snapshot           string       `json:"snapshot"` // name of the frozen content
	ChangedPages       []string     `json:"changedPages"`
	InitiatedBy        string       `json:"initiatedBy"`
	NotificationEmails string       `json:"notificationEmails,omitempty"`
	Notes              string       `json:"notesForCertification,omitempty"` // as they were when it was submitted (SAS-61)
	State              State        `json:"state"`
	Steps              []Step       `json:"steps"`
	OfferVersion       int          `json:"offerVersion"`   // the offer's version when it was submitted
	PreviousStatus     offer.Status `json:"previousStatus"` // what a cancel restores (PUB-37)
	CreatedAt          time.Time    `json:"createdAt"`
	ChangedAt          time.Time    `json:"changedAt"`
	SignedOffAt        time.Time    `json:"signedOffAt,omitzero"`
	CancelAt           time.Time    `json:"cancelAt,omitzero"`
	CancelBy           string       `json:"cancelBy,omitempty"`
	Certification      *Report      `json:"certification,omitempty"`
	// Packages are the versions of the packages that the preview was made of, by plan (PUB-31).
	Packages map[string]string `json:"packages,omitempty"`
	Lock     string            `json:"-"` // optimistic lock of the store, empty for a new one
}

// Report is the certification report (3.6).
type Report struct {
	Result         Result         `json:"result"`
	FailedPolicies []FailedPolicy `json:"failedPolicies,omitempty"`
	Notes          string         `json:"reviewNotes,omitempty"`
	At             time.Time      `json:"reportTime"`
}

// FailedPolicy is one policy the content does not meet.
type FailedPolicy struct {
	ID          string `json:"policyId"`
	Description string `json:"description"`
}

// Result is the outcome of certification.
type Result string

// The results.
const (
	Pending         Result = "Pending"
	Passed          Result = "Passed"
	PassedWithNotes Result = "PassedWithNotes"
	Refused         Result = "Failed"
)

// step finds a step of the submission.
func (s *Submission) step(id string) *Step {
	at := slices.IndexFunc(s.Steps, func(st Step) bool { return st.ID == id })
	if at < 0 {
		return nil
	}
	return &s.Steps[at]
}

// current is the first step that is not complete, nil when all are.
func (s *Submission) current() *Step {
	at := slices.IndexFunc(s.Steps, func(st Step) bool { return st.Status != Complete })
	if at < 0 {
		return nil
	}
	return &s.Steps[at]
}

// running reports whether steps of the submission may change. PUB-36: after a cancel none does.
func (s *Submission) running() bool {
	return s.State == Created || s.State == Running || s.State == GoingLive
}

// Warnings are the open warnings of the steps, which go live repeats (PUB-13).
func (s *Submission) Warnings() []Message {
	var out []Message
	for _, step := range s.Steps {
		for _, m := range step.Messages {
			if m.Level == Warning {
				out = append(out, m)
			}
		}
	}
	return out
}

// Cancellable reports whether a cancel is accepted (PUB-34).
func (s *Submission) Cancellable() bool {
	return s.State == Created || s.State == Running || s.State == Blocked
}
