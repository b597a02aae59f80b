package publish_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/publish"
)

// found runs automated validation and gives code and field of what the step found, by level.
func found(t *testing.T, c offer.Content, prepare func(b *bench), id string) (wrong, warnings [][2]string, status publish.StepStatus) {
	t.Helper()
	b := newBench(t)
	b.create(t, saas(true)) // the pages have their own findings; the step looks at what was frozen
	if prepare != nil {
		prepare(b)
	}
	sub := b.publish(t)
	msgs := b.steps(t)
	c.PublisherID, c.OfferID = contoso, app
	b.Snapshots = frozen{c}
	for len(msgs) > 0 && step(b.newest(t), id).Status != publish.StepBlocked {
		require.NoError(t, b.RunStep(t.Context(), msgs[0]))
		msgs = b.steps(t)
	}
	done := step(b.submission(t, sub.Number), id)
	for _, m := range done.Messages {
		switch m.Level {
		case publish.Error:
			wrong = append(wrong, [2]string{m.Code, m.Field})
			require.NotContains(t, m.HTML, "s3cret")
			require.NotEmpty(t, m.Page)
		case publish.Warning:
			warnings = append(warnings, [2]string{m.Code, m.Field})
		}
	}
	return wrong, warnings, done.Status
}

func TestLeadDestinationIsChecked(t *testing.T) {
	t.Parallel()
	const secret = "httpsEndpointUrl"
	with := func(d offer.LeadDestination) offer.LeadDestination {
		if d.ContactEmail == nil {
			d.ContactEmail = []string{"leads@contoso.com"}
		}
		return d
	}
	endpoint := func(sealed string) offer.LeadDestination {
		return with(offer.LeadDestination{Kind: "httpsEndpoint", SealedSecrets: map[string]string{secret: sealed}})
	}
	table := with(offer.LeadDestination{Kind: "table", SealedSecrets: map[string]string{"storageAccountConnectionString": "sealed"}})
	dynamics := func(settings map[string]string) offer.LeadDestination {
		return with(offer.LeadDestination{Kind: "dynamics", Settings: settings, SealedSecrets: map[string]string{"applicationKey": "x"}})
	}
	const id = "0f3b6f6e-4c7c-4c0e-9a63-0b1c4c7d8e9f"
	required := func(fields ...string) (out [][2]string) {
		for _, f := range fields {
			out = append(out, [2]string{"Required", "leadDestination.settings." + f})
		}
		return out
	}
	invalid := func(field string) [][2]string {
		return [][2]string{{"InvalidValue", "leadDestination.settings." + field}}
	}
	const connection = "leadDestination.settings.storageAccountConnectionString"
	for _, row := range []struct {
		name  string
		lead  offer.LeadDestination
		plain string // of the secret
		want  [][2]string
	}{
		{"LED-36 complete", endpoint("s"), "https://contoso.com/leads?key=s3cret", nil},
		{"the local machine", endpoint("s"), "http://127.0.0.1:7073/lead", nil},
		{"LED-27 http", endpoint("s"), "http://contoso.com/s3cret", invalid(secret)},
		{"LED-27 user info", endpoint("s"), "https://me:s3cret@contoso.com/", invalid(secret)},
		{"LED-27 no host", endpoint("s"), "https:///s3cret", invalid(secret)},
		{"LED-22 no secret", endpoint(""), "", required(secret)},
		{"LED-22 a secret that cannot be opened", endpoint("lost"), "", required(secret)},
		{"LED-21 no address", offer.LeadDestination{Kind: "httpsEndpoint", ContactEmail: []string{" ; "}, SealedSecrets: map[string]string{secret: "s"}}, "https://a.b",
			[][2]string{{"Required", "leadDestination.contactEmail"}}},
		{"LED-21 one address is none", offer.LeadDestination{Kind: "httpsEndpoint", ContactEmail: []string{"a@b.c; nobody;"}, SealedSecrets: map[string]string{secret: "s"}}, "https://a.b",
			[][2]string{{"InvalidContactEmail", "leadDestination.contactEmail"}}},
		{"LED-21 among the settings, as the portal API keeps them", offer.LeadDestination{Kind: "httpsEndpoint", ContactEmail: []string{},
			Settings: map[string]string{"contactEmail": "a@b.c;d@e.f"}, SealedSecrets: map[string]string{secret: "s"}}, "https://a.b", nil},
		{"LED-24 any order of keys", table, "AccountKey=s3cret==;EndpointSuffix=core.windows.net;AccountName=contoso;DefaultEndpointsProtocol=https", nil},
		{"LED-24 http", table, "DefaultEndpointsProtocol=http;AccountName=contoso;AccountKey=s3cret", [][2]string{{"InvalidValue", connection}}},
		{"LED-24 http of the local machine", table, "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k;TableEndpoint=http://127.0.0.1:1/a;", nil},
		{"LED-24 a signature in place of the key", table, "AccountName=contoso;SharedAccessSignature=s3cret", [][2]string{{"InvalidValue", connection}}},
		{"LED-24 development storage", table, "UseDevelopmentStorage=true", [][2]string{{"InvalidValue", connection}}},
		{"LED-24 no connection string", table, "s3cret", [][2]string{{"InvalidValue", connection}}},
		{"LED-22 Dynamics with an application", dynamics(map[string]string{"instanceUrl": "https://contoso.crm4.dynamics.com/", "authentication": "azureAD",
			"applicationId": id, "directoryId": id}), "k", nil},
		{"LED-22 Dynamics without its settings", dynamics(nil), "k", required("instanceUrl", "authentication")},
		{"LED-22 Dynamics with a person", dynamics(map[string]string{"instanceUrl": "https://contoso.crm.dynamics.com", "authentication": "office365"}), "k",
			required("username", "password")},
		{"LED-25 Dynamics on premises", dynamics(map[string]string{"instanceUrl": "https://crm.contoso.com", "authentication": "azureAD",
			"applicationId": id, "directoryId": id}), "k", invalid("instanceUrl")},
		{"LED-26 no GUID", dynamics(map[string]string{"instanceUrl": "https://a.dynamics.com", "authentication": "azureAD",
			"applicationId": id, "directoryId": "s" + id[1:]}), "k", invalid("directoryId")},
		{"authentication of another kind", dynamics(map[string]string{"instanceUrl": "https://a.dynamics.com", "authentication": "kerberos"}), "k", invalid("authentication")},
		{"Marketo", with(offer.LeadDestination{Kind: "marketo", Settings: map[string]string{"serverId": "ys12", "munchkinId": "123-PQR-789", "formId": "1179a"}}), "", invalid("formId")},
		{"Salesforce", with(offer.LeadDestination{Kind: "salesforce", Settings: map[string]string{"objectIdentifier": "00D4P000000zIbO"}}), "", nil},
		{"Salesforce of another length", with(offer.LeadDestination{Kind: "salesforce", Settings: map[string]string{"objectIdentifier": "00D4P000000zIb"}}), "", invalid("objectIdentifier")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := saas(true)
			c.LeadDestination = row.lead
			open := func(b *bench) {
				b.ports.secrets = map[string]string{"s": row.plain, "sealed": row.plain, "x": row.plain}
			}
			wrong, warnings, status := found(t, c, open, "leadManagement")
			require.Equal(t, row.want, wrong)
			require.Empty(t, warnings)
			require.Equal(t, row.want != nil, status == publish.StepBlocked)
		})
	}
	t.Run("LED-23 a deprecated one warns", func(t *testing.T) {
		t.Parallel()
		c := saas(true)
		c.LeadDestination = offer.LeadDestination{Kind: "blob"}
		wrong, warnings, status := found(t, c, nil, "leadManagement")
		require.Empty(t, wrong)
		require.Equal(t, [][2]string{{"LeadDestinationDeprecated", "leadDestination.leadDestination"}}, warnings)
		require.Equal(t, publish.Complete, status)
	})
	t.Run("without a way to open secrets they need only be there", func(t *testing.T) {
		t.Parallel()
		wrong, _, _ := found(t, saas(true), func(b *bench) { b.Secrets = nil }, "leadManagement")
		require.Empty(t, wrong)
	})
}

