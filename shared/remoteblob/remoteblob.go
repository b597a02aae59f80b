// Package remoteblob reads blobs of strangers' storage accounts by ranges, through the SAS link that they gave (rules
// VMO-70, VMO-79, VMO-82, DYN-37). The query of a link goes out byte for byte, redirects are not followed, and what
// storage answers in a refusal is turned into the code of a certification check, or into the reason why a package
// cannot be had.
package remoteblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"stoa/shared/packages/vmimage"
)

// Reader opens links. Safe for concurrent use.
type Reader struct {
	client *http.Client
	tries  int
	wait   func(ctx context.Context, try int) error
}

const (
	timeout = 30 * time.Second // of one call
	tries   = 3                // of a blob that is leased, and of storage that fails
)

// New reads through a transport, which keeps links away from addresses inside.
func New(transport http.RoundTripper) *Reader {
	return &Reader{
		client: &http.Client{
			Transport:     transport,
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tries: tries,
		wait:  pause,
	}
}

// pause waits 1 s, 2 s, 4 s.
func pause(ctx context.Context, try int) error {
	timer := time.NewTimer(time.Second << try)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// OpenLink implements vmimage.Storage. It asks for the blob's properties; its bytes are read later, with ctx.
func (r *Reader) OpenLink(ctx context.Context, uri string) (vmimage.Blob, error) {
	b, header, err := r.open(ctx, uri)
	if err != nil {
		return vmimage.Blob{}, asCheck(err)
	}
	return vmimage.Blob{ReaderAt: imageBytes{b}, Length: b.length, PageBlob: header.Get("x-ms-blob-type") == "PageBlob"}, nil
}

// imageBytes are a blob's bytes, whose refusals are codes of checks.
type imageBytes struct{ *blob }

// ReadAt implements io.ReaderAt.
func (i imageBytes) ReadAt(p []byte, at int64) (int, error) {
	n, err := i.blob.ReadAt(p, at)
	return n, asCheck(err)
}

// asCheck turns a refusal into the code of a check, unless it is storage's own fault.
func asCheck(err error) error {
	var no *refusal
	if errors.As(err, &no) && no.code() != "" {
		return &vmimage.Refused{Code: no.code()}
	}
	return err
}

// open asks for the properties of a blob.
func (r *Reader) open(ctx context.Context, uri string) (*blob, http.Header, error) {
	resp, err := r.ask(ctx, http.MethodHead, uri, "")
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.ContentLength < 0 {
		return nil, nil, errNoLength
	}
	return &blob{reader: r, ctx: ctx, uri: uri, length: resp.ContentLength, version: resp.Header.Get("ETag")}, resp.Header, nil
}

// What storage may answer that is no use.
var (
	errNoLength = errors.New("storage does not say how long the blob is")
	errNoRanges = errors.New("storage does not give ranges")
	errChanged  = errors.New("the blob was replaced while it was read")
	errCut      = errors.New("storage breaks off")
)

// ask makes a call and repeats it while the blob is leased or storage fails.
func (r *Reader) ask(ctx context.Context, method, uri, byteRange string) (*http.Response, error) {
	var err error
	for try := range r.tries {
		if try > 0 {
			if err := r.wait(ctx, try-1); err != nil {
				return nil, err
			}
		}
		var resp *http.Response
		if resp, err = r.once(ctx, method, uri, byteRange); err == nil {
			return resp, nil
		}
		var no *refusal
		if errors.As(err, &no) && no.code() != "" && no.code() != "DL-INUSE" {
			return nil, err
		}
	}
	return nil, err
}

func (r *Reader) once(ctx context.Context, method, uri, byteRange string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, uri, nil)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest}
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call storage at %s: %w", req.URL.Host, withoutLink(err))
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	resp.Body.Close()
	return nil, &refusal{host: req.URL.Host, status: resp.StatusCode, reason: reasonForm.FindString(resp.Header.Get("x-ms-error-code"))}
}

// reasonForm is what storage's codes are made of; what else strangers answer is not repeated.
var reasonForm = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// refusal is an answer without a blob.
type refusal struct {
	host   string
	status int
	reason string // storage's own code
}

// Error implements error.
func (r *refusal) Error() string { return "storage " + r.why() }

// why goes on after "The storage".
func (r *refusal) why() string {
	return strings.TrimSpace(fmt.Sprintf("at %s answers %d %s", r.host, r.status, r.reason))
}

// withoutLink leaves out the address of a failed call, which holds a signature (VMO-62).
func withoutLink(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// code is the check that an answer fails, empty when it is storage's own fault.
func (r *refusal) code() string {
	switch {
	case strings.Contains(r.reason, "Lease"):
		return "DL-INUSE"
	case r.reason == "AuthenticationFailed" || r.reason == "InvalidAuthenticationInfo":
		return "DL-SIG"
	case r.reason == "ConditionNotMet" || r.reason == "ConditionHeadersNotSupported":
		return "DL-COND"
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "SAS-AUTH"
	case http.StatusNotFound, http.StatusGone:
		return "DL-NOTFOUND"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "DL-INUSE"
	}
	if r.status < 500 && r.status != http.StatusRequestTimeout && r.status != http.StatusTooManyRequests {
		return "DL-BADURL"
	}
	return ""
}

// blob reads ranges of one link.
type blob struct {
	reader  *Reader
	ctx     context.Context // of the check that opened it: a ReaderAt has no place for one
	uri     string
	length  int64
	version string // ETag that it was opened with
}

// ReadAt implements io.ReaderAt with one call.
func (b *blob) ReadAt(p []byte, at int64) (int, error) {
	switch {
	case at < 0 || at > b.length:
		return 0, fmt.Errorf("byte %d is outside the blob", at)
	case len(p) == 0 || at == b.length:
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), b.length-at)]
	resp, err := b.reader.ask(b.ctx, http.MethodGet, b.uri, fmt.Sprintf("bytes=%d-%d", at, at+int64(len(want))-1))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent && int64(len(want)) != b.length {
		return 0, errNoRanges
	}
	if resp.Header.Get("ETag") != b.version {
		return 0, errChanged
	}
	n, err := io.ReadFull(resp.Body, want)
	switch {
	case err != nil:
		return n, fmt.Errorf("%w: %w", errCut, err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}
