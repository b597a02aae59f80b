package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"stoa/shared/fault"
)

// WriteJSON answers with v as JSON. An error means that nothing was written.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who hung up cannot be told
	return nil
}

// PortalErrors is the error envelope of our own prefixes. 401 comes with WWW-Authenticate.
func PortalErrors(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target,omitempty"`
	}
	type body struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Target  string   `json:"target,omitempty"`
		Details []detail `json:"details,omitempty"`
	}
	b := body{Code: f.Code, Message: f.Message, Target: f.Target}
	for _, d := range f.Details {
		b.Details = append(b.Details, detail{Code: d.Code, Message: d.Message, Target: d.Target})
	}
	if f.Kind == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	// Strings always encode.
	_ = WriteJSON(w, f.Kind.Status(), struct {
		Error body `json:"error"`
	}{b})
}

// SetETag puts the revision of what is answered into the ETag header. The etag is one of the store, quotes
// included.
func SetETag(w http.ResponseWriter, etag string) { w.Header().Set("ETag", etag) }

// IfMatch is the If-Match header: an etag as SetETag gave it, "*" for whatever is there, empty when absent.
func IfMatch(r *http.Request) string { return strings.TrimSpace(r.Header.Get("If-Match")) }
