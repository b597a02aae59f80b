package host

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const anonymous = `,"authLevel":"anonymous"`

func TestForward(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous + `,"route":"api/{*rest}"`)})
	a.onCall = func(s seen) answer {
		return answer{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/x"}, "X-Own": {"a", "b"}}, Body: "moved"}
	}
	a.start()
	last := func() seen { calls := a.seen(); return calls[len(calls)-1] }

	t.Run("HST-11 HST-13 HST-14 request and reply pass", func(t *testing.T) {
		reply, body := a.do("PUT", "/api/Offers/a%20b%2Fc?x=1&y=%2B&X=2&x=3", "payload", "X-Given", "v", "User-Agent", "mine/1", "Connection", "X-Gone", "X-Gone", "1")
		s := last()
		require.Equal(t, "PUT", s.Method)
		require.Equal(t, "/api/Offers/a%20b%2Fc?x=1,2,3&y=%2B", s.URI)
		require.Equal(t, "payload", string(s.Body))
		require.Equal(t, int64(7), s.ContentLength)
		require.Equal(t, a.host.Addr(), s.Host)
		require.Equal(t, "v", s.Header.Get("X-Given"))
		require.Empty(t, s.Header.Get("X-Gone"), "named by Connection: hop by hop")
		require.Equal(t, "mine/1 Azure-Functions-Host/"+version, s.Header.Get("User-Agent"))
		require.Equal(t, version, s.Header.Get("X-Azure-Functions-HostVersion"))
		require.Len(t, s.Header.Get("X-Azure-Functions-InvocationId"), 36)
		require.Equal(t, 302, reply.StatusCode, "redirects are not followed")
		require.Equal(t, "http://127.0.0.1:1/x", reply.Header.Get("Location"))
		require.Equal(t, []string{"a", "b"}, reply.Header.Values("X-Own"))
		require.Equal(t, "moved", body)
	})
	t.Run("HST-12 chunked body arrives empty, its content headers dropped", func(t *testing.T) {
		status := raw(t, a.host.Addr(), "POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		require.Equal(t, 302, status)
		s := last()
		require.Empty(t, s.Body)
		require.False(t, s.Chunked)
		require.Empty(t, s.Header.Get("Content-Type"))
		require.Equal(t, "h", s.Host)
	})
	t.Run("HST-12 Content-Length 0", func(t *testing.T) {
		require.Equal(t, 302, raw(t, a.host.Addr(), "POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"))
		require.Empty(t, last().Header.Get("Content-Type"))
	})
	t.Run("HST-14 no route is a bare 404 without the handler", func(t *testing.T) {
		before := len(a.seen())
		for _, target := range []string{"/", "/elsewhere", "/ap"} {
			reply, body := a.do("GET", target, "")
			require.Equal(t, 404, reply.StatusCode, target)
			require.Empty(t, body)
		}
		require.Len(t, a.seen(), before)
	})
	t.Run("HST-15 over 100 MB", func(t *testing.T) {
		before := len(a.seen())
		require.Equal(t, 413, raw(t, a.host.Addr(), "POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 104857601\r\n\r\n"))
		require.Len(t, a.seen(), before)
	})
	t.Run("replies stream", func(t *testing.T) {
		a.onCall = func(seen) answer { return answer{Status: 200, Stream: []string{"one", "two"}} }
		reply, body := a.do("GET", "/api/x", "")
		require.Equal(t, "onetwo", body)
		require.Equal(t, int64(-1), reply.ContentLength)
	})
}

// raw sends bytes and returns the status of the answer.
func raw(t *testing.T, addr, request string) int {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer func() { _ = reply.Body.Close() }()
	return reply.StatusCode
}

func TestRebuildQuery(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"HST-11 empty", "", ""},
		{"HST-11 key without value", "a", "a="},
		{"HST-11 twice", "a=1&b=2&a=3", "a=1,3&b=2"},
		{"HST-11 other case is the same key", "a=1&A=2", "a=1,2"},
		{"HST-11 plus is a space", "a=x+y", "a=x%20y"},
		{"HST-11 encoded marks", "%24filter=a%20eq%20%27b%27&c=d%26e%3Df", "$filter=a%20eq%20%27b%27&c=d%26e%3Df"},
		{"HST-11 lower-case escapes", "a=%c3%a9", "a=%C3%A9"},
		{"HST-11 equals sign in a value", "token=a==", "token=a%3D%3D"},
		{"HST-11 bad escape", "a=%zz", "a=%25zz"},
	} {
		require.Equal(t, row.want, rebuildQuery(row.in), row.name)
	}
}

func TestForwardedPath(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"HST-11 root", "", "/"},
		{"HST-11 encoded slash stays", "/a%2fb", "/a%2Fb"},
		{"HST-11 needless escape goes", "/%61b", "/ab"},
		{"HST-11 space", "/a%20b", "/a%20b"},
		{"HST-11 encoded question mark ends the path", "/a%3Fb/c", "/a"},
		{"HST-11 encoded percent", "/50%25", "/50%25"},
	} {
		require.Equal(t, row.want, forwardedPath(row.in), row.name)
	}
}

