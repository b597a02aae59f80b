package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/outbound"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func local(s *httptest.Server) *outbound.Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return outbound.New(outbound.Options{AllowLoopback: true, RootCAs: roots})
}

func requireFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equalf(t, kind, f.Kind, "%v", err)
	require.Equalf(t, code, f.Code, "%v", err)
}

func TestCallGoesThrough(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Seen", r.Header.Get("Content-Type"))
		w.Header().Add("X-Seen", r.Method)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "got %s", body)
	})
	reply, err := local(s).Do(t.Context(), call.Request{
		Method: "POST", URL: s.URL, Body: []byte(`{"a":1}`), Header: map[string]string{"Content-Type": "application/json"},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, reply.Status)
	require.Equal(t, `got {"a":1}`, string(reply.Body))
	require.Equal(t, "application/json, POST", reply.Header["X-Seen"])
	require.Positive(t, reply.Elapsed)
}

func TestAddressesRefusedByTheirLook(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"plain http":          "http://example.com/",
		"http with loopback":  "http://127.0.0.1/",
		"another scheme":      "ftp://example.com/",
		"a file":              "file:///etc/passwd",
		"no scheme":           "example.com/hook",
		"no host":             "https:///hook",
		"opaque":              "https:example.com",
		"user-info":           "https://user:pass@example.com/",
		"user without secret": "https://user@example.com/",
		"not an address":      "https://[::1/",
		"empty":               "",
	} {
		_, err := outbound.New(outbound.Options{}).Do(t.Context(), call.Request{Method: "GET", URL: url})
		requireFault(t, err, fault.Invalid, "AddressNotAllowed")
		require.NotContains(t, err.Error(), "pass@", name)
	}
}

func TestAddressesRefusedAtConnect(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"127.0.0.1", "127.1", "0.0.0.0", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "168.63.129.16",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[fe80::1%25lo]", "[fd00::1]", "localhost",
	} {
		_, err := outbound.New(outbound.Options{}).Do(t.Context(), call.Request{Method: "GET", URL: "https://" + host + ":9/", Timeout: 5 * time.Second})
		var f *fault.Error
		require.ErrorAs(t, err, &f, host)
		if host == "127.1" { // no address for Go, and a name nobody resolves
			continue
		}
		require.Equalf(t, "AddressNotAllowed", f.Code, "%s: %v", host, err)
	}
}

func TestLoopbackModeAllowsNothingElse(t *testing.T) {
	t.Parallel()
	c := outbound.New(outbound.Options{AllowLoopback: true})
	for _, url := range []string{"https://10.0.0.1/", "https://169.254.169.254/", "http://10.0.0.1/", "http://8.8.8.8/", "http://[2606:4700::1111]/"} {
		_, err := c.Do(t.Context(), call.Request{Method: "GET", URL: url, Timeout: time.Second})
		requireFault(t, err, fault.Invalid, "AddressNotAllowed")
	}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	_, err := c.Do(t.Context(), call.Request{Method: "GET", URL: s.URL})
	require.NoError(t, err, "loopback may be plain http")
}

// names is a DNS server that answers every name's nth A question with the nth address, the last one for ever.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	var asked int
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			end := 12 + strings.IndexByte(string(packet[12:n]), 0) + 5 // the question's name, type and class
			answer := append([]byte{packet[0], packet[1], 0x84, 0x00, 0, 1, 0, 0, 0, 0, 0, 0}, packet[12:end]...)
			if packet[end-3] == 1 { // A
				address := addresses[min(asked, len(addresses)-1)]
				asked++
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, net.ParseIP(address).To4()...)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that points to an inner address, at once or at the second look, leads nowhere.
func TestNamesThatPointInside(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	for _, addresses := range [][]string{{"127.0.0.1"}, {"169.254.169.254"}, {"10.1.2.3"}, {"192.0.2.1", "127.0.0.1"}} {
		c := outbound.New(outbound.Options{Resolver: names(t, addresses...)})
		for range 3 {
			_, err := c.Do(t.Context(), call.Request{Method: "GET", URL: "https://rebind.example.com.:" + port, Timeout: 5 * time.Second})
			requireFault(t, err, fault.Invalid, "AddressNotAllowed")
		}
	}
	require.Zero(t, reached.Load())
}

func TestRedirectsAreRepliesOnly(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	var s *httptest.Server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			followed.Add(1)
			return
		}
		http.Redirect(w, r, s.URL+"/inside", http.StatusTemporaryRedirect)
	})
	reply, err := local(s).Do(t.Context(), call.Request{Method: "POST", URL: s.URL, Body: []byte("x")})
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, reply.Status)
	require.Equal(t, s.URL+"/inside", reply.Header["Location"])
	require.Zero(t, followed.Load())
}

func TestHugeBodyIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	for _, c := range []struct{ ask, want int }{{0, outbound.DefaultReply}, {10, 10}, {1 << 30, outbound.MaxReply}} {
		reply, err := local(s).Do(t.Context(), call.Request{Method: "GET", URL: s.URL, MaxReply: c.ask})
		require.NoError(t, err)
		require.Len(t, reply.Body, c.want)
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 100 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 4096))
		}
	})
	_, err := local(s).Do(t.Context(), call.Request{Method: "GET", URL: s.URL})
	requireFault(t, err, fault.Unavailable, "CallFailed")
}

// A server that sends a byte now and then, for ever, is cut off by the time limit of the whole call.
func TestSlowDrip(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]bool{"in the body": true, "before the head": false} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !head {
				<-r.Context().Done()
				return
			}
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("."))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
		_, err := local(s).Do(t.Context(), call.Request{Method: "GET", URL: s.URL, Timeout: 200 * time.Millisecond})
		requireFault(t, err, fault.Unavailable, "CallTimeout")
		require.Contains(t, err.Error(), "call 127.0.0.1", name)
	}
}

func TestTransportProblems(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	stranger := outbound.New(outbound.Options{AllowLoopback: true, RootCAs: x509.NewCertPool()})
	_, err := stranger.Do(t.Context(), call.Request{Method: "GET", URL: s.URL + "?code=secret"})
	requireFault(t, err, fault.Unavailable, "CallFailed")
	require.NotContains(t, err.Error(), "secret")

	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	_, err = local(old).Do(t.Context(), call.Request{Method: "GET", URL: old.URL})
	requireFault(t, err, fault.Unavailable, "CallFailed")

	gone := serve(t, func(http.ResponseWriter, *http.Request) {})
	client := local(gone)
	gone.Close()
	_, err = client.Do(t.Context(), call.Request{Method: "GET", URL: gone.URL})
	requireFault(t, err, fault.Unavailable, "CallFailed")

	_, err = client.Do(t.Context(), call.Request{Method: "BAD METHOD", URL: gone.URL})
	requireFault(t, err, fault.Invalid, "InvalidValue")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = local(s).Do(ctx, call.Request{Method: "GET", URL: s.URL})
	require.True(t, errors.Is(err, context.Canceled))
}

func TestSixteenCallsPerHost(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		now.Add(-1)
	})
	c := local(s)
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			_, err := c.Do(context.Background(), call.Request{Method: "GET", URL: s.URL})
			require.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return now.Load() == outbound.PerHost }, 10*time.Second, time.Millisecond)
	_, err := c.Do(t.Context(), call.Request{Method: "GET", URL: s.URL, Timeout: 50 * time.Millisecond})
	requireFault(t, err, fault.Unavailable, "CallTimeout")
	close(release)
	group.Wait()
	require.EqualValues(t, outbound.PerHost, most.Load())
}
