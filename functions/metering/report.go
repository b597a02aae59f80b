package metering

import (
	"encoding/json"
	"net/http"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/web"
)

// report takes one event: 200 with the accepted event, or the error of its status (6.1).
func (h *Handler) report(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkAudience(r); err != nil {
		return err
	}
	dry, err := dryRun(r)
	if err != nil {
		return err
	}
	var in wireEvent
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	result := h.accept(r, dry, []metering.Event{in.event()})[0]
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
	dry, err := dryRun(r)
	if err != nil {
		return err
	}
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
	results := h.accept(r, dry, events)
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

func (h *Handler) accept(r *http.Request, dry bool, events []metering.Event) []metering.Result {
	return h.deps.Metering.Accept(r.Context(), metering.Report{Caller: web.Caller(r.Context()), Events: events, DryRun: dry})
}

const sessionHeader = "SessionMode"

// dryRun reports whether the request is to be checked only (9.2).
func dryRun(r *http.Request) (bool, error) {
	mode := r.Header.Get(sessionHeader)
	if mode == "" {
		return false, nil
	}
	if !strings.EqualFold(mode, string(metering.DryRun)) {
		return false, fault.New(fault.Invalid, string(metering.BadArgument), sessionHeader, "The header SessionMode may be %s only.", metering.DryRun)
	}
	return true, nil
}
