package web

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// The headers that identify a request (FUL-7).
const (
	requestIDHeader     = "X-Ms-Requestid"
	correlationIDHeader = "X-Ms-Correlationid"
	maxID               = 256 // a longer id is taken as missing
)

// ServeHTTP serves one request and writes its log line.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := rt.deps.Now()
	answer := &answer{ResponseWriter: w}
	route, group, err := rt.lookup(answer, r)
	s := &state{api: &group.api}
	if route != nil {
		s.pattern = route.pattern
	}
	r = rt.identify(answer, r, s)
	broken := false
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			broken = answer.status != 0
		}
		if err != nil {
			rt.refuse(answer, r, s, err)
		}
		rt.log(r, s, answer, rt.deps.Now().Sub(start), err)
		if broken {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
	}()
	if err == nil {
		err = rt.run(answer, r, s, route)
	}
}

// identify takes the request ids of the caller, makes those that are missing, and puts them into the answer and
// the context (FUL-7, FUL-8).
func (rt *Router) identify(w http.ResponseWriter, r *http.Request, s *state) *http.Request {
	s.requestID = rt.idOf(r.Header.Get(requestIDHeader))
	correlation := r.Header.Get(correlationIDHeader)
	if correlation == "" && s.api.CorrelationHeader != "" {
		correlation = r.Header.Get(s.api.CorrelationHeader)
	}
	correlation = rt.idOf(correlation)
	w.Header().Set(requestIDHeader, s.requestID)
	w.Header().Set(correlationIDHeader, correlation)
	if s.api.CorrelationHeader != "" {
		w.Header().Set(s.api.CorrelationHeader, correlation)
	}
	ctx := message.WithCause(r.Context(), message.Cause{RequestID: s.requestID, CorrelationID: correlation})
	return r.WithContext(context.WithValue(ctx, stateKey{}, s))
}

func (rt *Router) idOf(sent string) string {
	if sent == "" || len(sent) > maxID {
		return rt.deps.NewID()
	}
	return sent
}

// run takes a request through the checks of its API and route, in the order of FUL-6.
func (rt *Router) run(w http.ResponseWriter, r *http.Request, s *state, route *route) error {
	if s.api.Before != nil {
		if err := s.api.Before(r); err != nil {
			return err
		}
	}
	if !route.access.open {
		header := r.Header.Get("Authorization")
		token, ok := Bearer(header)
		if !ok {
			return fault.New(fault.Unauthenticated, "InvalidToken", "authorization",
				"send an access token in the header Authorization, as Bearer <token>; found %s", shape(header))
		}
		caller, err := rt.deps.Verifier.Verify(r.Context(), token, s.api.Audiences)
		if err != nil {
			return err
		}
		s.caller = caller
	}
	if err := route.access.check(rt, r, s.caller); err != nil {
		return err
	}
	return route.handler(w, r)
}

// Bearer takes the token out of an Authorization header. The scheme is matched without case (FUL-3).
func Bearer(header string) (token string, ok bool) {
	scheme, token, found := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimLeft(token, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,\r\n") {
		return "", false
	}
	return token, true
}

// shape says what an Authorization header without a bearer token looks like, and shows nothing of what may be secret.
func shape(header string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	switch {
	case scheme == "":
		return "no such header"
	case strings.EqualFold(scheme, "Bearer") && strings.TrimSpace(rest) == "":
		return "Bearer without a token"
	case strings.EqualFold(scheme, "Bearer"):
		return "Bearer with more than one token"
	case strings.EqualFold(scheme, "Basic"), strings.EqualFold(scheme, "Digest"), strings.EqualFold(scheme, "Negotiate"):
		return "the scheme " + scheme
	}
	return "another scheme"
}

// refuse renders an error with the API's envelope. An answer that has begun is left as it is.
func (rt *Router) refuse(w *answer, r *http.Request, s *state, err error) {
	if w.status != 0 {
		return
	}
	f := fault.As(err)
	after := f.RetryAfter
	if after == 0 && (f.Kind == fault.Throttled || f.Kind == fault.Unavailable) {
		after = time.Second // CPP-10
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Etag", "Location"} {
		w.Header().Del(name) // set for an answer that did not come
	}
	s.api.Write(w, r, f)
}

// log writes the one line of a request: who, what, outcome; never bodies, tokens or queries.
func (rt *Router) log(r *http.Request, s *state, w *answer, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", s.pattern), slog.Int("status", w.code()),
		slog.Duration("duration", took), slog.String("requestId", s.requestID),
		slog.String("correlationId", message.Correlation(r.Context())),
		slog.Group("caller", slog.String("kind", string(s.caller.Kind)), slog.String("tenantId", s.caller.TenantID),
			slog.String("appId", s.caller.AppID), slog.String("objectId", s.caller.ObjectID)),
	}
	if err != nil {
		f := fault.As(err)
		attrs = append(attrs, slog.String("fault", f.Kind.String()), slog.String("code", f.Code), slog.String("target", f.Target))
		switch f.Kind {
		case fault.Internal:
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", err.Error()))
		case fault.Throttled, fault.Unavailable:
			level = slog.LevelWarn
			attrs = append(attrs, slog.String("error", err.Error()))
		default:
			if f.Err != nil {
				attrs = append(attrs, slog.String("cause", f.Err.Error()))
			}
		}
	}
	rt.deps.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// answer remembers the status that went out.
type answer struct {
	http.ResponseWriter
	status int // 0 until something was written
}

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
