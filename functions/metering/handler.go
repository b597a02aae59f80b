// Package metering serves the metering API, version 2018-08-31, to publishers: usageEvent, batchUsageEvent and
// usageEvents (MTR-20 to MTR-62, MTR-86 to MTR-90).
//
// Handlers decode, call one operation of package metering, and encode. Members that are not well formed are
// findings of their event and not of the body, so that one of them never harms the rest of a batch. What a caller
// sent comes back as it was sent, numbers and times included.
//
// Readings: a body is taken for JSON whatever its content type says; a last day without a time of day is read back
// to its end (MTR-87). A token for Azure Resource Manager is accepted of a managed identity and for single events
// only, because the published sample asks for such a one (MTR-29). The header SessionMode has one value, DryRun;
// another one is refused, so that nothing is billed that was meant as a trial.
package metering

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/web"
)

// Deps are what the handler needs; Metering and Audiences are required.
type Deps struct {
	Metering  *metering.Service
	Audiences []string // accepted token audiences
	// IdentityAudiences are accepted of managed identities besides those; Tokens then looks again whether that of
	// an application is meant for us.
	IdentityAudiences []string
	Tokens            web.Verifier
	Throttle          *metering.Throttle // keeps callers to a pace; nil takes all
	Log               *slog.Logger       // tells why items of a batch failed; nil is silent
}

// Handler serves the routes. Safe for concurrent use.
type Handler struct{ deps Deps }

// New makes the handler.
func New(d Deps) (*Handler, error) {
	if d.Metering == nil || len(d.Audiences) == 0 {
		return nil, errors.New("metering handler: Metering and Audiences are required")
	}
	if len(d.IdentityAudiences) > 0 && d.Tokens == nil {
		return nil, errors.New("metering handler: IdentityAudiences need Tokens")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{deps: d}, nil
}

// Routes mounts the API. A managed identity may report single events only (MTR-31). Each path names its own request
// in the target of its errors.
func (h *Handler) Routes(rt *web.Router) {
	group := func(path, target string, audiences []string) *web.Group {
		return rt.API(web.API{Prefix: path, Audiences: audiences, Write: errorWriter(target), Before: checkVersion, AnyContentType: true})
	}
	const event, batch, events = "/api/usageEvent", "/api/batchUsageEvent", "/api/usageEvents"
	group(event, eventTarget, slices.Concat(h.deps.IdentityAudiences, h.deps.Audiences)).Handle(http.MethodPost, event, web.AppOrIdentity(), h.paced(h.report))
	group(batch, batchTarget, h.deps.Audiences).Handle(http.MethodPost, batch, web.App(), h.paced(h.reportBatch))
	group(events, filterTarget, h.deps.Audiences).Handle(http.MethodGet, events, web.App(), h.paced(h.reported))
}

// paced serves a caller that keeps its pace (MTR-25).
func (h *Handler) paced(serve web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if h.deps.Throttle != nil {
			if err := h.deps.Throttle.Take(web.Caller(r.Context())); err != nil {
				return err
			}
		}
		return serve(w, r)
	}
}

// checkAudience refuses an application whose token is meant for managed identities only (MTR-29).
func (h *Handler) checkAudience(r *http.Request) error {
	if len(h.deps.IdentityAudiences) == 0 || web.Caller(r.Context()).Kind == account.ManagedIdentity {
		return nil
	}
	token, _ := web.Bearer(r.Header.Get("Authorization"))
	_, err := h.deps.Tokens.Verify(r.Context(), token, h.deps.Audiences)
	return err
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