func TestAuthLevel(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{
		"open":   httpFunction(anonymous),
		"plain":  httpFunction(``),
		"keyed":  httpFunction(`,"authLevel":"function"`),
		"master": httpFunction(`,"authLevel":"admin"`),
	})
	a.opts.Keys = Keys{Master: "m", Host: "h", Functions: map[string][]string{"keyed": {"k"}}}
	a.start()
	for _, row := range []struct {
		name, path, key string
		want            int
	}{
		{"HST-15 anonymous", "/open", "", 200},
		{"HST-15 default level is function", "/plain", "", 401},
		{"HST-15 function without key", "/keyed", "", 401},
		{"HST-15 function with wrong key", "/keyed", "x", 401},
		{"HST-15 function key", "/keyed", "k", 200},
		{"HST-15 other function's key", "/plain", "k", 401},
		{"HST-15 host key", "/keyed", "h", 200},
		{"HST-15 master key", "/keyed", "m", 200},
		{"HST-15 admin with host key", "/master", "h", 401},
		{"HST-15 admin with master key", "/master", "m", 200},
	} {
		reply, _ := a.do("GET", row.path+"?code="+row.key, "")
		require.Equal(t, row.want, reply.StatusCode, "%s, in the query", row.name)
		reply, _ = a.do("GET", row.path, "", "x-functions-key", row.key)
		require.Equal(t, row.want, reply.StatusCode, "%s, in the header", row.name)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	templates := []struct{ name, route, methods string }{
		{"catch", "v1/{*rest}", ""},
		{"param", "v1/items/{id}", ""},
		{"guid", "v1/items/{id:guid}", ""},
		{"number", "v1/items/{id:int}", ""},
		{"literal", "v1/items/special", ""},
		{"deep", "v1/items/{id}/parts/{part?}", ""},
		{"mixed", "v1/files/{name}.zip", ""},
		{"writer", "v2/items/{id}", `,"methods":["post","PUT"]`},
		{"range", "v3/{n:range(1,5)}", ""},
		{"code", `v4/{c:alpha:length(2)}`, ""},
		{"fallback", "v5/{c=home}", ""},
	}
	var functions []function
	for _, x := range templates {
		f, err := parseFunction(x.name, []byte(httpFunction(`,"route":"`+x.route+`"`+x.methods)), nil)
		require.NoError(t, err, x.name)
		functions = append(functions, f)
	}
	r, faults := newRouter("api", functions)
	require.Empty(t, faults)
	for _, row := range []struct{ name, method, path, want, params string }{
		{"HST-14 literal wins", "GET", "/api/v1/items/special", "literal", "map[]"},
		{"HST-14 any case", "GET", "/API/V1/Items/SPECIAL", "literal", "map[]"},
		{"HST-14 guid wins over plain", "GET", "/api/v1/items/0b9aa2b8-5a21-4d3a-9d5f-1d0a3f3f8a11", "guid", "map[id:0b9aa2b8-5a21-4d3a-9d5f-1d0a3f3f8a11]"},
		{"HST-14 int", "GET", "/api/v1/items/7", "number", "map[id:7]"},
		{"HST-14 int that overflows is no int", "GET", "/api/v1/items/99999999999", "param", "map[id:99999999999]"},
		{"HST-14 plain, value keeps its case", "GET", "/api/v1/items/Xy", "param", "map[id:Xy]"},
		{"HST-14 trailing slash", "GET", "/api/v1/items/Xy/", "param", "map[id:Xy]"},
		{"HST-14 optional absent", "GET", "/api/v1/items/7/parts", "deep", "map[id:7]"},
		{"HST-14 optional given", "GET", "/api/v1/items/7/parts/b", "deep", "map[id:7 part:b]"},
		{"HST-14 catch-all", "GET", "/api/v1/some/where%2Felse", "catch", "map[rest:some/where%2Felse]"},
		{"HST-14 catch-all of nothing", "GET", "/api/v1", "catch", "map[]"},
		{"HST-14 text around a parameter", "GET", "/api/v1/files/a.b.zip", "mixed", "map[name:a.b]"},
		{"HST-14 empty segment is no parameter", "GET", "/api/v2/items//", "", ""},
		{"HST-14 method", "POST", "/api/v2/items/1", "writer", "map[id:1]"},
		{"HST-14 other method", "GET", "/api/v2/items/1", "", ""},
		{"HST-14 range lower border", "GET", "/api/v3/1", "range", "map[n:1]"},
		{"HST-14 range outside", "GET", "/api/v3/6", "", ""},
		{"HST-14 two constraints", "GET", "/api/v4/ab", "code", "map[c:ab]"},
		{"HST-14 one constraint broken", "GET", "/api/v4/abc", "", ""},
		{"HST-14 default value", "GET", "/api/v5", "fallback", "map[c:home]"},
		{"HST-14 without the prefix", "GET", "/v1/items/special", "", ""},
		{"HST-14 too long", "GET", "/api/v4/ab/c", "", ""},
	} {
		req, err := http.NewRequest(row.method, "http://h"+row.path, nil)
		require.NoError(t, err)
		f, params := r.find(req)
		got := ""
		if f != nil {
			got = f.name
		}
		require.Equal(t, row.want, got, row.name)
		if f != nil {
			require.Equal(t, row.params, fmt.Sprint(params), row.name)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"a//b", "{*rest}/b", "{a:what}", "a{", "{}", "{n:range(x)}", "p{*rest}"} {
		_, err := parseTemplate(template)
		require.Error(t, err, template)
	}
}

func BenchmarkForward(b *testing.B) {
	a := newApp(b, "", map[string]string{"echo": httpFunction(anonymous)})
	a.onCall = func(seen) answer { return answer{Status: 200, Body: strings.Repeat("x", 512)} }
	a.start()
	for b.Loop() {
		_, _ = a.do("GET", "/echo", "")
	}
}
