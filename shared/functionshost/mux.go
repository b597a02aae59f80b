package functionshost

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"stoa/shared/fault"
)

// Trigger runs one invocation. Nil settles it; an error makes it fail, and the host brings it back (HST-24).
type Trigger func(ctx context.Context, in Invocation) error

// Mux tells invocations from forwarded requests. Make it once, then serve; it is not changed while serving.
type Mux struct {
	// HTTP serves everything that is not an invocation.
	HTTP http.Handler
	// Log gets one line for each invocation; nil is silent.
	Log *slog.Logger
	// Now measures how long an invocation took; nil takes the machine's clock.
	Now func() time.Time
	// Context, when set, prepares the context of an invocation, for instance with its correlation id.
	Context func(ctx context.Context, in Invocation) context.Context

	triggers map[string]mounted
}

type mounted struct {
	run   Trigger
	limit time.Duration
}

// functionName is what a folder, a Go package and an app setting can all be called.
var functionName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// Mount adds the trigger of a function. An invocation that takes longer than limit has its context cancelled;
// 0 is without limit. A name that is not lower-case letters and digits, or mounted twice, panics.
//
// No HTTP route may be the single segment /<function>: the host would forward its requests to the path of the
// trigger. That the header and the content type tell them apart is the second line of defence.
func (m *Mux) Mount(function string, t Trigger, limit time.Duration) {
	if _, twice := m.triggers[function]; twice || t == nil || !functionName.MatchString(function) {
		panic(fmt.Sprintf("mount trigger %q: mounted twice, nil, or not a function name", function))
	}
	if m.triggers == nil {
		m.triggers = map[string]mounted{}
	}
	m.triggers[function] = mounted{run: t, limit: limit}
}

// ServeHTTP runs an invocation, or hands the request to HTTP.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	function, ok := m.invocation(r)
	if !ok {
		if m.HTTP == nil {
			http.NotFound(w, r)
			return
		}
		m.HTTP.ServeHTTP(w, r)
		return
	}
	start := m.now()
	if r.ContentLength > MaxBody {
		err := fault.New(fault.TooLarge, "InvocationTooLarge", "", "an invocation may have %d bytes at most", MaxBody)
		m.log(r.Context(), Invocation{Function: function, ID: r.Header.Get(invocationHeader)}, m.now().Sub(start), err)
		writeError(w, err)
		return
	}
	in, err := Decode(function, r.Header, r.Body)
	ctx := r.Context()
	if err == nil {
		if m.Context != nil {
			ctx = m.Context(ctx, in)
		}
		err = m.triggers[function].invoke(ctx, in)
	}
	m.log(ctx, in, m.now().Sub(start), err)
	if err != nil {
		writeError(w, err)
		return
	}
	writeReply(w)
}

// invocation tells which trigger a request is for, if any: a POST of JSON to exactly /<Function>, without a
// query, with the header of an invocation (HST-13, HST-20).
func (m *Mux) invocation(r *http.Request) (string, bool) {
	path := r.URL.EscapedPath()
	if r.Method != http.MethodPost || len(path) < 2 || r.URL.RawQuery != "" || r.Header.Get(invocationHeader) == "" {
		return "", false
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return "", false
	}
	_, ok := m.triggers[path[1:]]
	return path[1:], ok
}

// invoke runs a trigger within its limit. A panic is an error: the process lives on.
func (t mounted) invoke(ctx context.Context, in Invocation) (err error) {
	if t.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.limit)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.run(ctx, in)
}

func (m *Mux) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// log writes the one line of an invocation: ids and outcome, no content.
func (m *Mux) log(ctx context.Context, in Invocation, took time.Duration, err error) {
	if m.Log == nil {
		return
	}
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("function", in.Function), slog.String("invocationId", in.ID), slog.String("messageId", in.MessageID()),
		slog.Int("deliveryCount", in.DeliveryCount()), slog.String("requestId", in.RequestID()), slog.String("correlationId", in.CorrelationID()),
		slog.Duration("duration", took),
	}
	if err != nil {
		level = slog.LevelError
		if f := fault.As(err); f.Kind == fault.Unavailable || f.Kind == fault.Throttled {
			level = slog.LevelWarn
		}
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	m.Log.LogAttrs(ctx, level, "invocation", attrs...)
}

// writeReply settles an invocation: a JSON object, never an empty body, which would leave it hanging (HST-26).
func writeReply(w http.ResponseWriter) { write(w, http.StatusOK, []byte("{}")) }

// writeError fails an invocation. The cause stays in our own log.
func writeError(w http.ResponseWriter, err error) {
	f := fault.As(err)
	body, marshalErr := json.Marshal(map[string]any{"error": map[string]string{"code": f.Code, "message": f.Message}})
	if marshalErr != nil {
		body = []byte("{}") // strings always encode
	}
	write(w, http.StatusInternalServerError, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a host that hung up counts it as failed
}
