package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveAdmin answers the part of the host's admin API a developer needs: GET /admin/host/status,
// GET /admin/host/ping and POST /admin/functions/<name> with {"input": "…"}.
func (h *Host) serveAdmin(w http.ResponseWriter, r *http.Request) {
	if h.opts.Keys.Master != "" && !h.hasKey(r, h.opts.Keys.Master) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path := strings.Trim(strings.ToLower(r.URL.Path), "/")
	name, isFunction := strings.CutPrefix(path, "admin/functions/")
	switch {
	case path == "admin/host/status" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(marshal(map[string]any{
			"id": hostID(h.opts.Settings), "state": "Running", "version": version,
			"processUptime": time.Since(h.started).Milliseconds(),
		}))
	case path == "admin/host/ping":
		w.WriteHeader(http.StatusOK)
	case isFunction && r.Method == http.MethodPost:
		h.runByHand(w, r, name)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Run invokes a timer now, also one that is disabled, and returns what became of it.
func (h *Host) Run(ctx context.Context, name string) error {
	for i := range h.functions {
		f := &h.functions[i]
		if !strings.EqualFold(f.name, name) || f.trigger.kind() != triggerTimer {
			continue
		}
		if !h.work.begin() {
			return errStopped
		}
		defer h.work.end()
		_, err := h.invoke(ctx, f, h.timerCall(h.schedules[f.name], false))
		return err
	}
	return fmt.Errorf("run %s: there is no timer of this name", name)
}

// runByHand starts a function that has no HTTP trigger and answers 202 without waiting for it.
func (h *Host) runByHand(w http.ResponseWriter, r *http.Request, name string) {
	var f *function
	for i := range h.functions {
		if strings.EqualFold(h.functions[i].name, name) {
			f = &h.functions[i]
		}
	}
	if f == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.bodyLimit))
	var given struct {
		Input any `json:"input"`
	}
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &given)
	}
	if err != nil || f.trigger.kind() == triggerHTTP {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	input, isText := given.Input.(string)
	if !isText && given.Input != nil {
		input = string(marshal(given.Input))
	}
	if !h.work.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	go func() {
		defer h.work.end()
		h.runInput(h.running, f, input)
	}()
	w.WriteHeader(http.StatusAccepted)
}

// runInput invokes a function with an input given by hand; the outcome is in the log.
func (h *Host) runInput(ctx context.Context, f *function, input string) {
	switch f.trigger.kind() {
	case triggerTimer:
		_, _ = h.invoke(ctx, f, h.timerCall(h.schedules[f.name], false))
	case triggerBlob:
		container, name, ok := strings.Cut(strings.TrimPrefix(input, "/"), "/")
		if !ok || h.storage == nil {
			h.logFunction(Error, f.name, "input %q is no blob path, or there is no storage", input)
			return
		}
		h.runBlobByHand(ctx, f, container, name)
	default:
		_, _ = h.invoke(ctx, f, messageCall(messageFromText(input, h.opts.Now())))
	}
}
