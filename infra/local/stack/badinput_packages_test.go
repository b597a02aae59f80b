package stack_test

import "testing"

// packaging are the routes of packages, and of what an offer leaves with its publisher.
func packaging(t *testing.T) []endpoint {
	noPackage := []row{
		{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "name"}},
		{bad: unknownID, name: "package", values: map[string]string{"name": "nothing.zip"}, want: want{404, "NotFound", "name"}},
	}
	query := func(name, text string) row {
		return row{bad: invalid, name: text, query: text, want: want{400, "InvalidValue", name}}
	}
	const (
		link   = `{"url":"https://a.blob.core.windows.net/pkg/a.zip?sp=r&sig=x","multiplePackages":false}`
		image  = `{"generation":1,"diskVersion":"1.0.0","osFamily":"Linux","os":{"kind":"sas","uri":"https://a.blob.core.windows.net/vhds/a.vhd"},"dataDisks":[{"lun":0,"sasUri":"https://a.blob.core.windows.net/vhds/b.vhd"}]}`
		module = `{"planName":"Gold","platformOption":"tier1All","registryName":"contosoreg","adminUsername":"u","adminPassword":"p","repositoryName":"app","imageTags":["latest"]}`
		images = `{"registryName":"contosoreg","adminUsername":"u","adminPassword":"p","repositoryName":"app","imageVersions":[{"tag":"latest"}]}`
	)
	return []endpoint{
		{method: "GET", pattern: portalOffer + "/packages/{name}/report", who: contoso, rows: append([]row{query("format", "format=pdf")}, noPackage...)},
		{method: "GET", pattern: portalOffer + "/packages/{name}/content", who: contoso, rows: append([]row{query("kind", "kind=half")}, noPackage...)},
		{method: "GET", pattern: portalOffer + "/plans/{planId}/applicationDefinition", who: contoso, query: "version=1.0.0", rows: []row{
			query("version", "version=1.0"), query("cloud", "version=1.0.0&cloud=Moon"),
			{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "planId"}},
			{bad: unknownID, name: "plan", values: map[string]string{"planId": "nothing"}, want: want{404, "NotFound", "planId"}}}},
		{method: "POST", pattern: portalOffer + "/packages/validate-url", who: contoso, body: link, anyID: true, rows: members(t, link,
			m{wrongType, "url", `5`, "InvalidType"}, m{wrongType, "multiplePackages", `"yes"`, "InvalidType"},
			m{overLong, "url", quoted("https://a.example/" + long(4096)), "InvalidValue"}, m{invalid, "url", `"package.zip"`, "InvalidValue"})},
		{method: "POST", pattern: portalOffer + "/packages:validate", who: contoso, bodiless: true, anyID: true, rows: []row{
			{bad: invalid, name: "nothing", want: want{400, "MissingBody", ""}},
			query("planType", "planType=free"), query("allowJitAccess", "allowJitAccess=yes")}},
		{method: "POST", pattern: portalOffer + "/plans/{planId}" + "/images/validate", who: contoso, body: image, anyID: true, noText: true, rows: members(t, image,
			m{wrongType, "generation", `"one"`, "InvalidType"}, m{wrongType, "dataDisks", `{}`, "InvalidType"}, m{wrongType, "os", `"a"`, "InvalidType"},
			m{invalid, "generation", `3`, "InvalidValue"}, m{invalid, "diskVersion", `"1.0"`, "InvalidValue"}, m{invalid, "diskVersion", `"01.0.0"`, "InvalidValue"},
			m{invalid, "osFamily", `"BSD"`, "InvalidValue"}, m{invalid, "os.kind", `"disk"`, "InvalidValue"},
			m{invalid, "dataDisks", `[` + many(65, `{"lun":%d}`) + `]`, "InvalidValue"})},
		{method: "POST", pattern: portalOffer + "/plans/{planId}" + "/iot/validate", who: contoso, body: module, anyID: true, noText: true, rows: members(t, module,
			m{wrongType, "imageTags", `"latest"`, "InvalidType"}, m{wrongType, "adminPassword", `5`, "InvalidType"},
			m{invalid, "platformOption", `"all"`, "InvalidValue"}, m{invalid, "imageTags", `[` + many(65, `"1.0.%d"`) + `]`, "InvalidValue"})},
		{method: "POST", pattern: portalOffer + "/plans/{planId}" + "/imageRepository:verify", who: contoso, body: images, anyID: true, noText: true, rows: members(t, images,
			m{wrongType, "imageVersions", `"latest"`, "InvalidType"}, m{wrongType, "tagDigests", `[]`, "InvalidType"},
			m{invalid, "imageVersions", `[` + many(65, `{"tag":"1.0.%d"}`) + `]`, "InvalidValue"})},
	}
}
