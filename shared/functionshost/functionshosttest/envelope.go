// Package functionshosttest makes invocations as the Functions host sends them, for tests of trigger handlers.
package functionshosttest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"stoa/shared/functionshost"
)

// Queue is a queue message to the binding of a function: the body is the JSON of v, or v itself when it is a
// string. The top-level members of the body stand in the metadata as well (HST-22).
func Queue(t testing.TB, function, binding string, v any, delivery int) functionshost.Invocation {
	t.Helper()
	text, plain := v.(string)
	if !plain {
		text = string(encode(t, v))
	}
	metadata := map[string]any{}
	var members map[string]any
	if json.Unmarshal([]byte(text), &members) == nil {
		for name, value := range members {
			metadata[name] = twice(t, value)
		}
	}
	metadata["MessageId"] = twice(t, "message-1")
	metadata["DeliveryCount"] = twice(t, delivery)
	metadata["CorrelationId"] = twice(t, "correlation-1")
	metadata["ApplicationProperties"] = map[string]any{"requestId": "request-1"}
	return decode(t, function, map[string]any{binding: twice(t, text)}, metadata)
}

// Blob is a blob that arrived under a path with parameters (HST-25).
func Blob(t testing.TB, function, binding string, params map[string]string) functionshost.Invocation {
	t.Helper()
	metadata := map[string]any{}
	for name, value := range params {
		metadata[name] = twice(t, value)
	}
	return decode(t, function, map[string]any{binding: twice(t, "damaged \ufffd content")}, metadata)
}

// Timer is a timer's run (HST-23).
func Timer(t testing.TB, function, binding string, pastDue bool) functionshost.Invocation {
	t.Helper()
	return decode(t, function, map[string]any{binding: map[string]any{
		"Schedule": map[string]any{"AdjustForDST": true}, "ScheduleStatus": nil, "IsPastDue": pastDue,
	}}, map[string]any{})
}

func decode(t testing.TB, function string, data, metadata map[string]any) functionshost.Invocation {
	t.Helper()
	metadata["sys"] = map[string]any{
		"MethodName": function, "UtcNow": time.Unix(0, 0).UTC().Format(time.RFC3339), "RandGuid": "0b5ff7f5-6b5b-4b8e-9f3e-0d9a3a9f5c11",
	}
	body := encode(t, map[string]any{"Data": data, "Metadata": metadata})
	header := http.Header{"X-Azure-Functions-Invocationid": {"invocation-" + strconv.Itoa(len(body))}}
	in, err := functionshost.Decode(function, header, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// twice is a scalar as the host sends it, a JSON string that holds JSON (HST-21); an object stays one.
func twice(t testing.TB, v any) any {
	t.Helper()
	switch v.(type) {
	case map[string]any, []any:
		return v
	}
	return string(encode(t, v))
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
