package host

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// invokeHTTP runs an HTTP function that is not forwarded: the request as JSON, the reply's http output
// as the answer (HST-28).
func (h *Host) invokeHTTP(w http.ResponseWriter, r *http.Request, f *function, params map[string]string) {
	request, err := h.requestObject(r, params)
	if err != nil {
		h.failRequest(w, f, err)
		return
	}
	data := bindingData{}
	for name, value := range params {
		data.set(name, value)
	}
	answer, err := h.invoke(r.Context(), f, call{value: request, data: data})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for _, b := range f.bindings {
		if b.kind() == "http" && b.isOutput() {
			writeOutput(w, answer, b)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Host) requestObject(r *http.Request, params map[string]string) (map[string]any, error) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	object := map[string]any{
		"Url":        scheme + "://" + r.Host + r.URL.RequestURI(),
		"Method":     r.Method,
		"Query":      queryObject(r.URL.RawQuery),
		"Headers":    map[string][]string(r.Header),
		"Params":     params,
		"Identities": []any{map[string]any{"IsAuthenticated": false, "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "Claims": []any{}}},
	}
	if r.ContentLength <= 0 { // HST-12 holds here too
		return object, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	media := mediaType(r.Header.Get("Content-Type"))
	if media == "application/octet-stream" || strings.HasPrefix(media, "multipart/") {
		object["Body"] = base64.StdEncoding.EncodeToString(body)
	} else {
		object["Body"] = readText(body)
	}
	return object, nil
}

// queryObject is the query as a dictionary: doubled keys joined by a comma.
func queryObject(raw string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(rebuildQuery(raw), "&") {
		if key, value, _ := strings.Cut(part, "="); key != "" {
			out[decodeQuery(key)] = decodeQuery(value)
		}
	}
	return out
}

// readText reads bytes as UTF-8: a byte order mark is dropped, what is not UTF-8 becomes U+FFFD.
func readText(raw []byte) string {
	text := strings.TrimPrefix(string(raw), "\ufeff")
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

// httpOutput is the http output of a reply, its member names in any case.
type httpOutput struct {
	StatusCode any               `json:"statusCode"`
	Status     any               `json:"status"`
	Body       any               `json:"body"`
	Headers    map[string]string `json:"headers"`
}

func writeOutput(w http.ResponseWriter, answer reply, b binding) {
	value := answer.Outputs[b.Name]
	if b.Name == "$return" {
		value = answer.ReturnValue
	}
	var out httpOutput
	if text, ok := value.(string); ok {
		if json.Unmarshal([]byte(text), &out) != nil {
			out = httpOutput{Body: text}
		}
	} else if err := json.Unmarshal(marshal(value), &out); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for name, v := range out.Headers {
		w.Header().Set(name, v)
	}
	var body []byte
	switch v := out.Body.(type) {
	case nil:
	case string:
		body = []byte(v)
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
	default:
		body = marshal(v)
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
	}
	w.WriteHeader(statusOf(out))
	_, _ = w.Write(body)
}

// statusOf reads the status from either member, as number or text; 200 without one.
func statusOf(out httpOutput) int {
	for _, v := range []any{out.StatusCode, out.Status} {
		text, ok := v.(string)
		if n, isNumber := v.(float64); isNumber {
			text, ok = strconv.Itoa(int(n)), true
		}
		if code, err := strconv.Atoi(text); ok && err == nil && code >= 100 && code <= 999 {
			return code
		}
	}
	return http.StatusOK
}
