// Package selftest serves POST /selftest-vm: the certification tests of a virtual machine image, run against a machine
// that its publisher started from it (chapter 03, 6.1 and 6.2).
//
// The handler decodes, calls package selftest once and encodes. The body holds a password or a private key, so
// nothing of it is ever logged or answered (VMO-102).
//
// Readings: applications only, because the published way to a token is that of an application; members in any case of
// letters, because the published samples write AppId and AppID.
package selftest

import (
	"errors"
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/selftest"
	"stoa/shared/web"
)

// Audience is the resource that tokens for the self-test are asked for.
const Audience = "https://management.core.windows.net"

// Handler serves the route. Safe for concurrent use.
type Handler struct{ runs *selftest.Service }

// New makes the handler.
func New(runs *selftest.Service) (*Handler, error) {
	if runs == nil {
		return nil, errors.New("self-test handler: the service is required")
	}
	return &Handler{runs}, nil
}

// Routes mounts the API.
func (h *Handler) Routes(rt *web.Router) {
	api := rt.API(web.API{Prefix: "/selftest-vm", Audiences: []string{Audience}, Write: writeError})
	api.Handle(http.MethodPost, "/selftest-vm", web.App(), h.run)
}

// request is the body. AppId is also known as AppID.
type request struct {
	DNSName     string `json:"DNSName"`
	UserName    string `json:"UserName"`
	Password    string `json:"Password"`
	OS          string `json:"OS"`
	PortNo      string `json:"PortNo"`
	CompanyName string `json:"CompanyName"`
	AppID       string `json:"AppId"`
	TenantID    string `json:"TenantId"`
}

// maxBody is more than the longest private key needs, in bytes.
const maxBody = 128 << 10

// run tests a machine: 200 with the tracking id and the report as a string that holds JSON. A second request runs
// everything again; nothing is kept of either.
func (h *Handler) run(w http.ResponseWriter, r *http.Request) error {
	var in request
	if err := web.DecodeLimit(r, &in, maxBody); err != nil {
		return err
	}
	out, err := h.runs.Run(r.Context(), web.Caller(r.Context()), selftest.Form(in))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return web.WriteJSON(w, http.StatusOK, out)
}

// writeError is the error envelope of the contract: a code and a message that names the field.
func writeError(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	status, code := f.Kind.Status(), f.Code
	message := f.Message
	switch {
	case f.Code == selftest.CodeTimeout:
		status = http.StatusGatewayTimeout
	case f.Kind == fault.Unauthenticated:
		code = "Unauthorized"
		w.Header().Set("WWW-Authenticate", "Bearer")
	case f.Kind == fault.Invalid:
		if f.Code != selftest.CodeArgument && f.Target != "" {
			message = f.Target + " " + message // the decoder names the field beside its message
		}
		code = selftest.CodeArgument
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = code, message
	// Strings always encode.
	_ = web.WriteJSON(w, status, body)
}
