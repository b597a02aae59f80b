package testdrive

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
)

const (
	workflowTime = 100 * time.Second // a workflow may take its time; the platform's limit is 120 s
	pollEvery    = 15 * time.Second
	provisionMax = 90 * time.Minute // TDR-53
)

// retries stand between the tries of an assign workflow that does not work.
var retries = []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute}

// assignment is what came of a call of the assign workflow.
type assignment struct {
	ready     bool
	outputs   []Output
	poll      string // it runs on; this address tells
	permanent bool
	code      string
}

// goOn says whether, and after which time, provisioning goes on.
func goOn(attempt int, a assignment, since time.Duration) (time.Duration, bool) {
	switch {
	case a.permanent || since >= provisionMax:
		return 0, false
	case a.poll != "" && a.code == "":
		return pollEvery, true
	case attempt > len(retries) && a.poll == "":
		return 0, false
	}
	return retries[min(attempt, len(retries))-1], true
}

// workflowBody is what both workflows get (6.3.4).
type workflowBody struct {
	SessionID string `json:"sessionId"`
	OfferID   string `json:"offerId"`
	UserEmail string `json:"userEmail"`
	UserName  string `json:"userName"`
	StartTime string `json:"startTime"`
	EndTime   string `json:"endTime"`
}

func body(s Session, now time.Time) []byte {
	start, end := now, now.Add(s.Config.duration())
	if !s.ReadyAt.IsZero() {
		start, end = s.ReadyAt, s.ExpiresAt
	}
	raw, err := json.Marshal(workflowBody{
		SessionID: s.ID, OfferID: s.Pool.PublisherID + "." + s.Pool.OfferID, UserEmail: s.Contact.Email,
		UserName:  strings.TrimSpace(s.Contact.FirstName + " " + s.Contact.LastName),
		StartTime: start.UTC().Format(time.RFC3339), EndTime: end.UTC().Format(time.RFC3339),
	})
	if err != nil {
		panic(fmt.Sprintf("body of test drive session %s: %v", s.ID, err)) // strings always marshal
	}
	return raw
}

// assign calls the assign workflow, or asks how the run of it goes (TDR-84).
func (s *Service) assign(ctx context.Context, session Session) assignment {
	request := call.Request{
		Method: "POST", URL: session.Config.AssignURL, Body: body(session, s.deps.Now()), Timeout: workflowTime,
		Header: map[string]string{"Content-Type": "application/json; charset=utf-8"},
	}
	if session.PollURL != "" {
		request.Method, request.URL, request.Body, request.Header = "GET", session.PollURL, nil, nil
	}
	reply, err := s.deps.Calls.Do(ctx, request)
	if err != nil {
		code, permanent := failure(err)
		return assignment{code: code, permanent: permanent, poll: session.PollURL}
	}
	switch {
	case reply.Status == 202:
		if poll := header(reply, "Location"); poll != "" {
			return assignment{poll: poll}
		}
		if session.PollURL != "" {
			return assignment{poll: session.PollURL}
		}
		return assignment{ready: true} // taken on without a way to ask: ready, as it says
	case reply.Status >= 200 && reply.Status < 300:
		outputs, err := parseOutputs(reply.Body)
		if err != nil {
			return assignment{code: "InvalidOutputs", permanent: true}
		}
		return assignment{ready: true, outputs: outputs}
	}
	return assignment{code: "WorkflowFailed", permanent: !transient(reply.Status), poll: session.PollURL}
}

// deprovision calls the clean-up workflow; empty when it is done, else the code of what failed. A workflow that
// says there is nothing has nothing left to clean up (TDR-67, TDR-84).
func (s *Service) deprovision(ctx context.Context, session Session) string {
	reply, err := s.deps.Calls.Do(ctx, call.Request{
		Method: "POST", URL: session.Config.DeprovisionURL, Body: body(session, s.deps.Now()), Timeout: workflowTime,
		Header: map[string]string{"Content-Type": "application/json; charset=utf-8"}, MaxReply: 1 << 10,
	})
	if err != nil {
		code, _ := failure(err)
		return code
	}
	if reply.Status >= 200 && reply.Status < 300 || reply.Status == 410 {
		return ""
	}
	return "WorkflowFailed"
}

// transient tells the answers after which the same call may succeed.
func transient(status int) bool {
	return status == 408 || status == 425 || status == 429 || status >= 500
}

// failure is the code of a call without an answer, and whether trying again is useless.
func failure(err error) (code string, permanent bool) {
	f := fault.As(err)
	if f.Kind.Transient() {
		return "WorkflowUnreachable", false
	}
	return f.Code, true
}

func header(r call.Reply, name string) string {
	for key, value := range r.Header {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
