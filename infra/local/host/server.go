package host

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
)

// defaultBodyLimit is the host's limit of a request body (HST-15).
const defaultBodyLimit = 104_857_600

// serveHTTP answers one public request: admin, a function, or the host's own 404.
func (h *Host) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.work.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer h.work.end()
	if first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); strings.EqualFold(first, "admin") {
		h.serveAdmin(w, r)
		return
	}
	f, params := h.router.find(r)
	switch {
	case f == nil:
		w.WriteHeader(http.StatusNotFound) // HST-14: without a body, the handler is not asked
	case !h.allowed(r, f):
		w.WriteHeader(http.StatusUnauthorized)
	case r.ContentLength > h.bodyLimit:
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case h.config.forwardHTTP && f.forwarded():
		h.forward(w, r, f)
	default:
		h.invokeHTTP(w, r, f, params)
	}
}

// allowed checks a function's or the master key for authLevel function and admin (HST-15).
func (h *Host) allowed(r *http.Request, f *function) bool {
	switch strings.ToLower(f.trigger.AuthLevel) {
	case "anonymous":
		return true
	case "admin":
		return h.hasKey(r, h.opts.Keys.Master)
	default: // the host's default is function
		return h.hasKey(r, append([]string{h.opts.Keys.Master, h.opts.Keys.Host}, h.opts.Keys.Functions[f.name]...)...)
	}
}

func (h *Host) hasKey(r *http.Request, keys ...string) bool {
	given := r.Header.Get("X-Functions-Key")
	if given == "" {
		given = r.URL.Query().Get("code")
	}
	if given == "" {
		return false
	}
	for _, key := range keys {
		if key != "" && subtle.ConstantTimeCompare([]byte(given), []byte(key)) == 1 {
			return true
		}
	}
	return false
}

func bodyLimit(settings map[string]string) int64 {
	text, _ := setting(settings, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return n
	}
	return defaultBodyLimit
}
