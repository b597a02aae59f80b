package toolkit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/toolkit"
)

// bigTemplate is a template without faults of about the size: machines with their disks, cards and extensions.
func bigTemplate(size int) string {
	var b strings.Builder
	b.WriteString(`{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
 "parameters": {"location": {"type": "string", "defaultValue": "[resourceGroup().location]", "metadata": {"description": "where"}},
  "size": {"type": "string"}, "password": {"type": "secureString"}, "user": {"type": "string"}},
 "variables": {"prefix": "[concat('vm-', uniqueString(resourceGroup().id))]"}, "resources": [`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `
  {"type": "Microsoft.Compute/virtualMachines", "apiVersion": "2025-04-01", "name": "[concat(variables('prefix'), '-%d')]", "location": "[parameters('location')]",
   "dependsOn": ["[resourceId('Microsoft.Network/networkInterfaces', concat(variables('prefix'), '-nic-%d'))]"],
   "properties": {"hardwareProfile": {"vmSize": "[parameters('size')]"},
    "osProfile": {"computerName": "host", "adminUsername": "[parameters('user')]", "adminPassword": "[parameters('password')]"},
    "storageProfile": {"imageReference": {"publisher": "Canonical", "offer": "ubuntu", "sku": "22_04", "version": "latest"},
     "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}}},
    "networkProfile": {"networkInterfaces": [{"id": "[resourceId('Microsoft.Network/networkInterfaces', concat(variables('prefix'), '-nic-%d'))]"}]}}}`, i, i, i)
	}
	b.WriteString("]}")
	return b.String()
}

// BenchmarkRun is all tests over a template of 1 MiB that is already parsed.
func BenchmarkRun(b *testing.B) {
	text := []byte(bigTemplate(1 << 20))
	doc := content.Parse("mainTemplate.json", text, finding.New(""))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		report := finding.New("")
		toolkit.Run(toolkit.NewInput([]*content.Document{doc}, today), report)
		require.Empty(b, report.Findings)
	}
}

// BenchmarkParse is the reading that comes first.
func BenchmarkParse(b *testing.B) {
	text := []byte(bigTemplate(1 << 20))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		content.Parse("mainTemplate.json", text, finding.New(""))
	}
}
