package metering

import (
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/web"
)

// wireError is the error envelope of the API (6.1).
type wireError struct {
	AdditionalInfo *additionalInfo `json:"additionalInfo,omitempty"`
	Message        string          `json:"message"`
	Target         string          `json:"target,omitempty"`
	Details        []wireDetail    `json:"details,omitempty"`
	Code           string          `json:"code"`
}

type additionalInfo struct {
	AcceptedMessage *wireItem `json:"acceptedMessage"`
}

type wireDetail struct {
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
	Code    string `json:"code"`
}

// codeTooMany marks a batch that is too large, whose envelope has no details.
const codeTooMany = "TooManyEvents"

// The targets of a bad request, by path.
var (
	eventTarget = metering.EnvelopeOf("badRequest").Target
	batchTarget = metering.EnvelopeOf("batchTooLarge").Target
)

const filterTarget = "usageEventsRequest"

// errorOf is the error of an event that was not accepted, the same for a single call and an item of a batch.
func errorOf(r metering.Result) wireError {
	info := metering.InfoOf(r.Status)
	switch r.Status {
	case metering.Duplicate: // MTR-52
		return wireError{AdditionalInfo: &additionalInfo{acceptedMessage(r.Existing)}, Message: info.Message, Code: info.Code}
	case metering.ResourceNotAuthorized, metering.Failed: // MTR-61
		return wireError{Message: info.Message, Code: info.Code}
	}
	return badRequest(eventTarget, r.Details)
}

func badRequest(target string, found []fault.Detail) wireError {
	e := metering.EnvelopeOf("badRequest")
	body := wireError{Message: e.Message, Target: target, Code: e.Code}
	for _, d := range found {
		body.Details = append(body.Details, wireDetail{Message: d.Message, Target: d.Target, Code: d.Code})
	}
	return body
}

// errorWriter renders the errors of a call as a whole. The target names the request of a bad request.
func errorWriter(target string) func(http.ResponseWriter, *http.Request, *fault.Error) {
	return func(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
		status := f.Kind.Status()
		body := wireError{Message: f.Message, Target: f.Target, Code: f.Code}
		switch {
		case f.Kind == fault.Unauthenticated || f.Kind == fault.Forbidden: // MTR-24
			e := metering.EnvelopeOf("forbidden")
			status, body = http.StatusForbidden, wireError{Message: e.Message, Code: e.Code}
		case f.Code == codeTooMany:
			e := metering.EnvelopeOf("batchTooLarge")
			body = wireError{Message: e.Message, Target: e.Target, Code: e.Code}
		case f.Kind == fault.Invalid:
			body = badRequest(target, []fault.Detail{{Code: string(metering.BadArgument), Target: f.Target, Message: f.Message}})
			if f.Target == versionParameter { // MTR-21
				body.Target = versionParameter
			}
		case status >= http.StatusInternalServerError: // MTR-25
			info := metering.InfoOf(metering.Failed)
			status, body = info.HTTP, wireError{Message: info.Message, Code: info.Code}
		}
		_ = web.WriteJSON(w, status, body) // texts always encode
	}
}
