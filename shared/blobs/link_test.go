package blobs

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
)

type identity struct{}

func (identity) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// lender answers as the service does when it lends a key.
func lender(t *testing.T, lent *atomic.Int32, status int) *Account {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Query().Get("comp") != "userdelegationkey" || !strings.Contains(string(body), "<Expiry>") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		lent.Add(1)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>`+
			`<SignedStart>2026-01-01T00:00:00Z</SignedStart><SignedExpiry>2026-01-07T00:00:00Z</SignedExpiry><SignedService>b</SignedService>`+
			`<SignedVersion>2025-05-05</SignedVersion><Value>%s</Value></UserDelegationKey>`, base64.StdEncoding.EncodeToString([]byte("key")))
	}))
	t.Cleanup(s.Close)
	client, err := service.NewClient(s.URL, identity{}, &service.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: s.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	require.NoError(t, err)
	return &Account{service: client, signer: &delegatedSigner{client: client}}
}

// Without a key of the account, links are signed with a lent one, which is asked for once.
func TestLinksOfAnIdentity(t *testing.T) {
	t.Parallel()
	var lent atomic.Int32
	account := lender(t, &lent, http.StatusOK)
	for range 3 {
		link, err := account.UploadLink("packages", "a/b", time.Hour)
		require.NoError(t, err)
		address, err := url.Parse(link)
		require.NoError(t, err)
		query := address.Query()
		require.Equal(t, "oid", query.Get("skoid"))
		require.Equal(t, "https", query.Get("spr"))
		require.Equal(t, "cw", query.Get("sp"))
		require.Equal(t, "b", query.Get("sr"))
		require.NotEmpty(t, query.Get("sig"))
		until, err := time.Parse(time.RFC3339, query.Get("se"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), until, 10*time.Second)
	}
	require.EqualValues(t, 1, lent.Load())
}

func TestNoKeyIsLent(t *testing.T) {
	t.Parallel()
	var lent atomic.Int32
	account := lender(t, &lent, http.StatusServiceUnavailable)
	_, err := account.DownloadLink("packages", "a/b", time.Hour)
	require.Truef(t, fault.Is(err, fault.Unavailable), "%v", err)
}
