package host

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// bindingData is a trigger's binding data. Like the host's dictionary it knows no case in its keys.
type bindingData map[string]any

func (d bindingData) set(key string, value any) {
	for old := range d {
		if strings.EqualFold(old, key) {
			key = old
			break
		}
	}
	d[key] = value
}

// addJSON adds the top-level properties of text if it is a JSON object (HST-22).
func (d bindingData) addJSON(text string) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") || !strings.HasSuffix(trimmed, "}") {
		return
	}
	decoder := json.NewDecoder(strings.NewReader(trimmed))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil || decoder.More() {
		return
	}
	for key, value := range object {
		if v := propertyValue(value); v != nil {
			d.set(key, v)
		}
	}
}

// propertyValue is what the host makes of a message's property: scalars become strings, objects
// dictionaries of such, arrays and nulls are left out.
func propertyValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if inner = propertyValue(inner); inner != nil {
				out[key] = inner
			}
		}
		return out
	case string:
		return dateText(v)
	case bool:
		if v {
			return "True"
		}
		return "False"
	case json.Number:
		return v.String()
	default:
		return nil
	}
}

// dateText reproduces a trap of the host's JSON reader: a string that looks like an ISO date-time is
// taken for one, and comes out in the invariant culture's form.
func dateText(text string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format("01/02/2006 15:04:05")
		}
	}
	return text
}

// encode gives a value the form it has in the envelope (HST-21): objects stay objects, bytes become
// base64, date-times plain ISO-8601, and every other value a string that holds JSON.
func encode(value any) any {
	switch v := value.(type) {
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return isoTime(v)
	}
	raw := marshal(value)
	if bytes.HasPrefix(raw, []byte("{")) {
		return json.RawMessage(raw)
	}
	return string(raw)
}

// marshal writes JSON as Newtonsoft does, without escaping <, > and &.
func marshal(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// isoTime writes a UTC time as .NET does, with seven digits of a second cut at trailing zeros.
func isoTime(t time.Time) string {
	t = t.UTC()
	text := t.Format("2006-01-02T15:04:05")
	if fraction := t.Nanosecond() / 100; fraction > 0 {
		digits := strconv.Itoa(fraction)
		text += "." + strings.TrimRight(strings.Repeat("0", 7-len(digits))+digits, "0")
	}
	return text + "Z"
}

// retryState is where an invocation stands in its function's retry policy.
type retryState struct {
	count, most int
	cause       error
}

// metadata is the envelope's Metadata (HST-22).
func metadata(f *function, data bindingData, now time.Time, retry *retryState) map[string]any {
	out := map[string]any{}
	for key, value := range data {
		if value == nil || strings.HasSuffix(strings.ToLower(key), "trigger") {
			continue
		}
		out[key] = encode(value)
	}
	out["sys"] = map[string]any{"MethodName": f.name, "UtcNow": isoTime(now), "RandGuid": uuid.NewString()}
	if retry != nil {
		context := map[string]any{"RetryCount": retry.count, "MaxRetryCount": retry.most, "Exception": nil}
		if retry.cause != nil {
			context["Exception"] = map[string]any{"Message": retry.cause.Error()}
		}
		out["RetryContext"] = context
	}
	return out
}

// envelope is the body of a call of the handler (HST-20).
func envelope(f *function, value any, meta map[string]any) []byte {
	return marshal(map[string]any{
		"Data":     map[string]any{f.trigger.Name: value},
		"Metadata": meta,
	})
}
