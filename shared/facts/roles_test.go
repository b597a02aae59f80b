package facts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/facts"
)

func TestRoleGrants(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, role, permission string
		want                   bool
	}{
		{"ACC-51 a marketer gets nothing", "marketer", "offer.read", false},
		{"ACC-51 a business contributor gets nothing", "businessContributor", "offer.price.set", false},
		{"ACC-52 a manager has no tax access", "manager", "tax.manage", false},
		{"ACC-52 a developer uploads", "developer", "package.upload", true},
		{"ACC-52 a developer has no account settings", "developer", "account.contact.update", false},
		{"ACC-52 a developer sees no financial information", "developer", "financialInfo.read", false},
		{"ACC-54 a manager reads no personal data", "manager", "customerPii.read", false},
		{"ACC-54 the owner does", "owner", "customerPii.read", true},
		{"ACC-55 a manager opens the billing profile", "manager", "billingProfile.manage", true},
		{"ACC-56 a manager calls the submission API", "manager", "submissionApi.call", true},
		{"ACC-56 a developer does not", "developer", "submissionApi.call", false},
		{"a financial contributor reads payouts", "financialContributor", "payoutReports.read", true},
		{"a financial contributor manages tax", "FinancialContributor", "tax.manage", true},
		{"a financial contributor reads no offers", "financialContributor", "offer.read", false},
		{"letter case of a role", "OWNER", "offer.read", true},
		{"letter case of a permission counts", "owner", "Offer.Read", false},
		{"unknown role", "root", "offer.read", false},
		{"unknown permission", "owner", "offer.paint", false},
		{"no role", "", "offer.read", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, facts.RoleGrants(row.role, row.permission))
		})
	}
}

func TestRoleByID(t *testing.T) {
	t.Parallel()
	r, ok := facts.RoleByID("MANAGER")
	require.True(t, ok)
	require.Equal(t, facts.Role{ID: "manager", Name: "Manager"}, r)
	_, ok = facts.RoleByID("root")
	require.False(t, ok)
	require.Len(t, facts.Roles(), 9)
	require.True(t, facts.PermissionKnown("offer.read"))
	require.False(t, facts.PermissionKnown(""))
}
