package host

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		value any
		want  string
	}{
		{"HST-21 string", "abc", `"\"abc\""`},
		{"HST-21 text that is a JSON object", `{"a":1}`, `"\"{\\\"a\\\":1}\""`},
		{"HST-21 number", 7, `"7"`},
		{"HST-21 bool", true, `"true"`},
		{"HST-21 array", []int{1, 2}, `"[1,2]"`},
		{"HST-21 object", map[string]any{"n": 1}, `{"n":1}`},
		{"HST-21 bytes", []byte{0xff, 0}, `"/wA="`},
		{"HST-21 date-time", time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.UTC), `"2026-01-02T03:04:05.06Z"`},
		{"HST-21 marks of HTML stay", "<&>", `"\"<&>\""`},
	} {
		require.Equal(t, row.want, string(marshal(encode(row.value))), row.name)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	f := &function{name: "Fn", trigger: binding{Name: "msg"}}
	data := bindingData{"BlobTrigger": "x", "Uri": "u", "Nothing": nil}
	data.set("publisher", "p")
	data.addJSON(`{"uri":"from the body","N":7,"flag":true,"list":[1],"none":null,"inner":{"a":1,"b":[2]},"when":"2026-01-02T03:04:05Z","OtherTRIGGER":"y"}`)
	meta := metadata(f, data, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), nil)
	require.NotContains(t, meta, "BlobTrigger", "HST-22: keys that end in trigger are dropped")
	require.NotContains(t, meta, "OtherTRIGGER", "HST-22: in any case")
	require.NotContains(t, meta, "Nothing")
	require.Equal(t, `"p"`, meta["publisher"])
	require.Equal(t, `"from the body"`, meta["Uri"], "HST-22: the text's properties win over the trigger's")
	require.Equal(t, `"7"`, meta["N"])
	require.Equal(t, `"True"`, meta["flag"])
	require.NotContains(t, meta, "list")
	require.NotContains(t, meta, "none")
	require.JSONEq(t, `{"a":"1"}`, string(meta["inner"].(json.RawMessage)))
	require.Equal(t, `"01/02/2026 03:04:05"`, meta["when"])
	sys := meta["sys"].(map[string]any)
	require.Equal(t, "Fn", sys["MethodName"], "HST-22")
	require.Equal(t, "2026-01-02T00:00:00Z", sys["UtcNow"])
	require.Len(t, sys["RandGuid"], 36)
	require.NotContains(t, meta, "RetryContext")
}

func TestAddJSONNeedsAnObject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `[{"a":1}]`, `"a"`, `{"a":1`, `{"a":1} {"b":2}`, `{a}`} {
		data := bindingData{}
		data.addJSON(text)
		require.Empty(t, data, text)
	}
}

func TestDecodeOutput(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		in, want  any
		dataTyped string
	}{
		{"HST-27 a word of four letters", "abcd", []byte{0x69, 0xb7, 0x1d}, ""},
		{"HST-27 white space is skipped", "ab cd", []byte{0x69, 0xb7, 0x1d}, ""},
		{"HST-27 five letters", "abcde", "abcde", ""},
		{"HST-27 an object stays", map[string]any{"a": "abcd"}, map[string]any{"a": "abcd"}, ""},
		{"HST-27 dataType binary is left alone", "abcd", "abcd", "binary"},
	} {
		r := reply{Outputs: map[string]any{"out": row.in}}
		require.Equal(t, row.want, r.outputValue(binding{Name: "out", DataType: row.dataTyped}), row.name)
	}
}

// busless is an app with one function that only the admin API starts, and a short time-out.
func busless(t *testing.T, extra string) *app {
	a := newApp(t, `{"version":"2.0","functionTimeout":"00:00:00.3","customHandler":{"description":{"defaultExecutablePath":"HANDLER"}},"extensions":{"http":{"routePrefix":""}}}`,
		map[string]string{"work": `{` + extra + `"bindings":[{"type":"serviceBusTrigger","name":"msg","queueName":"q"},{"type":"table","direction":"out","name":"row"}]}`})
	return a
}

