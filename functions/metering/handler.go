// Package metering serves the metering API, version 2018-08-31, to publishers: usageEvent, batchUsageEvent and
// usageEvents (MTR-20 to MTR-62, MTR-86 to MTR-90).
//
// Handlers decode, call one operation of package metering, and encode. Members that are not well formed are
// findings of their event and not of the body, so that one of them never harms the rest of a batch. What a caller
// sent comes back as it was sent, numbers and times included.
//
// Readings: a body is taken for JSON whatever its content type says; a last day without a time of day is read back
// to its end (MTR-87).
package metering

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/web"
)

// Deps are what the handler needs; all but Log are required.
type Deps struct {
	Metering  *metering.Service
	Audiences []string     // accepted token audiences
	Log       *slog.Logger // tells why items of a batch failed; nil is silent
}

// Handler serves the routes. Safe for concurrent use.
type Handler struct{ deps Deps }

// New makes the handler.
func New(d Deps) (*Handler, error) {
	if d.Metering == nil || len(d.Audiences) == 0 {
		return nil, errors.New("metering handler: Metering and Audiences are required")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{deps: d}, nil
}

// The paths of the API.
const (
	singlePath = "/api/usageEvent"
	batchPath  = "/api/batchUsageEvent"
	readPath   = "/api/usageEvents"
)

// Routes mounts the API. A managed identity may report single events only (MTR-31).
func (h *Handler) Routes(rt *web.Router) {
	mount := func(method, path string, access web.Access, serve web.Handler, request string) {
		g := rt.API(web.API{
			Prefix: path, Audiences: h.deps.Audiences, Write: errorWriter(request), Before: checkVersion, AnyContentType: true,
		})
		g.Handle(method, path, access, serve)
	}
	mount(http.MethodPost, singlePath, web.AppOrIdentity(), h.report, eventTarget)
	mount(http.MethodPost, batchPath, web.App(), h.reportBatch, metering.EnvelopeOf("batchTooLarge").Target)
	mount(http.MethodGet, readPath, web.App(), h.reported, "usageEventsRequest")
}

const versionParameter = "api-version"

// checkVersion refuses a request without the api-version. The parameter is also known as ApiVersion, in any case
// of letters (MTR-21).
func checkVersion(r *http.Request) error {
	for name, values := range r.URL.Query() {
		known := strings.EqualFold(name, versionParameter) || strings.EqualFold(name, "ApiVersion")
		if known && values[0] == metering.APIVersion() {
			return nil
		}
	}
	return fault.New(fault.Invalid, string(metering.BadArgument), versionParameter,
		"The query parameter api-version is required and must be %s.", metering.APIVersion())
}

// report takes one event: 200 with the accepted event, or the error of its status (6.1).
func (h *Handler) report(w http.ResponseWriter, r *http.Request) error {
	var in wireEvent
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	result := h.deps.Metering.Accept(r.Context(), web.Caller(r.Context()), []metering.Event{in.event()})[0]
	switch result.Status {
	case metering.Accepted:
		return web.WriteJSON(w, http.StatusOK, in.accepted(result))
	case metering.Failed:
		info := metering.InfoOf(metering.Failed)
		return fault.New(fault.Internal, info.Code, "", "%s", info.Message).Because(result.Err)
	}
	return web.WriteJSON(w, metering.InfoOf(result.Status).HTTP, errorOf(result))
}

// reportBatch takes up to 25 events, each on its own: 200 whatever becomes of them (MTR-56 to MTR-62).
func (h *Handler) reportBatch(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Request []json.RawMessage `json:"request"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	switch n := len(in.Request); {
	case n == 0:
		return fault.New(fault.Invalid, string(metering.BadArgument), "request",
			"The request must hold 1 to %d events.", metering.MaxBatch())
	case n > metering.MaxBatch():
		return fault.New(fault.Invalid, codeTooMany, "request", "%s", metering.EnvelopeOf("batchTooLarge").Message)
	}
	sent := make([]wireEvent, len(in.Request))
	events := make([]metering.Event, len(in.Request))
	for i, raw := range in.Request {
		// What is no object has no members, and is answered so.
		_ = json.Unmarshal(raw, &sent[i])
		events[i] = sent[i].event()
	}
	results := h.deps.Metering.Accept(r.Context(), web.Caller(r.Context()), events)
	out := wireBatch{Count: len(results), Result: make([]wireItem, len(results))}
	for i, result := range results {
		if result.Status == metering.Failed {
			h.deps.Log.ErrorContext(r.Context(), "an event of a batch failed",
				"requestId", web.RequestID(r.Context()), "item", i, "error", result.Err)
		}
		out.Result[i] = sent[i].item(result)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// wireBatch is the answer to a batch: a result for each event, in the order of the request (MTR-57).
type wireBatch struct {
	Count  int        `json:"count"`
	Result []wireItem `json:"result"`
}

// reported reads usage back as a bare array (MTR-86 to MTR-90). No SaaS resource has an Azure subscription, so
// whoever asks for one gets nothing.
func (h *Handler) reported(w http.ResponseWriter, r *http.Request) error {
	filter, azureSubscription, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	days, err := h.deps.Metering.Reported(r.Context(), web.Caller(r.Context()), filter)
	if err != nil {
		return err
	}
	out := []wireDay{}
	for _, d := range days {
		if azureSubscription == "" {
			out = append(out, dayOf(d))
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}
