package fulfillment

import (
	"net/http"

	"stoa/shared/subscription"
	"stoa/shared/web"
)

// operations answers what waits for an acknowledgement (FUL-65).
func (h *Handler) operations(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	found, err := h.deps.Subscriptions.Outstanding(r.Context(), &sub)
	if err != nil {
		return err
	}
	out := struct {
		Operations []subscription.OperationWire `json:"operations"`
	}{[]subscription.OperationWire{}}
	for i := range found {
		out.Operations = append(out.Operations, h.deps.Profile.Operation(&found[i]))
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

type operationState struct {
	subscription.OperationWire
	ErrorStatusCode string `json:"errorStatusCode"`
	ErrorMessage    string `json:"errorMessage"`
}

// operation answers one operation, finished ones too (FUL-66, FUL-67).
func (h *Handler) operation(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	o, err := h.deps.Subscriptions.OperationOf(r.Context(), &sub, r.PathValue("operationId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, operationState{
		OperationWire: h.deps.Profile.Operation(&o), ErrorStatusCode: o.ErrorCode, ErrorMessage: o.ErrorMessage,
	})
}

// acknowledge completes a pending operation: 200 with an empty body; other members than the status are ignored
// (FUL-68 to FUL-72).
func (h *Handler) acknowledge(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	id := r.PathValue("operationId")
	if _, err := h.deps.Subscriptions.OperationOf(r.Context(), &sub, id); err != nil {
		return err // FUL-6: before the body
	}
	var in struct {
		Status string `json:"status"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := h.deps.Subscriptions.Acknowledge(r.Context(), sub, id, in.Status); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
