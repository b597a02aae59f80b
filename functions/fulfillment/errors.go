package fulfillment

import (
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

type errorDetail struct {
	Message string `json:"message"`
	Target  string `json:"target"`
	Code    string `json:"code"`
}

type errorBody struct {
	Message string        `json:"message"`
	Target  string        `json:"target"`
	Details []errorDetail `json:"details"`
	Code    string        `json:"code"`
}

type versionError struct {
	Error struct{ Code, Message string }
}

// writeError is the error envelope of the API (6.1).
func writeError(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	if f.Code == codeVersionMissing || f.Code == codeVersionUnknown {
		var body versionError
		body.Error.Code, body.Error.Message = f.Code, f.Message
		_ = web.WriteJSON(w, http.StatusBadRequest, body) // texts always encode
		return
	}
	status := f.Kind.Status()
	body := errorBody{Message: f.Message, Target: f.Target, Code: f.Code, Details: []errorDetail{}}
	switch f.Kind {
	case fault.Unauthenticated, fault.Forbidden:
		// FUL-3: 403, never 401. The message says which check refused, as far as it is the caller's to know.
		status = http.StatusForbidden
		body.Message, body.Target, body.Code = "The caller is not authorized for this resource: "+f.Message, "", subscription.CodeForbidden
	case fault.Invalid:
		body = errorBody{Message: "One or more errors have occurred.", Target: "subscriptionRequest", Code: subscription.CodeBadRequest, Details: details(f)}
	case fault.NotFound:
		body.Code = subscription.CodeNotFound
	}
	_ = web.WriteJSON(w, status, body) // texts always encode
}

func details(f *fault.Error) []errorDetail {
	found := f.Details
	if len(found) == 0 {
		found = []fault.Detail{{Code: f.Code, Target: f.Target, Message: f.Message}}
	}
	out := make([]errorDetail, len(found))
	for i, d := range found {
		out[i] = errorDetail{Message: d.Message, Target: d.Target, Code: contractCode(d.Code)}
	}
	return out
}

// contractCode is the word of the contract for a finding; whatever has none is a bad request.
func contractCode(code string) string {
	switch code {
	case subscription.CodeRequired, subscription.CodeInvalid, subscription.CodeNoHeader, subscription.CodeInvalidToken, subscription.CodeTokenExpired:
		return code
	case "InvalidType", "InvalidContinuation":
		return subscription.CodeInvalid
	case "MissingBody":
		return subscription.CodeRequired
	}
	return subscription.CodeBadRequest
}
