package managedapp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/managedapp"
)

const (
	tenant    = "50c464d3-4930-494c-963c-1e951d15360e"
	principal = "d6b7fbd3-4d99-43fe-8a7a-f13aef11dc18"
	owner     = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
)

// good is the configuration of chapter 02, 6.2.
const good = `{"version":"1.0.2","allowJitAccess":true,"deploymentMode":"Incremental","notificationEndpointUri":"https://contoso.com/hook?sig=5f2c",
	"canEnableCustomerActions":true,"allowedCustomerActions":["Microsoft.Compute/virtualMachines/restart/action"],"allowedDataActions":[],
	"publicAzureTenantID":"` + tenant + `","publicAzureAuthorizations":[{"principalID":"` + principal + `","roleDefinitionID":"Owner"}],
	"policies":[{"policyName":"audit-sql","policyDefinitionID":"AzureSqlServerAuditSettings","policyParameters":"{\"retentionDays\":{\"value\":\"90\"}}","policySku":"Standard"}]}`

// with is the good configuration with other members.
func with(t *testing.T, members string) *managedapp.Configuration {
	t.Helper()
	all := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal([]byte(good), &all))
	require.NoError(t, json.Unmarshal([]byte(members), &all))
	raw, err := json.Marshal(all)
	require.NoError(t, err)
	var c managedapp.Configuration
	require.NoError(t, json.Unmarshal(raw, &c))
	return &c
}

