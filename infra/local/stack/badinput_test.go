package stack_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every endpoint refuses bad input in the error shape of its API, with a code and a target that name what is wrong,
// and keeps nothing of it.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	apis := []*api{
		portalAPI(t), cppAPI(t), fulfillmentAPI(t, w), meteringAPI(t, w), storefrontAPI(t), operatorAPI(t), selftestAPI(t, w), devAPI(t),
	}
	routes := mountedRoutes(t)
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) {
			for _, e := range a.endpoints {
				t.Run(e.method+" "+e.pattern, func(t *testing.T) { w.refuses(t, a, &e, accessOf(routes, &e)) })
			}
		})
	}
	t.Run("events of a batch", w.refusesItems)
	t.Run("every route has rows", func(t *testing.T) { complete(t, apis, routes) })
}

// refuses sends the bad requests of an endpoint, and compares what is kept before and after.
func (w *world) refuses(t *testing.T, a *api, e *endpoint, access string) {
	before := w.fingerprint(t)
	for _, r := range a.rowsOf(e, access) {
		t.Run(strings.TrimSpace(string(r.bad)+" "+r.name), func(t *testing.T) {
			got := w.send(t, w.request(a, e, &r))
			code, target := a.read(got.raw)
			require.Equal(t, r.want, want{got.status, code, target}, "%s", got.raw)
			require.NotEmpty(t, got.header.Get("x-ms-requestid"))
		})
	}
	require.Equal(t, before, w.fingerprint(t), "something of a refused request was kept")
}

func accessOf(routes []mounted, e *endpoint) string {
	for _, r := range routes {
		if r.method == e.method && r.pattern == e.pattern {
			return r.access
		}
	}
	return ""
}

// complete fails for a route that somebody adds without rows, and for rows of a route that is gone.
func complete(t *testing.T, apis []*api, routes []mounted) {
	missing := slices.Clone(routes)
	for _, a := range apis {
		for _, e := range a.endpoints {
			at := slices.IndexFunc(missing, func(r mounted) bool { return r.method == e.method && r.pattern == e.pattern })
			if at < 0 {
				t.Errorf("%s %s: there is no such route, or it has two endpoints here", e.method, e.pattern)
				continue
			}
			if lacks := a.lacks(&e, missing[at].access); len(lacks) > 0 {
				t.Errorf("%s %s has no rows for: %v", e.method, e.pattern, lacks)
			}
			missing = slices.Delete(missing, at, at+1)
		}
	}
	for _, r := range missing {
		t.Errorf("%s %s has no endpoint here", r.method, r.pattern)
	}
}

// portalError reads the error shape of our own prefixes: the first detail where there are several findings.
func portalError(body []byte) (code, target string) {
	var got struct {
		Error struct {
			Code, Target string
			Details      []struct{ Code, Target string }
		}
	}
	if json.Unmarshal(body, &got) != nil {
		return "", ""
	}
	if d := got.Error.Details; got.Error.Target == "" && len(d) > 0 {
		return d[0].Code, d[0].Target
	}
	return got.Error.Code, got.Error.Target
}

// flatError reads the error shape of the fulfillment and metering APIs.
func flatError(body []byte) (code, target string) {
	var got struct {
		Code, Target string
		Details      []struct{ Code, Target string }
		Error        struct{ Code string } // a wrong api-version
	}
	switch {
	case json.Unmarshal(body, &got) != nil:
		return "", ""
	case got.Error.Code != "":
		return got.Error.Code, "api-version"
	case len(got.Details) > 0:
		return got.Details[0].Code, got.Details[0].Target
	}
	return got.Code, got.Target
}
