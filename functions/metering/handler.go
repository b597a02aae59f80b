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

// Routes mounts the API. A managed identity may report single events only (MTR-31). Each path names its own request
// in the target of its errors.
func (h *Handler) Routes(rt *web.Router) {
	h.api(rt, "/api/usageEvent", eventTarget).Handle(http.MethodPost, "/api/usageEvent", web.AppOrIdentity(), h.report)
	h.api(rt, "/api/batchUsageEvent", batchTarget).Handle(http.MethodPost, "/api/batchUsageEvent", web.App(), h.reportBatch)
	h.api(rt, "/api/usageEvents", filterTarget).Handle(http.MethodGet, "/api/usageEvents", web.App(), h.reported)
}

func (h *Handler) api(rt *web.Router, path, target string) *web.Group {
	return rt.API(web.API{
		Prefix: path, Audiences: h.deps.Audiences, Write: errorWriter(target), Before: checkVersion, AnyContentType: true,
	})
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
