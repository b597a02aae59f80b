package offers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// contract is the description of the portal API, read once.
var contract = sync.OnceValues(func() (routers.Router, error) {
	raw, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// checkContract holds an exchange against the description: the answer always, the request when it was accepted.
func checkContract(t *testing.T, method, path string, header http.Header, body any, w *httptest.ResponseRecorder) {
	t.Helper()
	router, err := contract()
	require.NoError(t, err)
	path, query, _ := strings.Cut(path, "?")
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		sent = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, strings.TrimSuffix(path, "/")+"?"+query, sent)
	r.Header = header.Clone()
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	route, params, err := router.FindRoute(r)
	require.NoError(t, err, "%s %s is not described", method, path)
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if w.Code < 300 {
		require.NoError(t, openapi3filter.ValidateRequest(t.Context(), input), "%s %s", method, path)
	}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: input.Options,
	}), "%s %s = %d %s", method, path, w.Code, w.Body)
}

// TestEveryRouteIsDescribed lists and asks for the types, which the walks do not.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must(201, "PUT", cpp+"/contosovirtualmachine"+v, vm(nil))
	require.Equal(t, 200, b.call("GET", cpp+v, nil).Code)
	require.Equal(t, 200, b.call("GET", cpp+v+"&$filter=offerTypeId%20eq%20'x'", nil).Code) // CPP-19
	require.Equal(t, 200, b.call("GET", "/api/offerTypes"+v, nil).Code)
}
