package functionshost_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/functionshost/functionshosttest"
)

// queueEnvelope is what the host posts for a Service Bus message.
const queueEnvelope = `{"Data":{"msg":"\"{\\\"leadId\\\":\\\"l1\\\",\\\"attempt\\\":2,\\\"MessageId\\\":\\\"forged\\\"}\""},` +
	`"Metadata":{"MessageId":"\"m-1\"","messageid":"\"forged\"","DeliveryCount":"3","SequenceNumber":"7","CorrelationId":"\"c-1\"",` +
	`"EnqueuedTimeUtc":"2021-10-31T09:00:00Z","ApplicationProperties":{"a":"b","requestId":"r-1"},"leadId":"\"l1\"","attempt":"2",` +
	`"sys":{"MethodName":"leads","UtcNow":"2021-10-31T09:00:01Z","RandGuid":"0b5ff7f5-6b5b-4b8e-9f3e-0d9a3a9f5c11"}}}`

const timerEnvelope = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00",` +
	`"LastUpdated":"2021-10-31T09:00:00.0012345+02:00","Next":"2021-10-31T09:05:00Z"},"IsPastDue":true}},` +
	`"Metadata":{"sys":{"MethodName":"agenda","UtcNow":"2021-10-31T09:00:01Z","RandGuid":"x"}}}`

func decode(t testing.TB, function, body string) functionshost.Invocation {
	t.Helper()
	in, err := functionshost.Decode(function, http.Header{"X-Azure-Functions-Invocationid": {"i-1"}}, strings.NewReader(body))
	require.NoError(t, err)
	return in
}

func TestQueueMessage(t *testing.T) {
	t.Parallel()
	in := decode(t, "leads", queueEnvelope)
	require.Equal(t, "i-1", in.ID)
	require.Equal(t, "leads", in.Function)
	var m struct {
		LeadID  string `json:"leadId"`
		Attempt int    `json:"attempt"`
	}
	require.NoError(t, in.Message("msg", &m)) // HST-21
	require.Equal(t, "l1", m.LeadID)
	require.Equal(t, 2, m.Attempt)
	require.Equal(t, "m-1", in.MessageID(), "HST-22: not what a member of the text says")
	require.Equal(t, 3, in.DeliveryCount())
	require.Equal(t, "c-1", in.CorrelationID())
	require.Equal(t, "r-1", in.RequestID())
	for properties, want := range map[string]string{
		`{"requestId":"\"r-2\""}`: "r-2", `"{\"requestId\":\"r-3\"}"`: "r-3", `{}`: "", `null`: "", `"x"`: "", `{"RequestId":"r"}`: "",
	} {
		in := decode(t, "leads", `{"Data":{},"Metadata":{"ApplicationProperties":`+properties+`}}`)
		require.Equal(t, want, in.RequestID(), properties)
	}
	require.Empty(t, decode(t, "agenda", timerEnvelope).RequestID())
	_, err := in.Text("message")
	require.Equal(t, fault.Internal, fault.As(err).Kind)
	require.Equal(t, fault.Internal, fault.As(in.Message("message", &m)).Kind)
	var n int
	require.Equal(t, "MalformedMessage", fault.As(in.Message("msg", &n)).Code)
	require.True(t, fault.Is(in.Message("msg", &n), fault.Invalid))
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, data, want string }{
		{"HST-21 a text", `"\"abc\""`, "abc"},
		{"HST-21 a text in quotes", `"\"\\\"abc\\\"\""`, `"abc"`},
		{"HST-21 a number", `"7"`, "7"},
		{"HST-21 a switch", `"true"`, "true"},
		{"HST-21 a date", `"2021-10-31T09:00:00Z"`, "2021-10-31T09:00:00Z"},
		{"HST-21 bytes", `"UEsDBA=="`, "UEsDBA=="},
		{"HST-21 an object", `{"a":1}`, `{"a":1}`},
		{"an empty text", `"\"\""`, ""},
		{"the text null", `"\"null\""`, "null"},
		{"nothing", `"null"`, ""},
		{"nothing, encoded once", `null`, ""},
		{"a number, encoded once", `7`, "7"},
		{"half a string inside", `"\"abc"`, `"abc`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			in := decode(t, "f", `{"Data":{"b":`+row.data+`},"Metadata":{"p":`+row.data+`}}`)
			got, err := in.Text("b")
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			require.Equal(t, row.want, in.Param("p"))
		})
	}
}

func TestMetadataThatIsMissingOrOdd(t *testing.T) {
	t.Parallel()
	in := decode(t, "f", `{"Data":{},"Metadata":{"DeliveryCount":"\"x\""}}`)
	require.Zero(t, in.DeliveryCount())
	require.Empty(t, in.MessageID())
	require.Empty(t, in.CorrelationID())
	require.Empty(t, in.Param("publisher"))
	in = decode(t, "f", `{"Data":{},"Metadata":{"DeliveryCount":"-1","Publisher":"\"contoso\""}}`)
	require.Zero(t, in.DeliveryCount())
	require.Equal(t, "contoso", in.Param("publisher"), "HST-25, in any case of letters")
}

