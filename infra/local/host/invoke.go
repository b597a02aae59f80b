package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// invocationContext bounds an invocation by functionTimeout.
func (h *Host) invocationContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if h.config.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, h.config.timeout)
}

// call is one trigger event: the value under the binding's name and the binding data.
type call struct {
	value any // already in the envelope's form
	data  bindingData
}

// invoke runs a function once, and again by its retry policy. The error says why the last try failed.
func (h *Host) invoke(ctx context.Context, f *function, c call) (reply, error) {
	if f.retry == nil {
		return h.try(ctx, f, c, nil)
	}
	state := &retryState{most: f.retry.MaxRetryCount}
	for {
		r, err := h.try(ctx, f, c, state)
		if err == nil || f.retry.MaxRetryCount >= 0 && state.count >= f.retry.MaxRetryCount || ctx.Err() != nil {
			return r, err
		}
		state.count++
		state.cause = err
		wait := time.NewTimer(f.retry.delay(state.count))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return r, err
		}
	}
}

func (h *Host) try(ctx context.Context, f *function, c call, retry *retryState) (reply, error) {
	ctx, cancel := h.invocationContext(ctx)
	defer cancel()
	id := uuid.NewString()
	began := time.Now()
	h.logFunction(Information, f.name, "Executing 'Functions.%s' (Id=%s)", f.name, id)
	r, err := h.post(ctx, f, id, envelope(f, c.value, metadata(f, c.data, h.opts.Now(), retry)))
	if errors.Is(err, errHangs) {
		<-ctx.Done()
		err = ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("timeout value of %s was exceeded by function 'Functions.%s': %w", h.config.timeout, f.name, err)
	}
	took := time.Since(began).Milliseconds()
	if err != nil {
		h.logFunction(Error, f.name, "Executed 'Functions.%s' (Failed, Id=%s, Duration=%dms): %v", f.name, id, took, err)
		return r, err
	}
	h.deliver(f, r)
	h.logFunction(Information, f.name, "Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%dms)", f.name, id, took)
	return r, nil
}

// post sends an envelope to POST /<FunctionName> (HST-20).
func (h *Host) post(ctx context.Context, f *function, id string, body []byte) (reply, error) {
	base, err := h.handler.url(ctx)
	if err != nil {
		return reply{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/"+f.name, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	addHostHeaders(request.Header, id)
	response, err := h.transport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	return readReply(response)
}
