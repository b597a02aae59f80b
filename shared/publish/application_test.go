package publish_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/packages/managedapp"
	"stoa/shared/publish"
	"stoa/shared/store"
)

// managed is a complete managed application in both clouds.
func managed() offer.Content {
	c := azure()
	c.Plans[0].Type, c.Plans[0].Clouds = offer.ManagedApplication, []string{managedapp.Global, managedapp.Government}
	c.Plans[0].Technical = &managedapp.Configuration{
		Version: "1.0.9", DeploymentMode: managedapp.Incremental, NotificationEndpoint: "https://contoso.example/hook",
		PublicTenantID:       "50c464d3-4930-494c-963c-1e951d15360e",
		PublicAuthorizations: []managedapp.Authorization{{PrincipalID: "d6b7fbd3-4d99-43fe-8a7a-f13aef11dc18", Role: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"}},
		GovernmentTenantID:   "60c464d3-4930-494c-963c-1e951d15360e",
		GovernmentAuthorized: []managedapp.Authorization{{PrincipalID: "e6b7fbd3-4d99-43fe-8a7a-f13aef11dc18", Role: "b24988ac-6180-42a0-ab88-20f7382dd24c"}},
	}
	return c
}

// Chapter 02, walk 6: what differs from the live configuration has a higher version.
func TestApplicationVersion(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, version, uploaded string
		change                  func(*managedapp.Configuration)
		code                    string
	}{
		{"AZA-51 unchanged", "1.0.9", "v1", nil, ""},
		{"AZA-51 another package, the same version", "1.0.9", "v2", nil, "APP_VERSION_NOT_INCREASED"},
		{"AZA-51 another package, a lower version", "1.0.1", "v2", nil, "APP_VERSION_NOT_INCREASED"},
		{"AZA-51 another package, compared as numbers", "1.0.10", "v2", nil, ""},
		{"AZA-51 another mode, the same version", "1.0.9", "v1", func(c *managedapp.Configuration) { c.DeploymentMode = managedapp.Complete }, "APP_VERSION_NOT_INCREASED"},
		{"AZA-51 another mode", "2.0.0", "v1", func(c *managedapp.Configuration) { c.DeploymentMode = managedapp.Complete }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, managed())
			b.live(t)
			b.ports.versions["app.zip"] = row.uploaded
			b.edit(t, func(c *offer.Content) {
				c.Plans[0].Technical.Version = row.version
				if row.change != nil {
					row.change(c.Plans[0].Technical)
				}
			})
			b.publish(t)
			b.run(t)
			if row.code == "" {
				require.Equal(t, publish.WaitingForPublisher, b.newest(t).State)
				return
			}
			found := step(b.newest(t), "packageProvisioning").Messages[0]
			require.Equal(t, []string{row.code, "plans[0].technicalConfiguration.version"}, []string{found.Code, found.Field})
		})
	}
}

// The package of a managed application goes with the plan's flag (AZA-69).
func TestJustInTimeAccess(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		flag   bool
		record packages.Record
		code   string
	}{
		{"AZA-69 allowed, and asked for", true, packages.Record{AsksJIT: true}, ""},
		{"AZA-69 allowed, and not asked for", true, packages.Record{LacksJIT: true}, "APP_JIT_CONTROL_MISSING"},
		{"AZA-69 not allowed", false, packages.Record{LacksJIT: true}, ""},
		{"AZA-69 not allowed, and asked for", false, packages.Record{AsksJIT: true}, "APP_JIT_UNEXPECTED"},
	} {
		b := newBench(t)
		b.ports.record = row.record
		c := managed()
		c.Plans[0].Technical.AllowJIT = row.flag
		b.create(t, c)
		b.publish(t)
		b.run(t)
		if row.code == "" {
			require.Equal(t, publish.WaitingForPublisher, b.newest(t).State, row.name)
			continue
		}
		found := step(b.newest(t), "packageProvisioning").Messages[0]
		require.Equal(t, []string{row.code, "plans[0].technicalConfiguration.allowJitAccess"}, []string{found.Code, found.Field}, row.name)
	}
}

// AZA-68: a definition for each cloud, which stands when the offer is live.
func TestApplicationDefinitions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, managed())
	b.live(t)
	kept := store.NewDefinitions(b.blobs)
	for cloud, principal := range map[string]string{managedapp.Global: "d6b7fbd3-4d99-43fe-8a7a-f13aef11dc18", managedapp.Government: "e6b7fbd3-4d99-43fe-8a7a-f13aef11dc18"} {
		d, err := kept.Definition(t.Context(), publish.DefinitionName{PublisherID: contoso, OfferID: app, PlanID: b.offer(t).Plans[0].ID, Version: "1.0.9", Cloud: cloud})
		require.NoError(t, err)
		require.Len(t, d.Authorizations, 1)
		require.Equal(t, principal, d.Authorizations[0].PrincipalID)
		require.Equal(t, "packages/contoso/app/app.zip", d.PackageFileURI)
	}
	simple := newBench(t)
	simple.create(t, azure())
	simple.live(t)
	_, err := store.NewDefinitions(simple.blobs).Definition(t.Context(), publish.DefinitionName{PublisherID: contoso, OfferID: app, PlanID: simple.offer(t).Plans[0].ID, Version: "1.0.0", Cloud: managedapp.Global})
	require.True(t, fault.Is(err, fault.NotFound), "a solution template has none")
}
