package functionshost

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
)

// MaxBody is the most bytes an invocation may have. A queue message has 1 MiB at most, doubly encoded and once
// more in the metadata.
const MaxBody = 8 << 20

// invocationHeader names the invocation (HST-13).
const invocationHeader = "X-Azure-Functions-InvocationId"

// Invocation is one call of a trigger.
type Invocation struct {
	Function string // name of the function
	ID       string // id of the invocation; another at each delivery

	data     map[string]json.RawMessage
	metadata map[string]json.RawMessage
}

// Decode reads the envelope of an invocation (HST-20 to HST-22). Its errors are faults: TooLarge for a body
// over MaxBody, Invalid for anything that is not an envelope of this function.
func Decode(function string, header http.Header, body io.Reader) (Invocation, error) {
	in := Invocation{Function: function, ID: header.Get(invocationHeader)}
	text, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	if err != nil {
		return in, malformed("the body broke off").Because(err)
	}
	if len(text) > MaxBody {
		return in, fault.New(fault.TooLarge, "InvocationTooLarge", "", "an invocation may have %d bytes at most", MaxBody)
	}
	var envelope struct{ Data, Metadata map[string]json.RawMessage }
	if err := json.Unmarshal(text, &envelope); err != nil {
		return in, malformed("the body is not an envelope").Because(err)
	}
	if envelope.Data == nil || envelope.Metadata == nil {
		return in, malformed("the body has no Data or no Metadata")
	}
	in.data, in.metadata = envelope.Data, envelope.Metadata
	if name := in.methodName(); name != "" && !strings.EqualFold(name, function) {
		return in, malformed("the envelope is for the function " + name)
	}
	return in, nil
}

func malformed(why string) *fault.Error {
	return fault.New(fault.Invalid, "MalformedInvocation", "", "%s", why)
}

// methodName is the function that the host says it calls (HST-22); empty when it does not say.
func (in Invocation) methodName() string {
	var sys struct{ MethodName string }
	_ = json.Unmarshal(in.metadata["sys"], &sys) // not an object: it does not say
	return sys.MethodName
}

// Text is the text that the trigger brought under the name of its binding, such as that of a queue message: a
// JSON string that holds a JSON string (HST-21). A value that was encoded once, such as a date, comes as it is,
// an object as its JSON. A binding that is not there is an Internal fault: function.json and code disagree.
func (in Invocation) Text(binding string) (string, error) {
	raw, ok := in.data[binding]
	if !ok {
		return "", fault.New(fault.Internal, "MissingBinding", binding, "the invocation of %s has no binding %q", in.Function, binding)
	}
	return scalar(raw), nil
}

// Message decodes the JSON text of a queue message into v. A text that is not the JSON of v is an Invalid fault
// "MalformedMessage": it will never parse, so the caller parks it and settles.
func (in Invocation) Message(binding string, v any) error {
	text, err := in.Text(binding)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fault.New(fault.Invalid, "MalformedMessage", binding, "the message is not the JSON that is expected").Because(err)
	}
	return nil
}

// MessageID is the id of a queue message, the same at each delivery (HST-24).
func (in Invocation) MessageID() string { return in.meta("MessageId") }

// CorrelationID is the correlation id of a queue message.
func (in Invocation) CorrelationID() string { return in.meta("CorrelationId") }

// RequestID is the id of the request that caused a queue message: its application property requestId.
func (in Invocation) RequestID() string {
	var properties map[string]json.RawMessage
	if json.Unmarshal([]byte(in.meta("ApplicationProperties")), &properties) != nil {
		return "" // no queue message, or one without
	}
	raw, ok := properties["requestId"]
	if !ok {
		return ""
	}
	return scalar(raw)
}

// DeliveryCount is how often a queue message has been delivered, this time included; 0 when the host does not
// say.
func (in Invocation) DeliveryCount() int {
	n, err := strconv.Atoi(in.meta("DeliveryCount"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Param is a path parameter of the trigger, {publisher} of a blob's path (HST-25). Names match in any case of
// letters. Empty when there is none.
func (in Invocation) Param(name string) string {
	if text := in.meta(name); text != "" {
		return text
	}
	for key := range in.metadata {
		if strings.EqualFold(key, name) {
			return in.meta(key)
		}
	}
	return ""
}

// meta is one scalar of the metadata as text. Only the exact name counts: the top-level members of a message's
// text stand here as well (HST-22) and must not be taken for the host's own.
func (in Invocation) meta(name string) string {
	raw, ok := in.metadata[name]
	if !ok {
		return ""
	}
	return scalar(raw)
}

// scalar undoes the double encoding (HST-21): "\"abc\"" is abc, "7" is 7, a date stays what it is.
func scalar(raw json.RawMessage) string {
	var outer string
	if json.Unmarshal(raw, &outer) != nil {
		if raw = bytes.TrimSpace(raw); bytes.Equal(raw, []byte("null")) {
			return ""
		}
		return string(raw) // an object, or a scalar encoded once
	}
	if outer == "null" {
		return ""
	}
	var inner string
	if strings.HasPrefix(outer, `"`) && json.Unmarshal([]byte(outer), &inner) == nil {
		return inner
	}
	return outer
}

// TimerInfo is what a timer trigger brings (HST-23). The times are zero when the host does not watch the
// schedule.
type TimerInfo struct {
	AdjustForDST bool
	IsPastDue    bool // a run was missed; this one makes up for all of them
	Last         time.Time
	LastUpdated  time.Time
	Next         time.Time
}

// Timer decodes what a timer trigger brought.
func (in Invocation) Timer(binding string) (TimerInfo, error) {
	text, err := in.Text(binding)
	if err != nil {
		return TimerInfo{}, err
	}
	var wire struct {
		Schedule       struct{ AdjustForDST bool }
		ScheduleStatus *struct{ Last, LastUpdated, Next moment }
		IsPastDue      bool
	}
	if err := json.Unmarshal([]byte(text), &wire); err != nil {
		return TimerInfo{}, fault.New(fault.Invalid, "MalformedTimer", binding, "the timer is not what the host sends").Because(err)
	}
	info := TimerInfo{AdjustForDST: wire.Schedule.AdjustForDST, IsPastDue: wire.IsPastDue}
	if s := wire.ScheduleStatus; s != nil {
		info.Last, info.LastUpdated, info.Next = time.Time(s.Last), time.Time(s.LastUpdated), time.Time(s.Next)
	}
	return info, nil
}

// moment is a time as .NET writes it: with an offset, or without one for the zero time.
type moment time.Time

// UnmarshalJSON reads both forms. .NET's zero time is Go's.
func (m *moment) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			*m = moment(t.UTC())
			return nil
		}
	}
	return errors.New("not a date and time: " + strconv.Quote(text))
}
