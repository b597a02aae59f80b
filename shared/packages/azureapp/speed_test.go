package azureapp_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/finding"
)

// large is a package of twenty templates of a hundred resources.
func large(t testing.TB) []byte {
	template := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
"parameters":{"location":{"type":"string","metadata":{"description":"where"}},"prefix":{"type":"string","metadata":{"description":"what names begin with"}}},
"variables":{"name":"[concat(parameters('prefix'), uniqueString(resourceGroup().id))]"},"resources":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `
{"type":"Microsoft.Network/networkSecurityGroups","apiVersion":"2025-01-01","name":"[concat(variables('name'), '-%d')]","location":"[parameters('location')]",
"properties":{"securityRules":[{"name":"web","properties":{"priority":%d,"protocol":"Tcp","access":"Allow","direction":"Inbound","sourceAddressPrefix":"*",
"sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}}`, i, 100+i)
		}
		return b.String() + `]}`
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	put := func(name, text string) {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
	}
	put("mainTemplate.json", template(200))
	put("createUiDefinition.json", `{"$schema":"https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
"handler":"Microsoft.Azure.CreateUIDef","version":"0.1.2-preview","parameters":{"basics":[{"name":"prefix","type":"Microsoft.Common.TextBox","label":"Prefix",
"toolTip":"What names begin with.","constraints":{"regex":"^[a-z]+$","validationMessage":"Letters."}}],"steps":[],
"outputs":{"location":"[location()]","prefix":"[basics('prefix')]"}}}`)
	for i := range 20 {
		put(fmt.Sprintf("nestedtemplates/t%02d.json", i), template(100))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func BenchmarkValidate(b *testing.B) {
	raw := large(b)
	b.ReportAllocs()
	for b.Loop() {
		report := finding.New("AzureApplication")
		tree, err := archive.Open(b.Context(), bytes.NewReader(raw), int64(len(raw)), report)
		require.NoError(b, err)
		_, err = azureapp.Validate(b.Context(), tree, azureapp.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), TrackingID: "pid-contoso-app-partnercenter"}, report)
		require.NoError(b, err)
	}
}