func TestReplies(t *testing.T) {
	t.Parallel()
	typed := func(contentType, body string) answer {
		return answer{Status: 200, Header: http.Header{"Content-Type": {contentType}}, Body: body}
	}
	for _, row := range []struct {
		name  string
		reply answer
		level Level
		log   string
	}{
		{"HST-26 empty object", jsonAnswer(`{}`), Information, "(Succeeded"},
		{"HST-26 charset", typed("application/json; charset=utf-8", `{"Outputs":null}`), Information, "(Succeeded"},
		{"HST-26 201", answer{Status: 201, Header: http.Header{"Content-Type": {"application/json"}}, Body: "{}"}, Information, "(Succeeded"},
		{"HST-26 logs", jsonAnswer(`{"Logs":["one","two"]}`), Information, "two"},
		{"HST-26 empty body hangs", answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}}, Error, "timeout value"},
		{"HST-26 null hangs", jsonAnswer(`null`), Error, "timeout value"},
		{"HST-26 no JSON", typed("application/json", `ok`), Error, "no JSON object"},
		{"HST-26 broken JSON", typed("application/json", `{`), Error, "invalid HttpResponseMessage"},
		{"HST-26 array", jsonAnswer(`[]`), Error, "no JSON object"},
		{"HST-26 text", typed("text/plain", `{}`), Error, "no formatter"},
		{"HST-26 400", answer{Status: 400, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{}`}, Error, "400"},
		{"HST-26 redirect", answer{Status: 302, Header: http.Header{"Location": {"/"}}, Body: `{}`}, Error, "302"},
		{"HST-27 output decoded", jsonAnswer(`{"Outputs":{"row":"abcd"}}`), Error, "3 bytes decoded from base64"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := busless(t, "")
			a.onCall = func(seen) answer { return row.reply }
			a.start()
			reply, _ := a.do("POST", "/admin/functions/WORK", `{"input":"{\"a\":1}"}`)
			require.Equal(t, 202, reply.StatusCode)
			a.awaitLog(row.level, row.log)
		})
	}
}

func TestInvocationRequest(t *testing.T) {
	t.Parallel()
	a := busless(t, "")
	a.start()
	a.do("POST", "/admin/functions/work", `{"input":"{\"a\":1}"}`, "X-Mine", "1")
	s := a.awaitCalls(1)[0]
	require.Equal(t, "POST /work", s.Method+" "+s.URI, "HST-20")
	require.Equal(t, "application/json", mediaType(s.Header.Get("Content-Type")), "HST-20")
	require.Equal(t, userAgent, s.Header.Get("User-Agent"), "HST-20: without the original headers")
	require.Empty(t, s.Header.Get("X-Mine"))
	require.Len(t, s.Header.Get(headerInvocation), 36)
	data, meta := envelopeOf(t, s)
	require.Equal(t, map[string]any{"msg": `"{\"a\":1}"`}, data, "HST-21")
	require.Equal(t, `"1"`, meta["a"], "HST-22")
}

func TestRetryContext(t *testing.T) {
	t.Parallel()
	a := busless(t, `"retry":{"strategy":"fixedDelay","maxRetryCount":2,"delayInterval":"00:00:00.01"},`)
	a.onCall = func(seen) answer { return answer{Status: 500} }
	a.start()
	a.do("POST", "/admin/functions/work", `{"input":"x"}`)
	for i, s := range a.awaitCalls(3) {
		_, meta := envelopeOf(t, s)
		retry := meta["RetryContext"].(map[string]any)
		require.InDelta(t, i, retry["RetryCount"], 0, "HST-22")
		require.InDelta(t, 2, retry["MaxRetryCount"], 0)
		require.Equal(t, i > 0, retry["Exception"] != nil)
	}
}

func TestHTTPWithoutForwarding(t *testing.T) {
	t.Parallel()
	a := newApp(t, `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"HANDLER"},"enableForwardingHttpRequest":true}}`,
		map[string]string{"both": `{"bindings":[{"type":"httpTrigger","name":"req","authLevel":"anonymous","route":"x/{id}"},{"type":"http","direction":"out","name":"res"},{"type":"queue","direction":"out","name":"q"}]}`})
	a.onCall = func(seen) answer {
		return jsonAnswer(`{"Outputs":{"res":{"statusCode":"201","body":{"a":1},"headers":{"X-Own":"v"}}}}`)
	}
	a.start()
	reply, body := a.do("POST", "/api/x/7?a=1&a=2", "caf\xe9", "Content-Type", "text/plain", "X-In", "v")
	require.Equal(t, 201, reply.StatusCode, "HST-28")
	require.Equal(t, "v", reply.Header.Get("X-Own"))
	require.JSONEq(t, `{"a":1}`, body)
	s := a.awaitCalls(1)[0]
	require.Equal(t, "/both", s.URI, "HST-10: one more binding, and it is the JSON form")
	data, meta := envelopeOf(t, s)
	req := data["req"].(map[string]any)
	require.Equal(t, "http://"+a.host.Addr()+"/api/x/7?a=1&a=2", req["Url"])
	require.Equal(t, "POST", req["Method"])
	require.Equal(t, map[string]any{"a": "1,2"}, req["Query"])
	require.Equal(t, []any{"v"}, req["Headers"].(map[string]any)["X-In"])
	require.Equal(t, map[string]any{"id": "7"}, req["Params"])
	require.IsType(t, []any{}, req["Identities"])
	require.Equal(t, "caf\ufffd", req["Body"])
	require.Equal(t, `"7"`, meta["id"], "HST-22: route parameters")

	a.do("POST", "/api/x/7", "\x00\xff", "Content-Type", "application/octet-stream")
	data, _ = envelopeOf(t, a.awaitCalls(2)[1])
	require.Equal(t, "AP8=", data["req"].(map[string]any)["Body"], "HST-28: bytes as base64")

	a.onCall = func(seen) answer { return answer{Status: 500} }
	reply, _ = a.do("GET", "/api/x/7", "")
	require.Equal(t, 500, reply.StatusCode)
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	a.opts.Keys.Master = "m"
	a.start()
	for _, row := range []struct {
		method, path, body, key string
		want                    int
	}{
		{"GET", "/admin/host/status", "", "", 401},
		{"GET", "/admin/host/status", "", "m", 200},
		{"GET", "/admin/host/ping", "", "m", 200},
		{"POST", "/admin/functions/none", "{}", "m", 404},
		{"POST", "/admin/functions/echo", "{}", "m", 400},
		{"GET", "/admin/else", "", "m", 404},
	} {
		reply, _ := a.do(row.method, row.path, row.body, "x-functions-key", row.key)
		require.Equal(t, row.want, reply.StatusCode, row.path)
	}
}
