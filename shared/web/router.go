package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Handler serves one route. It either writes an answer or returns an error, which the API renders.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Verifier tells who a bearer token speaks for. A token that is not accepted is an Unauthenticated fault.
type Verifier interface {
	Verify(ctx context.Context, bearer string, audiences []string) (account.Caller, error)
}

// Accounts answers what a caller may do. *account.Service does.
type Accounts interface {
	Allow(ctx context.Context, caller account.Caller, publisherID string, p account.Permission) error
	Operator(caller account.Caller) bool
}

// Deps are what a router needs; all but Log are required.
type Deps struct {
	Verifier Verifier
	Accounts Accounts
	Now      func() time.Time // measures how long a request took
	NewID    func() string    // makes the request ids a caller did not send
	Log      *slog.Logger     // nil is silent
}

// API is a family of paths with one error envelope.
type API struct {
	// Prefix is the path below which everything answers with this API's envelope, 404 and 405 included.
	Prefix string
	// Audiences are the accepted token audiences.
	Audiences []string
	// Write renders an error, the only place that does; nil takes PortalErrors.
	Write func(w http.ResponseWriter, r *http.Request, f *fault.Error)
	// Before is checked before the token, for instance the api-version; may be nil.
	Before func(r *http.Request) error
	// AnyContentType takes a body for JSON whatever its content type says (FUL-9).
	AnyContentType bool
	// CorrelationHeader is a further header that carries the correlation id, both ways (CPP-11).
	CorrelationHeader string
}

// Router dispatches requests to the routes of its APIs.
type Router struct {
	deps      Deps
	mux       *http.ServeMux
	resources map[string]*resource // by mux pattern
	groups    []*Group             // longest prefix first
	outside   *Group               // answers what is outside every API
}

// New makes a router without routes.
func New(d Deps) (*Router, error) {
	if d.Verifier == nil || d.Accounts == nil || d.Now == nil || d.NewID == nil {
		return nil, errors.New("web router: Deps.Verifier, Accounts, Now and NewID are required")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	rt := &Router{deps: d, mux: http.NewServeMux(), resources: map[string]*resource{}}
	rt.outside = &Group{router: rt, api: API{Write: PortalErrors}}
	return rt, nil
}

// Group mounts the routes of one API.
type Group struct {
	router *Router
	api    API
	prefix []string // lower-cased segments
}

// API adds an API. Two with one prefix, or a prefix with wildcards, are a broken program: it panics.
func (rt *Router) API(api API) *Group {
	prefix, ok := split(api.Prefix)
	if !ok || len(prefix) == 0 || strings.ContainsAny(api.Prefix, "{}") {
		panic(fmt.Sprintf("API %q: not a prefix", api.Prefix))
	}
	for i := range prefix {
		prefix[i] = strings.ToLower(prefix[i])
	}
	if slices.ContainsFunc(rt.groups, func(g *Group) bool { return slices.Equal(g.prefix, prefix) }) {
		panic(fmt.Sprintf("API %q: mounted twice", api.Prefix))
	}
	if api.Write == nil {
		api.Write = PortalErrors
	}
	g := &Group{router: rt, api: api, prefix: prefix}
	rt.groups = append(rt.groups, g)
	slices.SortStableFunc(rt.groups, func(a, b *Group) int { return len(b.prefix) - len(a.prefix) })
	return g
}

// resource is one path with its methods.
type resource struct {
	routes map[string]*route
}

// ServeHTTP is never called: the mux only finds the resource.
func (*resource) ServeHTTP(http.ResponseWriter, *http.Request) {}

// allow is the Allow header of the resource.
func (rs *resource) allow() string {
	methods := make([]string, 0, len(rs.routes)+1)
	for m := range rs.routes {
		methods = append(methods, m)
		if _, own := rs.routes[http.MethodHead]; m == http.MethodGet && !own {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// find is the route of a method; HEAD is served by GET.
func (rs *resource) find(method string) *route {
	if r := rs.routes[method]; r != nil || method != http.MethodHead {
		return r
	}
	return rs.routes[http.MethodGet]
}

type route struct {
	group   *Group
	pattern string
	path    []segment
	access  Access
	handler Handler
}

// Handle mounts a route. The pattern is the full path, "/api/saas/subscriptions/{id}"; fixed words match in any
// case of letters, a trailing slash is ignored, {name} takes one segment and {name...} at the end takes the
// rest. A route outside the prefix, without access, mounted twice or in conflict with another panics.
func (g *Group) Handle(method, pattern string, access Access, h Handler) {
	fail := func(why string) { panic(fmt.Sprintf("route %s %s: %s", method, pattern, why)) }
	path, err := parsePattern(pattern)
	switch {
	case err != nil:
		fail(err.Error())
	case !under(fixedWords(path), g.prefix):
		fail("is outside of " + g.api.Prefix)
	case access.check == nil:
		fail("declares no access") // deny by default
	case access.pathValue != "" && !names(path, access.pathValue):
		fail("its access needs the path value {" + access.pathValue + "}")
	case access.permission != "" && !access.permission.Known():
		fail("there is no permission " + string(access.permission))
	case h == nil:
		fail("has no handler")
	}
	key := muxPattern(path)
	rs := g.router.resources[key]
	if rs == nil {
		rs = &resource{routes: map[string]*route{}}
		g.router.resources[key] = rs
		g.router.mux.Handle(key, rs)
	}
	if rs.routes[method] != nil {
		fail("is mounted twice")
	}
	rs.routes[method] = &route{group: g, pattern: pattern, path: path, access: access, handler: h}
}

// groupOf is the API a path belongs to: the longest prefix wins.
func (rt *Router) groupOf(path []string) *Group {
	for _, g := range rt.groups {
		if under(path, g.prefix) {
			return g
		}
	}
	return rt.outside
}

// lookup finds the route of a request and sets its path values. Without a route it says why, in which API.
func (rt *Router) lookup(w http.ResponseWriter, r *http.Request) (*route, *Group, error) {
	path, ok := split(r.URL.EscapedPath())
	group := rt.groupOf(path)
	if !ok {
		return nil, group, unknownPath()
	}
	handler, pattern := rt.mux.Handler(&http.Request{Method: http.MethodGet, URL: muxURL(path)})
	rs, found := handler.(*resource)
	if pattern == "" || !found {
		return nil, group, unknownPath()
	}
	route := rs.find(r.Method)
	if route == nil {
		w.Header().Set("Allow", rs.allow())
		return nil, group, fault.New(fault.BadMethod, "MethodNotAllowed", "", "the method %s is not allowed here: expected one of %s", clip(r.Method), rs.allow())
	}
	setValues(r, route.path, path)
	return route, route.group, nil
}

func unknownPath() error {
	return fault.New(fault.NotFound, "NotFound", "", "there is nothing at this path")
}