func TestTimer(t *testing.T) {
	t.Parallel()
	info, err := decode(t, "agenda", timerEnvelope).Timer("timer") // HST-23
	require.NoError(t, err)
	require.Equal(t, functionshost.TimerInfo{
		AdjustForDST: true, IsPastDue: true,
		LastUpdated: time.Date(2021, 10, 31, 7, 0, 0, 1234500, time.UTC),
		Next:        time.Date(2021, 10, 31, 9, 5, 0, 0, time.UTC),
	}, info)
	info, err = functionshosttest.Timer(t, "agenda", "timer", false).Timer("timer")
	require.NoError(t, err)
	require.Zero(t, info.Next, "HST-23: no status when the schedule is not watched")
	for _, data := range []string{`"7"`, `{"IsPastDue":"yes"}`, `{"ScheduleStatus":{"Last":"soon"}}`, `{"ScheduleStatus":{"Last":1}}`} {
		_, err = decode(t, "f", `{"Data":{"timer":`+data+`},"Metadata":{}}`).Timer("timer")
		require.True(t, fault.Is(err, fault.Invalid), data)
	}
	_, err = decode(t, "f", `{"Data":{},"Metadata":{}}`).Timer("timer")
	require.Equal(t, "MissingBinding", fault.As(err).Code)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, body, code string }{
		{"nothing", ``, "MalformedInvocation"},
		{"null", `null`, "MalformedInvocation"},
		{"a list", `[]`, "MalformedInvocation"},
		{"an API's body", `{"planId":"gold"}`, "MalformedInvocation"},
		{"no metadata", `{"Data":{}}`, "MalformedInvocation"},
		{"no data", `{"Metadata":{}}`, "MalformedInvocation"},
		{"data that is text", `{"Data":"x","Metadata":{}}`, "MalformedInvocation"},
		{"another function's", `{"Data":{},"Metadata":{"sys":{"MethodName":"webhooks"}}}`, "MalformedInvocation"},
		{"two", `{"Data":{},"Metadata":{}}{}`, "MalformedInvocation"},
		{"too large", `{"Data":{"a":"` + strings.Repeat("x", functionshost.MaxBody) + `"},"Metadata":{}}`, "InvocationTooLarge"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := functionshost.Decode("leads", http.Header{}, strings.NewReader(row.body))
			require.Equal(t, row.code, fault.As(err).Code)
		})
	}
	_, err := functionshost.Decode("leads", http.Header{}, io.MultiReader(strings.NewReader(`{"Da`), broken{}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// endless never ends; a limit that came after the allocation would not return.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestDecodeReadsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	body := &endless{}
	_, err := functionshost.Decode("f", http.Header{}, body)
	require.True(t, fault.Is(err, fault.TooLarge))
	require.LessOrEqual(t, body.read, functionshost.MaxBody+1)
}

// Whatever text a message has, it comes through the double encoding as it was.
func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		got, err := functionshosttest.Queue(t, "f", "msg", text, 1).Text("msg")
		require.NoError(rt, err)
		require.Equal(rt, text, got)
	})
	in := functionshosttest.Blob(t, "packages", "blob", map[string]string{"publisher": "contoso", "name": "7"})
	require.Equal(t, "contoso", in.Param("publisher"))
	require.Equal(t, "7", in.Param("name"))
	in = functionshosttest.Queue(t, "f", "msg", map[string]any{"MessageId": "forged", "a": []any{1}}, 4)
	require.Equal(t, "message-1", in.MessageID())
	require.Equal(t, 4, in.DeliveryCount())
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(queueEnvelope))
	f.Add([]byte(timerEnvelope))
	f.Add([]byte(`{"Data":{"blob":"\"PK\\u0003\\u0004\ufffd\""},"Metadata":{"publisher":"\"contoso\"","offer":"\"app\"","name":"\"a.zip\"",` +
		`"Uri":"\"http://127.0.0.1:10000/devstoreaccount1/packages/contoso/app/a.zip\"","Properties":{"ETag":"\"0x8D9\""},` +
		`"sys":{"MethodName":"leads","UtcNow":"2021-10-31T09:00:01Z","RandGuid":"x"}}}`))
	f.Add([]byte(`{"Data":{"b":"\"\\ud800\""},"Metadata":{"DeliveryCount":"99999999999999999999"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := functionshost.Decode("leads", http.Header{}, strings.NewReader(string(body)))
		if err != nil {
			require.NotEqual(t, fault.Internal, fault.As(err).Kind)
			return
		}
		for _, binding := range []string{"msg", "timer", "blob", "b"} {
			_, _ = in.Text(binding)
			_, _ = in.Timer(binding)
			var v any
			_ = in.Message(binding, &v)
		}
		require.GreaterOrEqual(t, in.DeliveryCount(), 0)
		_, _, _ = in.MessageID(), in.CorrelationID(), in.Param("publisher")
	})
}
