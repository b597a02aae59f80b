package host

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// reply is what a handler answered to an envelope (HST-26).
type reply struct {
	Outputs     map[string]any `json:"Outputs"`
	Logs        []any          `json:"Logs"`
	ReturnValue any            `json:"ReturnValue"`
}

// errHangs is a reply the host cannot make anything of: the invocation hangs until its time-out (HST-26).
var errHangs = errors.New("the reply is empty or null")

// readReply judges a handler's answer. The error is errHangs for an empty body or null; any other fails
// the invocation.
func readReply(resp *http.Response) (reply, error) {
	var out reply
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, fmt.Errorf("read reply: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return out, fmt.Errorf("response status code does not indicate success: %d (%s)", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return out, errHangs
	}
	if media := mediaType(resp.Header.Get("Content-Type")); media != "application/json" {
		return out, fmt.Errorf("invalid HttpResponseMessage: no formatter for media type %q", media)
	}
	if bytes.Equal(trimmed, []byte("null")) {
		return out, errHangs
	}
	if trimmed[0] != '{' {
		return out, errors.New("invalid HttpResponseMessage: the reply is no JSON object")
	}
	if err := json.Unmarshal(trimmed, &out); err != nil {
		return out, fmt.Errorf("invalid HttpResponseMessage: %w", err)
	}
	return out, nil
}

// mediaType returns the part of a Content-Type before its parameters, in lower case.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// outputValue returns the value for an output binding, decoded if it is a string of base64 (HST-27).
func (r reply) outputValue(b binding) any {
	value := r.Outputs[b.Name]
	if b.Name == "$return" {
		value = r.ReturnValue
	}
	if strings.EqualFold(b.DataType, "binary") {
		return value
	}
	return decodeOutput(value)
}

func decodeOutput(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	// .NET skips white space between the letters.
	packed := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(text)
	if raw, err := base64.StdEncoding.DecodeString(packed); err == nil {
		return raw
	}
	return value
}

// deliver hands the outputs to their bindings. The stand-in has none but http, so it says what is lost.
func (h *Host) deliver(f *function, r reply) {
	for _, line := range r.Logs {
		h.logFunction(Information, f.name, "%v", line)
	}
	for _, b := range f.bindings {
		if !b.isOutput() || b.kind() == "http" {
			continue
		}
		switch v := r.outputValue(b).(type) {
		case nil:
		case []byte:
			h.logFunction(Error, f.name, "output %s (%s) is not delivered: %d bytes decoded from base64", b.Name, b.Type, len(v))
		default:
			h.logFunction(Error, f.name, "output %s (%s) is not delivered: %s", b.Name, b.Type, marshal(v))
		}
	}
}
