package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// refusal is an answer that gives no token: status, OAuth error word and the directory's numbered reason.
type refusal struct {
	status int
	word   string
	code   int
	text   string
}

// refuse makes a refusal with status 400, or 401 where the client did not prove itself.
func refuse(word string, code int, format string, args ...any) *refusal {
	status := http.StatusBadRequest
	if word == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return &refusal{status: status, word: word, code: code, text: fmt.Sprintf(format, args...)}
}

// missing refuses a request without a parameter that it needs.
func missing(parameter string) *refusal {
	return refuse("invalid_request", 900144,
		"The request body must contain the following parameter: '%s'.", parameter)
}

// errorBody is the body of a refusal.
type errorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

// writeRefusal answers with the error body. The correlation id is the caller's client-request-id if it is a GUID.
func (i *Issuer) writeRefusal(w http.ResponseWriter, r *http.Request, no *refusal) {
	correlation := uuid.NewString()
	if given, err := uuid.Parse(r.Header.Get("client-request-id")); err == nil {
		correlation = given.String()
	}
	trace := uuid.NewString()
	at := i.options.Now().UTC().Format("2006-01-02 15:04:05Z")
	body := errorBody{
		Error: no.word,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			no.code, no.text, trace, correlation, at),
		Codes: []int{no.code}, Timestamp: at, TraceID: trace, CorrelationID: correlation,
		URI: fmt.Sprintf("%s/error?code=%d", i.authority(r), no.code),
	}
	i.options.Log.InfoContext(r.Context(), "token refused", "path", r.URL.Path, "error", no.word, "code", no.code)
	writeJSON(w, no.status, body)
}

// writeJSON answers with a body that no cache may keep.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// The caller may have gone; there is nobody left to tell.
	_ = encoder.Encode(body)
}

// quoted keeps foreign text in an error description short and free of line breaks.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s)
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "")
	}
	return s
}
