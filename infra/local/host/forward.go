package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// version is the host version the stand-in answers with.
const version = "4.1036.0.0"

// The headers the host adds to every call of the handler (HST-13).
const (
	headerInvocation = "X-Azure-Functions-InvocationId"
	headerVersion    = "X-Azure-Functions-HostVersion"
	userAgent        = "Azure-Functions-Host/" + version
)

// hopByHop are the headers that belong to one connection.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// contentHeaders are carried by the content of a .NET request: without content they are dropped.
var contentHeaders = []string{
	"Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
	"Content-Location", "Content-Md5", "Content-Range", "Content-Type", "Expires", "Last-Modified",
}

const maxBuffered = 1 << 20 // bytes of a request body that are held while it is forwarded

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

// forward sends a request to the handler as it came, as far as the host does (HST-11 to HST-14).
func (h *Host) forward(w http.ResponseWriter, r *http.Request, f *function) {
	ctx, cancel := h.invocationContext(r.Context())
	defer cancel()
	base, err := h.handler.url(ctx)
	if err != nil {
		h.failRequest(w, f, err)
		return
	}
	out, err := forwardedRequest(ctx, r, base)
	if err != nil {
		h.failRequest(w, f, err)
		return
	}
	// The transport, not a client, so that redirects go back as they are (HST-14).
	reply, err := h.transport.RoundTrip(out)
	if err != nil {
		h.failRequest(w, f, err)
		return
	}
	defer func() { _ = reply.Body.Close() }()
	header := w.Header()
	for key, values := range reply.Header {
		header[key] = values
	}
	removeHopByHop(header)
	w.WriteHeader(reply.StatusCode)
	if err := copyBody(w, reply); err != nil {
		h.logFunction(Error, f.name, "the reply broke off: %v", err)
		panic(http.ErrAbortHandler) // the caller must not take half a body for a whole one
	}
}

// failRequest answers as the host does when the handler could not be asked: 500 without a body.
func (h *Host) failRequest(w http.ResponseWriter, f *function, err error) {
	h.logFunction(Error, f.name, "Executed 'Functions.%s' (Failed): %v", f.name, err)
	w.WriteHeader(http.StatusInternalServerError)
}

func forwardedRequest(ctx context.Context, r *http.Request, base string) (*http.Request, error) {
	var body io.Reader
	switch {
	case r.ContentLength > maxBuffered:
		body = r.Body
	case r.ContentLength > 0: // HST-12
		// Held whole: a handler that answers before it has read everything would otherwise end the sending while
		// its answer is still being read, and break that off.
		held, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		body = bytes.NewReader(held)
	}
	out, err := http.NewRequestWithContext(ctx, r.Method, base, body)
	if err != nil {
		return nil, err
	}
	path := forwardedPath(r.URL.EscapedPath())
	out.URL.Path = decodeAll(path)
	out.URL.RawPath = path
	out.URL.RawQuery = rebuildQuery(r.URL.RawQuery)
	out.Header = r.Header.Clone()
	removeHopByHop(out.Header)
	if body == nil {
		for _, name := range contentHeaders {
			out.Header.Del(name)
		}
	} else {
		out.ContentLength = r.ContentLength
	}
	out.Host = r.Host
	addHostHeaders(out.Header, uuid.NewString())
	return out, nil
}

func decodeAll(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// addHostHeaders puts the host's own headers on a call of the handler (HST-13).
func addHostHeaders(header http.Header, invocation string) {
	header.Set(headerInvocation, invocation)
	header.Set(headerVersion, version)
	agent := userAgent
	if old := header.Get("User-Agent"); old != "" {
		agent = old + " " + agent
	}
	header.Set("User-Agent", agent)
}

func removeHopByHop(header http.Header) {
	for _, field := range header["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.TrimSpace(name); name != "" {
				header.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
}

// forwardedPath decodes the path and encodes it anew, as the host's detour over a display URL does: an
// encoded slash stays one, but an encoded "?" or "#" ends the path (HST-11).
func forwardedPath(escaped string) string {
	decoded := decodePath(escaped)
	if i := strings.IndexAny(decoded, "?#"); i >= 0 {
		decoded = decoded[:i]
	}
	if decoded == "" {
		return "/"
	}
	return escape(decoded, "-._~!$&'()*+,;=:@/%[]")
}

// rebuildQuery makes a query out of the dictionary of the old one: keys without case, a doubled key's
// values joined by a comma, everything encoded anew (HST-11).
func rebuildQuery(raw string) string {
	type entry struct{ key, value string }
	var entries []entry
	index := map[string]int{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, value = decodeQuery(key), decodeQuery(value)
		folded := strings.ToLower(key)
		if i, ok := index[folded]; ok {
			entries[i].value += "," + value
			continue
		}
		index[folded] = len(entries)
		entries = append(entries, entry{key, value})
	}
	var b strings.Builder
	for i, e := range entries {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(e.key, queryLetters))
		b.WriteByte('=')
		b.WriteString(escape(e.value, queryLetters))
	}
	return b.String()
}

// queryLetters are the marks .NET's URL encoder leaves alone.
const queryLetters = "-._~!$()*,;:@"

func decodeQuery(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// escape percent-encodes every byte that is no letter, no digit and not one of keep. A "%" that is kept
// stays only where it begins an escape.
func escape(text, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0
		if c == '%' && plain {
			plain = i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2])
		}
		if plain {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// copyBody streams the reply; one of unknown length is flushed piece by piece.
func copyBody(w http.ResponseWriter, reply *http.Response) error {
	if reply.ContentLength >= 0 {
		_, err := io.Copy(w, reply.Body)
		return err
	}
	flusher, _ := w.(http.Flusher)
	buffer := make([]byte, 32<<10)
	for {
		n, err := reply.Body.Read(buffer)
		if n > 0 {
			if _, werr := w.Write(buffer[:n]); werr != nil {
				return werr
			}
			if flusher != nil {
				flusher.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
