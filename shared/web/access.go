package web

import (
	"context"
	"net/http"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Access says who may call a route. The zero value lets nobody in and does not mount.
type Access struct {
	check      func(rt *Router, r *http.Request, caller account.Caller) error
	open       bool               // no token is read
	pathValue  string             // path value the check needs
	permission account.Permission // permission the check asks for
}

// Open lets anyone in; a token is not read.
func Open() Access {
	return Access{open: true, check: func(*Router, *http.Request, account.Caller) error { return nil }}
}

// App lets in verified applications. People and managed identities are Forbidden.
func App() Access { return ofKind("an application", account.App) }

// AppOrIdentity lets in verified applications and managed identities. People are Forbidden.
func AppOrIdentity() Access {
	return ofKind("an application or managed identity", account.App, account.ManagedIdentity)
}

// Customer lets in a verified person of any directory.
func Customer() Access { return ofKind("a signed-in person", account.User) }

func ofKind(who string, kinds ...account.CallerKind) Access {
	return Access{check: func(_ *Router, _ *http.Request, caller account.Caller) error {
		for _, k := range kinds {
			if caller.Kind == k {
				return nil
			}
		}
		return fault.New(fault.Forbidden, "Forbidden", "authorization", "only %s may do this: the token is that of %s", who, kindNames[caller.Kind])
	}}
}

// kindNames are the kinds of callers, as a refusal names them.
var kindNames = map[account.CallerKind]string{
	account.App: "an application", account.User: "a signed-in person", account.ManagedIdentity: "a managed identity", account.Anonymous: "nobody",
}

// Publisher lets in applications and people that hold the permission in the publisher account which the path
// value {publisherId} names. An unknown or foreign publisher is Forbidden "Forbidden", a missing permission
// Forbidden "PermissionDenied" (ACC-57).
func Publisher(p account.Permission) Access {
	const value = "publisherId"
	return Access{pathValue: value, permission: p, check: func(rt *Router, r *http.Request, caller account.Caller) error {
		return rt.deps.Accounts.Allow(r.Context(), caller, r.PathValue(value), p)
	}}
}

// Operator lets in the applications of the marketplace's staff.
func Operator() Access {
	return Access{check: func(rt *Router, _ *http.Request, caller account.Caller) error {
		if !rt.deps.Accounts.Operator(caller) {
			return fault.New(fault.Forbidden, "Forbidden", "authorization", "only marketplace staff may do this: the claims tid and appid of the token are not those of staff, found tid %q, appid %q",
				caller.TenantID, caller.AppID)
		}
		return nil
	}}
}

type stateKey struct{}

// state is what the wrapper knows of the request being served.
type state struct {
	api       *API
	pattern   string
	requestID string
	caller    account.Caller
}

// Caller is who the verified token of the request speaks for; the zero Caller on an open route.
func Caller(ctx context.Context) account.Caller {
	if s := stateOf(ctx); s != nil {
		return s.caller
	}
	return account.Caller{}
}

// RequestID is the x-ms-requestid of the request, sent or generated.
func RequestID(ctx context.Context) string {
	if s := stateOf(ctx); s != nil {
		return s.requestID
	}
	return ""
}

func stateOf(ctx context.Context) *state {
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}
