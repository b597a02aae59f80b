// Package fulfillment serves the SaaS fulfillment API, version 2018-08-31, to publishers (FUL-1 to FUL-95), the
// purchases and subscriptions of customers under /storefront/v1, and suspension by marketplace staff.
//
// Handlers decode, call one operation of package subscription, and encode. The contract is written down in
// openapi.yaml. Every request of the API is checked in the order of FUL-6: api-version, token, subscription,
// ownership, operation, body and state; so a body is read only when the subscription is known and the caller's.
//
// A refusal says which check failed, with what was expected and what was found as far as the caller may know it: a 403
// shows the caller's own claims and never those of others. The ids of the request stand in the headers.
//
// Readings: links in answers begin with the public address of the settings, not with the host of the request,
// which behind the Functions host is not the caller's (FUL-36, FUL-53). An empty quantity counts as absent in
// every body. In profile current a Reinstate is done before its publisher is told, so its acknowledgement finds nothing
// pending: 409 by FUL-70; FUL-71 names the three actions that are refused with 400 whatever their state.
package fulfillment

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// Version is the only api-version (FUL-5).
const Version = "2018-08-31"

// Deps are what the handler needs; all but Profile are required.
type Deps struct {
	Subscriptions *subscription.Service
	Pages         web.Pages
	Audiences     []string             // accepted token audiences
	PublicURL     string               // how callers reach us, without a closing slash
	Profile       subscription.Profile // empty takes Guide; the same as that of Subscriptions
}

// Handler serves the routes. Safe for concurrent use.
type Handler struct{ deps Deps }

// New makes the handler.
func New(d Deps) (*Handler, error) {
	if d.Subscriptions == nil || len(d.Pages.Key) == 0 || len(d.Audiences) == 0 || d.PublicURL == "" {
		return nil, errors.New("fulfillment handler: Subscriptions, Pages, Audiences and PublicURL are required")
	}
	if d.Profile == "" {
		d.Profile = subscription.Guide
	}
	return &Handler{deps: d}, nil
}

// Routes mounts the fulfillment API.
func (h *Handler) Routes(rt *web.Router) {
	g := rt.API(web.API{
		Prefix: "/api/saas", Audiences: h.deps.Audiences, Write: writeError, Before: checkVersion, AnyContentType: true,
	})
	const all, one = "/api/saas/subscriptions", "/api/saas/subscriptions/{subscriptionId}"
	g.Handle(http.MethodPost, all+"/resolve", web.App(), h.resolve)
	g.Handle(http.MethodGet, all, web.App(), h.list)
	g.Handle(http.MethodGet, one, web.App(), h.get)
	g.Handle(http.MethodPatch, one, web.App(), h.change)
	g.Handle(http.MethodDelete, one, web.App(), h.cancel)
	g.Handle(http.MethodPost, one+"/activate", web.App(), h.activate)
	g.Handle(http.MethodGet, one+"/listAvailablePlans", web.App(), h.plans)
	g.Handle(http.MethodGet, one+"/operations", web.App(), h.operations)
	g.Handle(http.MethodGet, one+"/operations/{operationId}", web.App(), h.operation)
	g.Handle(http.MethodPatch, one+"/operations/{operationId}", web.App(), h.acknowledge)
}

// The codes of a wrong api-version, which has an envelope of its own (6.1).
const (
	codeVersionMissing = "ApiVersionUnspecified"
	codeVersionUnknown = "UnsupportedApiVersion"
)

// checkVersion refuses a request without the api-version; the parameter's name matches in any case (FUL-5).
func checkVersion(r *http.Request) error {
	for name, values := range r.URL.Query() {
		if !strings.EqualFold(name, "api-version") || values[0] == "" {
			continue
		}
		if values[0] == Version {
			return nil
		}
		return fault.New(fault.Invalid, codeVersionUnknown, "api-version", "The api-version must be %s, found %s.", Version, shown(values[0]))
	}
	return fault.New(fault.Invalid, codeVersionMissing, "api-version", "The query parameter api-version is required: %s.", Version)
}

// shown is what a caller sent, as a refusal shows it.
func shown(value string) string {
	const most = 40
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "…"
	}
	return strconv.Quote(value)
}

// owned reads the subscription of the request for its publisher.
func (h *Handler) owned(r *http.Request) (subscription.Subscription, error) {
	return h.deps.Subscriptions.Owned(r.Context(), web.Caller(r.Context()), r.PathValue("subscriptionId"))
}

// base is the address the API is reached at.
func (h *Handler) base() string { return h.deps.PublicURL + "/api/saas/subscriptions" }

// accepted answers 202 with the place of the operation (FUL-53).
func (h *Handler) accepted(w http.ResponseWriter, o subscription.Operation) {
	w.Header().Set("Operation-Location", h.base()+"/"+o.SubscriptionID+"/operations/"+o.ID+"?api-version="+Version)
	w.Header().Set("Operation-Id", o.ID)
	w.WriteHeader(http.StatusAccepted)
}

// nextLink is the address of the next page (FUL-36).
func (h *Handler) nextLink(token string) string {
	if token == "" {
		return ""
	}
	return h.base() + "/?continuationToken=" + url.QueryEscape(token) + "&api-version=" + Version
}

// scope binds a continuation to its caller (FUL-37).
func scope(c account.Caller) string {
	return "saas/subscriptions/" + strings.ToLower(c.TenantID+"/"+c.AppID)
}