func TestCheck(t *testing.T) {
	t.Parallel()
	authorizations := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"principalID":"d6b7fbd3-4d99-43fe-8a7a-%012d","roleDefinitionID":"Contributor"}`, i))
		}
		return `{"publicAzureAuthorizations":[` + strings.Join(list, ",") + `]}`
	}
	policy := func(definition, parameters, sku string) string {
		return fmt.Sprintf(`{"policies":[{"policyName":"p","policyDefinitionID":%q,"policyParameters":%q,"policySku":%q}]}`, definition, parameters, sku)
	}
	for _, row := range []struct {
		name, members string
		want          []string // code and field
	}{
		{"good", `{}`, nil},
		{"AZA-50 two parts", `{"version":"1.1"}`, []string{"APP_VERSION_FORMAT version"}},
		{"AZA-50 four parts", `{"version":"1.1.1.1"}`, []string{"APP_VERSION_FORMAT version"}},
		{"AZA-50 a letter", `{"version":"v1.1.1"}`, []string{"APP_VERSION_FORMAT version"}},
		{"AZA-50 a sign", `{"version":"1.+1.1"}`, []string{"APP_VERSION_FORMAT version"}},
		{"AZA-50 a leading zero", `{"version":"1.01.1"}`, []string{"APP_VERSION_FORMAT version"}},
		{"AZA-54", `{"deploymentMode":"Full"}`, []string{"InvalidValue deploymentMode"}},
		{"AZA-55 http", `{"notificationEndpointUri":"http://contoso.com"}`, []string{"InvalidValue notificationEndpointUri"}},
		{"AZA-55 a fragment", `{"notificationEndpointUri":"https://contoso.com/#a"}`, []string{"InvalidValue notificationEndpointUri"}},
		{"AZA-55 a user", `{"notificationEndpointUri":"https://me@contoso.com/"}`, []string{"InvalidValue notificationEndpointUri"}},
		{"AZA-55 the suffix", `{"notificationEndpointUri":"https://contoso.com/a/Resource/?x=1"}`, []string{"NotificationEndpointSuffix notificationEndpointUri"}},
		{"AZA-55 only nearly the suffix", `{"notificationEndpointUri":"https://contoso.com/myresource"}`, nil},
		{"AZA-59 the flag alone", `{"allowedCustomerActions":[]}`, []string{"CustomerActionsRequired canEnableCustomerActions"}},
		{"AZA-59 actions alone", `{"canEnableCustomerActions":false}`, []string{"CustomerActionsRequired canEnableCustomerActions"}},
		{"AZA-59 none", `{"canEnableCustomerActions":false,"allowedCustomerActions":[]}`, nil},
		{"AZA-60 an asterisk", `{"allowedCustomerActions":"*"}`, nil},
		{"AZA-60 no action", `{"allowedDataActions":["restart"]}`, []string{"InvalidAction allowedDataActions"}},
		{"AZA-61 another cloud", `{"azureGovernmentTenantID":"` + tenant + `"}`, []string{"FieldNotAllowed azureGovernmentAuthorizations"}},
		{"AZA-61 no tenant", `{"publicAzureTenantID":"contoso"}`, []string{"InvalidValue publicAzureTenantID"}},
		{"AZA-61 a hundred", authorizations(100), nil},
		{"AZA-61 more", authorizations(101), []string{"LimitExceeded publicAzureAuthorizations"}},
		{"AZA-62 by its id", `{"publicAzureAuthorizations":[{"principalID":"` + principal + `","roleDefinitionID":"` + strings.ToUpper(owner) + `"}]}`, nil},
		{"AZA-62 another role", `{"publicAzureAuthorizations":[{"principalID":"` + principal + `","roleDefinitionID":"Reader"}]}`, []string{"RoleNotAllowed publicAzureAuthorizations[0].roleDefinitionID"}},
		{"AZA-63", `{"publicAzureAuthorizations":[{"principalID":"` + principal + `","roleDefinitionID":"Owner"},{"principalID":"` + strings.ToUpper(principal) + `","roleDefinitionID":"Contributor"}]}`,
			[]string{"DuplicatePrincipal publicAzureAuthorizations[1].principalID"}},
		{"AZA-64 six", `{"policies":[` + strings.TrimSuffix(strings.Repeat(`{},`, 6), ",") + `]}`, []string{"LimitExceeded policies"}},
		{"AZA-64 one twice", `{"policies":[{"policyName":"a","policyDefinitionID":"AzureSqlDatabaseEncryption","policySku":"Free"},{"policyName":"A","policyDefinitionID":"Azure SQL Database Encryption","policySku":"Free"}]}`,
			[]string{"InvalidValue policies[1].policyName", "InvalidValue policies[1].policyDefinitionID"}},
		{"AZA-65 AZA-66 walk 3", policy("Azure SQL Server Audit Settings", "", "Free"), []string{"Required policies[0].policyParameters", "StandardSkuRequired policies[0].policySku"}},
		{"AZA-65 no JSON", policy("AuditDiagnosticSetting", "{", "Standard"), []string{"Required policies[0].policyParameters"}},
		{"AZA-65 parameters for one that takes none", policy("AzureSqlDatabaseEncryption", "{}", "Free"), []string{"InvalidValue policies[0].policyParameters"}},
		{"AZA-66 a SKU that is none", policy("AzureSqlDatabaseEncryption", "", "Gold"), []string{"InvalidValue policies[0].policySku"}},
		{"AZA-66 an audit", policy("AuditResourceLocationCompliance", "", "Free"), []string{"StandardSkuRequired policies[0].policySku"}},
	} {
		var got []string
		for _, f := range with(t, row.members).Check(false, []string{managedapp.Global}) {
			got = append(got, f.Code+" "+f.Target)
		}
		require.Equal(t, row.want, got, row.name)
	}
	simple := &managedapp.Configuration{Version: "1.0.0", DeploymentMode: managedapp.Complete, AllowJIT: true}
	require.Len(t, simple.Check(true, nil), 2, "6.2: a solution template has a version alone")
}

func TestMissing(t *testing.T) {
	t.Parallel()
	var none managedapp.Configuration
	require.Len(t, none.Missing(true, nil), 1)
	require.Len(t, none.Missing(false, []string{managedapp.Global}), 4, "AZA-61")
	require.Len(t, none.Missing(false, []string{managedapp.Global, managedapp.Government}), 6, "AZA-61")
	require.Empty(t, with(t, `{}`).Missing(false, []string{managedapp.Global}))
}

func TestActions(t *testing.T) {
	t.Parallel()
	c := with(t, `{"allowedCustomerActions":" Microsoft.Compute/virtualMachines/restart/action ;; microsoft.compute/virtualmachines/Restart/action;Microsoft.Web/sites/start/action"}`)
	require.Equal(t, managedapp.Actions{"Microsoft.Compute/virtualMachines/restart/action", "Microsoft.Web/sites/start/action"}, c.AllowedCustomerActions, "AZA-60")
}

func TestDefine(t *testing.T) {
	t.Parallel()
	d := with(t, `{}`).Define(managedapp.Plan{Name: "Gold", Description: "The best.", Package: "packages/contoso/app/app.zip"}, managedapp.Global)
	raw, err := json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"displayName":"Gold","description":"The best.","isEnabled":true,"lockLevel":"ReadOnly","packageFileUri":"packages/contoso/app/app.zip",
		"authorizations":[{"principalId":"`+principal+`","roleDefinitionId":"`+owner+`"}],"deploymentPolicy":{"deploymentMode":"Incremental"},
		"lockingPolicy":{"allowedActions":["*/read","Microsoft.Compute/virtualMachines/restart/action"],"allowedDataActions":[]},
		"managementPolicy":{"mode":"Managed"},"notificationPolicy":{"notificationEndpoints":[{"uri":"https://contoso.com/hook?sig=5f2c"}]},
		"policies":[{"name":"audit-sql","policyDefinitionId":"AzureSqlServerAuditSettings","parameters":{"retentionDays":{"value":"90"}}}]}`, string(raw), "AZA-54, AZA-59, AZA-68")
}

func TestVersions(t *testing.T) {
	t.Parallel()
	require.True(t, managedapp.Above("1.0.10", "1.0.9"), "AZA-51")
	require.False(t, managedapp.Above("1.0.9", "1.0.9"), "AZA-51")
	require.False(t, managedapp.Above("2", "1.0.9"))
}
