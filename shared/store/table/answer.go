package table

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// transactionAnswer is the raw answer of a transaction. The SDK reads it and keeps nothing, but the ETags of the
// rows stand in it.
type transactionAnswer struct{ body []byte }

type answerKey struct{}

func withAnswer(ctx context.Context, a *transactionAnswer) context.Context {
	return context.WithValue(ctx, answerKey{}, a)
}

// answerPolicy keeps the answer for the call that asked for it.
type answerPolicy struct{}

// Do implements policy.Policy.
func (answerPolicy) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	keep, ok := req.Raw().Context().Value(answerKey{}).(*transactionAnswer)
	if !ok || err != nil || resp.StatusCode != http.StatusAccepted {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	keep.body = body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// etags finds the ETag of each operation: the parts answer the operations in their order. A part without one,
// as for a removed row, gives "".
func (a *transactionAnswer) etags(ops []Op) []string {
	etags := make([]string, len(ops))
	parts := strings.Split(string(a.body), "HTTP/1.1 ")
	for i, part := range parts[1:] {
		if i == len(ops) {
			break
		}
		for line := range strings.Lines(part) {
			name, value, found := strings.Cut(line, ":")
			if found && strings.EqualFold(strings.TrimSpace(name), "ETag") {
				etags[i] = strings.TrimSpace(value)
				break
			}
		}
	}
	return etags
}
