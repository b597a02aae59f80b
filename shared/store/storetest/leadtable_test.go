package storetest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/store"
)

// The real Azurite as a publisher's own storage account.
func TestLeadTable(t *testing.T) {
	storage := azuritetest.Storage(t)
	writer := store.NewLeadTables(store.LeadTableOptions{AllowLocal: true})
	row := lead.Row(lead.Lead{ID: "id-1", PublisherID: "contoso", OfferID: "app", Action: lead.Install, Customer: lead.Customer{Email: "a@b.example"}})
	require.NoError(t, writer.Insert(t.Context(), storage.ConnectionString(), row), "LED-50 the table is made when it is missing")
	changed := row
	changed.Description = "changed"
	require.NoError(t, writer.Insert(t.Context(), storage.ConnectionString(), changed), "LED-51 delivered earlier")

	service, err := aztables.NewServiceClientFromConnectionString(storage.ConnectionString(), nil)
	require.NoError(t, err)
	got, err := service.NewClient("MarketplaceLeads").GetEntity(t.Context(), "contoso.app", "id-1", nil)
	require.NoError(t, err)
	var columns map[string]any
	require.NoError(t, json.Unmarshal(got.Value, &columns))
	require.Equal(t, "", columns["Description"], "LED-51 the first row is not touched")
	require.Equal(t, "INS", columns["ActionCode"])
	var info map[string]string
	require.NoError(t, json.Unmarshal([]byte(columns["CustomerInfo"].(string)), &info))
	require.Equal(t, "a@b.example", info["Email"])

	wrong := "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=bm90IHRoZSBrZXk=;" + endpointOf(t, storage.ConnectionString())
	err = writer.Insert(t.Context(), wrong, row)
	require.Equal(t, lead.AuthFailed, fault.As(err).Code)
	require.False(t, fault.As(err).Kind.Transient(), "LED-43")
	require.NotContains(t, err.Error(), "bm90")
}

func endpointOf(t *testing.T, connection string) string {
	t.Helper()
	_, rest, found := strings.Cut(connection, "TableEndpoint=")
	require.True(t, found)
	return "TableEndpoint=" + rest
}
