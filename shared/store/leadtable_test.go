package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
)

func TestParseAccount(t *testing.T) {
	t.Parallel()
	const key = "bm90IGEga2V5"
	for _, row := range []struct {
		name, text string
		local      bool
		endpoint   string // empty when it is refused
	}{
		{"as the portal shows it", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=" + key + ";EndpointSuffix=core.windows.net", false, "https://contoso.table.core.windows.net"},
		{"LED-24 any order", "EndpointSuffix=core.cloudapi.de;AccountKey=" + key + ";AccountName=contoso;DefaultEndpointsProtocol=https;", false, "https://contoso.table.core.cloudapi.de"},
		{"without a suffix", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=" + key, false, "https://contoso.table.core.windows.net"},
		{"LED-24 http", "DefaultEndpointsProtocol=http;AccountName=contoso;AccountKey=" + key, false, ""},
		{"LED-24 no protocol", "AccountName=contoso;AccountKey=" + key, false, ""},
		{"LED-24 unknown key", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=" + key + ";Extra=1", false, ""},
		{"LED-24 SAS", "DefaultEndpointsProtocol=https;AccountName=contoso;SharedAccessSignature=sv=1", false, ""},
		{"LED-24 development storage", "UseDevelopmentStorage=true", true, ""},
		{"LED-24 the misprint of the guide", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=" + key + ";EndpointSuffix=core.screens.net", false, ""},
		{"LED-24 an endpoint of one's own", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=" + key + ";TableEndpoint=https://evil.example", false, ""},
		{"account of 2", "DefaultEndpointsProtocol=https;AccountName=ab;AccountKey=" + key, false, ""},
		{"account with a dot", "DefaultEndpointsProtocol=https;AccountName=evil.example/;AccountKey=" + key, false, ""},
		{"key that is no base64", "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=***", false, ""},
		{"local stand-in", "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=" + key + ";TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;", true, "http://127.0.0.1:10002/devstoreaccount1"},
		{"local, but elsewhere", "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=" + key + ";TableEndpoint=http://10.0.0.1:10002/x", true, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, err := parseAccount(row.text, row.local)
			require.Equal(t, row.endpoint, a.endpoint)
			if row.endpoint == "" {
				require.Equal(t, "InvalidConnectionString", fault.As(err).Code)
				require.NotContains(t, err.Error(), key)
				return
			}
			require.NoError(t, err)
		})
	}
}