func TestTestDriveIsChecked(t *testing.T) {
	t.Parallel()
	change := func(f func(c *offer.Content)) offer.Content {
		c := saas(true)
		f(&c)
		return c
	}
	hours := func(n int) offer.Content { return change(func(c *offer.Content) { c.TestDrive.DurationHours = n }) }
	at := func(n int) offer.Content { return change(func(c *offer.Content) { c.TestDrive.MaxConcurrent = n }) }
	text := func(n int) offer.Content {
		return change(func(c *offer.Content) { c.TestDrive.AccessInfo = string(make([]rune, n)) + "é" })
	}
	const kind, duration, concurrent, access = "testDrive.type", "testDrive.durationHours", "testDrive.maxConcurrentTestDrives", "testDrive.accessInformation"
	for _, row := range []struct {
		name    string
		content offer.Content
		want    [][2]string
	}{
		{"TDR-36 complete", saas(true), nil},
		{"TDR-11 one hour", hours(1), nil},
		{"TDR-11 999 hours", hours(999), nil},
		{"TDR-11 no hours", hours(0), [][2]string{{"InvalidValue", duration}}},
		{"TDR-11 1,000 hours", hours(1000), [][2]string{{"InvalidValue", duration}}},
		{"TDR-13 one at a time", at(1), nil},
		{"TDR-13 99", at(99), nil},
		{"TDR-13 none", at(0), [][2]string{{"InvalidValue", concurrent}}},
		{"TDR-13 100", at(100), [][2]string{{"InvalidValue", concurrent}}},
		{"TDR-17 10,000 characters", text(9_999), nil},
		{"TDR-17 10,001 characters", text(10_000), [][2]string{{"LimitExceeded", access}}},
		{"TDR-10 no access information", change(func(c *offer.Content) { c.TestDrive.AccessInfo = " " }), [][2]string{{"Required", access}}},
		{"TDR-10 no workflows", change(func(c *offer.Content) { c.TestDrive.Settings = nil }),
			[][2]string{{"Required", "testDrive.settings.assignUrl"}, {"Required", "testDrive.settings.deprovisionUrl"}}},
		{"TDR-39 a workflow without https", change(func(c *offer.Content) { c.TestDrive.Settings["assignUrl"] = "http://contoso.com/?sig=s3cret" }),
			[][2]string{{"InvalidValue", "testDrive.settings.assignUrl"}}},
		{"TDR-4 no lead destination", change(func(c *offer.Content) { c.LeadDestination = offer.LeadDestination{} }),
			[][2]string{{"LeadConnectionRequired", "leadDestination.leadDestination"}}},
		{"TDR-1 a type of other offers", change(func(c *offer.Content) {
			c.TestDrive.Kind = "dynamicsForOperations"
			c.TestDrive.Settings = map[string]string{"instanceUrl": "https://a.b", "roleName": "r"}
		}), [][2]string{{"TestDriveTypeNotAllowed", kind}}},
		{"TDR-2 a type that is no longer", change(func(c *offer.Content) { c.TestDrive.Kind = "dynamicsForBusinessCentral" }), [][2]string{{"TestDriveTypeNotSupported", kind}}},
		{"an alias", change(func(c *offer.Content) { c.TestDrive.Kind = "logic-app" }), nil},
		{"TDR-15 no GUID", change(func(c *offer.Content) {
			c.TestDrive = offer.TestDrive{Enabled: true, Kind: "azureResourceManager", DurationHours: 1, AccessInfo: "a", Settings: map[string]string{
				"azureSubscriptionId": "x", "azureAdTenantId": "11111111-1111-1111-1111-111111111111", "azureAdAppId": "11111111-1111-1111-1111-111111111111"}}
		}), [][2]string{{"InvalidValue", "testDrive.settings.azureSubscriptionId"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			wrong, _, status := found(t, row.content, nil, "testDriveDataValidation")
			require.Equal(t, row.want, wrong)
			require.Equal(t, row.want != nil, status == publish.StepBlocked)
		})
	}
	t.Run("one that is not run here warns", func(t *testing.T) {
		t.Parallel()
		c := change(func(c *offer.Content) {
			c.TestDrive = offer.TestDrive{Enabled: true, Kind: "powerBi", Settings: map[string]string{"embedUrl": "https://app.powerbi.com/x"}}
		})
		_, warnings, status := found(t, c, nil, "testDriveProvisioning")
		require.Equal(t, [][2]string{{"TestDriveUnavailable", kind}}, warnings)
		require.Equal(t, publish.Complete, status)
	})
}

// What a customer needs to buy, an image to start, a package to deploy: the steps find it missing.
func TestOtherStepsFindWhatIsMissing(t *testing.T) {
	t.Parallel()
	t.Run("purchase", func(t *testing.T) {
		t.Parallel()
		c := saas(true)
		c.Technical, c.Plans[0].Terms = offer.Technical{}, nil
		wrong, _, status := found(t, c, nil, "purchaseFlowSetup")
		require.Equal(t, [][2]string{{"Required", "technicalConfiguration.connectionWebhook"}, {"Required", "technicalConfiguration.landingPageUrl"},
			{"Required", "plans[0].terms"}}, wrong)
		require.Equal(t, publish.StepBlocked, status)
	})
	t.Run("package", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.ports.versions = nil
		b.create(t, azure())
		b.publish(t)
		b.run(t)
		require.Equal(t, "PackageNotAccepted", step(b.newest(t), "packageProvisioning").Messages[0].Code)
		require.Equal(t, publish.Blocked, b.newest(t).State)
	})
}
