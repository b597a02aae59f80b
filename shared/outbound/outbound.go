// Package outbound makes HTTP calls to addresses that publishers give us, and to no address that is none of their
// business: it is the guarded client behind call.Doer.
//
// Only https with a verified certificate, only the public internet as seen at connect, no redirects, no proxy, no
// user-info, and limits on time, size and concurrency. In the local stack loopback is allowed as well, also over
// plain http. A Client is safe for concurrent use. It never logs; what the other side answers is data.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
)

// Options of a client. The zero value is right for production.
type Options struct {
	AllowLoopback bool           // calls to loopback, also over http: the local stack only
	RootCAs       *x509.CertPool // trusted roots; none: the system's
	Resolver      *net.Resolver  // name resolution; none: the system's
	UserAgent     string         // none: "Stoa"
}

// Limits of a call.
const (
	PerHost        = 16               // calls to one host at the same time; further ones wait
	DefaultTimeout = 30 * time.Second // of a call that names none
	MaxTimeout     = 2 * time.Minute  // of any call
	DefaultReply   = 64 << 10         // bytes of a reply's body that are kept when the call names no limit
	MaxReply       = 8 << 20          // bytes of a reply's body that are ever kept
	maxHeader      = 64 << 10
)

// Client is a guarded HTTP client.
type Client struct {
	secure, plain *http.Client
	allowPlain    bool
	agent         string
	hosts         turnstile
}

var _ call.Doer = (*Client)(nil)

// New makes a client.
func New(o Options) *Client {
	if o.UserAgent == "" {
		o.UserAgent = "Stoa"
	}
	return &Client{
		secure:     client(o, Allowed(o.AllowLoopback)),
		plain:      client(o, func(a netip.Addr) bool { return o.AllowLoopback && a.IsLoopback() }),
		allowPlain: o.AllowLoopback,
		agent:      o.UserAgent,
	}
}

// Transport makes the requests of an HTTP client that is not ours, such as a registry's: guarded as those of a Client,
// and without its limits on time and size, which are then the client's business.
func Transport(o Options) http.RoundTripper {
	c := New(o)
	return guarded{c}
}

// guarded sends a request the way its scheme goes.
type guarded struct{ client *Client }

// RoundTrip implements http.RoundTripper.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := g.client.check(r.URL.String()); err != nil {
		return nil, err
	}
	by := g.client.secure
	if r.URL.Scheme == "http" {
		by = g.client.plain
	}
	return by.Transport.RoundTrip(r)
}

func client(o Options, allowed func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Resolver: o.Resolver, Control: guard(allowed)}
	return &http.Client{
		Transport: &http.Transport{
			// No Proxy: a proxy would connect in our place, unguarded.
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do implements call.Doer. Whatever status comes back is a reply; a redirect is not followed.
func (c *Client) Do(ctx context.Context, r call.Request) (call.Reply, error) {
	target, err := c.check(r.URL)
	if err != nil {
		return call.Reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(r))
	defer cancel()
	host := strings.ToLower(target.Hostname())
	if err := c.hosts.enter(ctx, host); err != nil {
		return call.Reply{}, failed(target, err)
	}
	defer c.hosts.leave(host)
	reply, err := c.send(ctx, target, r, 0)
	if err != nil {
		return call.Reply{}, err
	}
	return reply, nil
}

// send makes the call. When an answer came and its body did not, it returns both, the answer with the part of the
// body that came, and the error. A body time that is not zero bounds the wait for the body from the answer on.
func (c *Client) send(ctx context.Context, target *url.URL, r call.Request, bodyTime time.Duration) (call.Reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, target.String(), bytes.NewReader(r.Body))
	if err != nil {
		return call.Reply{}, fault.New(fault.Invalid, "InvalidValue", "method", "must be an HTTP method").Because(err)
	}
	request.Header.Set("User-Agent", c.agent)
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	by := c.secure
	if target.Scheme == "http" {
		by = c.plain
	}
	began := time.Now()
	response, err := by.Do(request)
	if err != nil {
		return call.Reply{}, failed(target, err)
	}
	// The rest of a body is dropped by closing it, not by reading it.
	defer response.Body.Close()
	if bodyTime > 0 {
		defer time.AfterFunc(bodyTime, cancel).Stop()
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit(r))))
	header := make(map[string]string, len(response.Header))
	for name, values := range response.Header {
		header[name] = strings.Join(values, ", ")
	}
	reply := call.Reply{Status: response.StatusCode, Header: header, Body: body, Elapsed: time.Since(began)}
	if err != nil {
		return reply, failed(target, err)
	}
	return reply, nil
}

// check refuses what can be refused by the look of the address alone.
func (c *Client) check(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	switch {
	case err != nil:
		// The error would repeat the address, and with it a password.
		return nil, notAllowed(errors.New("not an address"))
	case target.User != nil:
		return nil, notAllowed(errors.New("user-info in the address"))
	case target.Hostname() == "":
		return nil, notAllowed(errors.New("no host in the address"))
	case target.Scheme == "https", target.Scheme == "http" && c.allowPlain:
		return target, nil
	}
	return nil, notAllowed(fmt.Errorf("scheme %q", target.Scheme))
}

func timeout(r call.Request) time.Duration {
	if r.Timeout <= 0 {
		return DefaultTimeout
	}
	return min(r.Timeout, MaxTimeout)
}

func limit(r call.Request) int {
	if r.MaxReply <= 0 {
		return DefaultReply
	}
	return min(r.MaxReply, MaxReply)
}

const codeTimeout = "CallTimeout"

// failed is the one place that reads transport errors. The address is named without its query, which may hold
// a secret.
func failed(target *url.URL, err error) error {
	var refusal *fault.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	cause := fmt.Errorf("call %s: %w", target.Host, err)
	var waited net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &waited) && waited.Timeout() {
		return fault.New(fault.Unavailable, codeTimeout, "url", "The address did not answer in time.").Because(cause)
	}
	return fault.New(fault.Unavailable, "CallFailed", "url", "%s", reason(err)).Because(cause)
}

// reason says why an address could not be reached, in words that are true of every publisher's own server and tell
// nothing of our network.
func reason(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "The host of the address has no entry in the domain name system."
	case errors.As(err, &certificate):
		return "The certificate of the address is not valid for it, or not signed by an authority that is trusted."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The address refused the connection."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The address ended the connection without an answer."
	}
	return "The address could not be reached."
}
