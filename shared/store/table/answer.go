package table

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// rawAnswer is the body of a good answer as the service sent it.
//
// The SDK drops that of a transaction, in which the ETags of the rows stand. What it reads, it takes apart into
// maps and puts together again for the caller to take apart once more; so for reads it is given an empty object,
// and the body is decoded once, here.
type rawAnswer struct {
	read bool // of a read: the SDK is not to decode it
	body []byte
}

type answerKey struct{}

func withAnswer(ctx context.Context, a *rawAnswer) context.Context {
	return context.WithValue(ctx, answerKey{}, a)
}

// answerPolicy keeps the answer for the call that asked for it.
type answerPolicy struct{}

// Do implements policy.Policy.
func (answerPolicy) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	keep, ok := req.Raw().Context().Value(answerKey{}).(*rawAnswer)
	if !ok || err != nil || !runtime.HasStatusCode(resp, http.StatusOK, http.StatusAccepted) {
		return resp, err
	}
	if keep.body, err = runtime.Payload(resp); err != nil {
		return nil, err
	}
	if keep.read {
		resp.Body = io.NopCloser(strings.NewReader("{}"))
	}
	return resp, nil
}

// etags finds the ETag of each operation of a transaction: the parts answer the operations in their order. A part
// without one, as for a removed row, gives "".
func (a *rawAnswer) etags(ops []Op) []string {
	etags := make([]string, len(ops))
	parts := bytes.Split(a.body, []byte("HTTP/1.1 "))
	for i, part := range parts[1:] {
		if i == len(ops) {
			break
		}
		for line := range bytes.Lines(part) {
			name, value, found := bytes.Cut(line, []byte(":"))
			if found && bytes.EqualFold(bytes.TrimSpace(name), []byte("ETag")) {
				etags[i] = string(bytes.TrimSpace(value))
				break
			}
		}
	}
	return etags
}
