package faults

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"syscall"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Policy does the script's faults to an SDK client of this process. It belongs below the retries
// (policy.ClientOptions.PerRetryPolicies), so that each try is an operation. A request that times out fails as the
// connection does when it is cut; Kill and KillLate call what OnKill has set.
func (s *Script) Policy() policy.Policy { return sdkPolicy{s} }

type sdkPolicy struct{ script *Script }

// Do implements policy.Policy.
func (p sdkPolicy) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	switch fault := p.script.next(Operation{Method: raw.Method, Target: raw.URL.Path}); fault {
	case Refuse:
		header, body := busyAnswer(raw.Header.Get("Accept"))
		return &http.Response{
			Status: "503 " + busyText, StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: raw,
		}, nil
	case TimeOut:
		wait(raw.Context(), p.script.hold())
		return nil, broken(raw.Context())
	case Kill:
		p.script.die()
		return nil, broken(raw.Context())
	case Lose, KillLate:
		resp, err := req.Next()
		if err != nil {
			return resp, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if fault == KillLate {
			p.script.die()
		}
		return nil, broken(raw.Context())
	}
	return req.Next()
}

// broken is the error of a connection that was cut, or of a caller who has gone.
func broken(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return syscall.ECONNRESET
}
