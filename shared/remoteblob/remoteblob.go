// Package remoteblob reads blobs of strangers' storage accounts by ranges, through the SAS link that they gave (rules
// VMO-70, VMO-79, VMO-82). The query of a link goes out byte for byte, redirects are not followed, and what storage
// answers in a refusal is turned into the code of a certification check.
package remoteblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	resp, err := r.ask(ctx, http.MethodHead, uri, "")
	if err != nil {
		return vmimage.Blob{}, err
	}
	defer resp.Body.Close()
	if resp.ContentLength < 0 {
		return vmimage.Blob{}, errors.New("storage does not say how long the blob is")
	}
	return vmimage.Blob{
		ReaderAt: &blob{reader: r, ctx: ctx, uri: uri, length: resp.ContentLength},
		Length:   resp.ContentLength,
		PageBlob: resp.Header.Get("x-ms-blob-type") == "PageBlob",
	}, nil
}

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
		var refused *vmimage.Refused
		if errors.As(err, &refused) && refused.Code != "DL-INUSE" {
			return nil, err
		}
	}
	return nil, err
}

func (r *Reader) once(ctx context.Context, method, uri, byteRange string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, uri, nil)
	if err != nil {
		return nil, &vmimage.Refused{Code: "DL-BADURL"}
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
	defer resp.Body.Close()
	if code := refusal(resp); code != "" {
		return nil, &vmimage.Refused{Code: code}
	}
	return nil, fmt.Errorf("storage at %s answers %d", req.URL.Host, resp.StatusCode)
}

// withoutLink leaves out the address of a failed call, which holds a signature (VMO-62).
func withoutLink(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// refusal is the check that an answer fails, empty when it is storage's own fault.
func refusal(resp *http.Response) string {
	reason := resp.Header.Get("x-ms-error-code")
	switch {
	case strings.Contains(reason, "Lease"):
		return "DL-INUSE"
	case reason == "AuthenticationFailed" || reason == "InvalidAuthenticationInfo":
		return "DL-SIG"
	case reason == "ConditionNotMet" || reason == "ConditionHeadersNotSupported":
		return "DL-COND"
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "SAS-AUTH"
	case http.StatusNotFound, http.StatusGone:
		return "DL-NOTFOUND"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "DL-INUSE"
	}
	if resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests {
		return "DL-BADURL"
	}
	return ""
}

// blob reads ranges of one link.
type blob struct {
	reader *Reader
	ctx    context.Context // of the check that opened it: a ReaderAt has no place for one
	uri    string
	length int64
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
		return 0, errors.New("storage does not give ranges")
	}
	n, err := io.ReadFull(resp.Body, want)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}
