package stack_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/trade"
	"stoa/shared/packages/packagestest"
	"stoa/shared/registry/registrytest"
)

// template is a clean main template. Other tests move the clock of the stack ahead at the same time, so its API versions
// are the newest ones, which never count as old.
const template = `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
  "parameters":{"location":{"type":"string","defaultValue":"[resourceGroup().location]","metadata":{"description":"Where."}}},
  "resources":[{"type":"Microsoft.Storage/storageAccounts","apiVersion":"2026-04-01","name":"data","location":"[parameters('location')]","sku":{"name":"Standard_LRS"},"kind":"StorageV2"}]}`

const definition = `{"$schema":"https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
  "handler":"Microsoft.Azure.CreateUIDef","version":"0.1.2-preview","parameters":{"basics":[],"steps":[],"outputs":{"location":"[location()]"}}}`

// shelf is an offer that packages are uploaded to.
type shelf struct {
	t      *testing.T
	client *trade.Client
	path   string
}

func newShelf(t *testing.T, offerID, offerType string) *shelf {
	t.Helper()
	s := &shelf{t, trade.New(marketplace, 4), portalOffers + "/" + offerID}
	s.do(http.MethodPost, portalOffers, object{"offerId": offerID, "offerType": offerType, "alias": offerID}, http.StatusCreated)
	return s
}

func (s *shelf) do(method, path string, body any, want ...int) trade.Answer {
	s.t.Helper()
	a, err := s.client.Do(s.t.Context(), trade.Request{As: trade.Publisher, Method: method, Path: path, Body: body}, want...)
	require.NoError(s.t, err)
	return a
}

// packageReport is what a publisher sees of a package.
type packageReport struct {
	ETag     string `json:"etag"`
	State    string `json:"state"`
	Tracking string `json:"trackingId"`
	Stamped  bool   `json:"stampedBySystem"`
	Malware  string `json:"malware"`
	Findings []struct {
		Code, Severity, File, Message string
	} `json:"findings"`
}

func (r packageReport) codes() []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return out
}

// upload puts a file to the link it is given, and returns its name.
func (s *shelf) upload(slot, file string, content []byte) string {
	s.t.Helper()
	var link struct {
		File string `json:"file"`
		URL  string `json:"uploadUrl"`
	}
	require.NoError(s.t, s.do(http.MethodPost, s.path+"/uploads", object{"kind": "package", "slot": slot, "fileName": file}, http.StatusCreated).Decode(&link))
	_, err := s.client.Do(s.t.Context(), trade.Request{As: trade.Nobody, Method: http.MethodPut, Path: link.URL, Body: content,
		Header: map[string]string{"x-ms-blob-type": "BlockBlob", "Content-Type": "application/zip"}}, http.StatusCreated)
	require.NoError(s.t, err)
	return link.File[strings.LastIndexByte(link.File, '/')+1:]
}

// report waits until validation has seen the package in a state that is asked for.
func (s *shelf) report(name string, ok func(packageReport) bool) packageReport {
	s.t.Helper()
	var r packageReport
	require.Eventually(s.t, func() bool {
		a := s.do(http.MethodGet, s.path+"/packages/"+name+"/report", nil, http.StatusOK, http.StatusNotFound)
		r = packageReport{}
		return a.Status == http.StatusOK && a.Decode(&r) == nil && ok(r)
	}, 30*time.Second, 50*time.Millisecond, "the report on %s: %+v", name, &r)
	return r
}

// validated uploads a file and waits for what is found in it: the sorted codes.
func (s *shelf) validated(slot, file string, content []byte) packageReport {
	s.t.Helper()
	before := s.do(http.MethodGet, s.path+"/packages/"+strings.TrimPrefix(slot+"@", "@")+file+"/report", nil, http.StatusOK, http.StatusNotFound)
	var old packageReport
	if before.Status == http.StatusOK {
		require.NoError(s.t, before.Decode(&old))
	}
	name := s.upload(slot, file, content)
	return s.report(name, func(r packageReport) bool { return r.ETag != old.ETag })
}

// processed reads what is published of a package.
func (s *shelf) processed(name string) []byte {
	s.t.Helper()
	a, err := s.client.Do(s.t.Context(), trade.Request{As: trade.Publisher, Method: http.MethodGet, Path: s.path + "/packages/" + name + "/content?kind=processed"}, http.StatusFound)
	require.NoError(s.t, err)
	resp, err := http.Get(a.Location)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, resp.StatusCode)
	return content
}

// azureApp is a package, clean but for the files that are given; an empty one is left out.
func azureApp(t *testing.T, files map[string]string) []byte {
	t.Helper()
	all := map[string]string{"mainTemplate.json": template, "createUiDefinition.json": definition}
	maps.Copy(all, files)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return packagestest.Zip(t, all)
}

// Chapter 02, walks 1, 2, 4 and 5: packages of an Azure application, from the upload to the report.
func TestAzureApplicationPackages(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "packaged-app", "AzureApplication")
	const pid = "pid-contoso-packaged-app-partnercenter"

	clean := s.validated("", "clean.zip", azureApp(t, nil)) // walk 1
	require.Equal(t, "Processed", clean.State, "%+v", clean)
	require.Empty(t, clean.codes())
	require.Equal(t, pid, clean.Tracking)
	require.True(t, clean.Stamped, "CUA-4")
	stamped := s.processed("clean.zip")
	z, err := zip.NewReader(bytes.NewReader(stamped), int64(len(stamped)))
	require.NoError(t, err)
	inside := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		inside[f.Name] = string(text)
	}
	require.Equal(t, definition, inside["createUiDefinition.json"], "CUA-4: byte for byte")
	var main struct{ Resources []struct{ Type, Name string } }
	require.NoError(t, json.Unmarshal([]byte(inside["mainTemplate.json"]), &main))
	require.Equal(t, pid, main.Resources[len(main.Resources)-1].Name)
	require.True(t, strings.HasPrefix(inside["mainTemplate.json"], template[:strings.LastIndexByte(template, ']')]), "CUA-4: nothing else changes")

	wrapped := packagestest.Zip(t, map[string]string{"app/mainTemplate.json": template, "app/createUiDefinition.json": definition})
	nested := strings.Replace(template, `"resources":[`, `"resources":[{"type":"Microsoft.Resources/deployments","apiVersion":"2024-03-01","name":"network","properties":{"mode":"Incremental","template":{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[{"type":"Microsoft.Network/virtualNetworks","apiVersion":"2025-09-01","name":"net","location":"global"}]}}},`, 1)
	tracked := strings.Replace(nested, `"resources":[`, `"resources":[{"type":"Microsoft.Resources/deployments","apiVersion":"2024-03-01","name":"`+pid+`","properties":{"mode":"Incremental","template":{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[]}}},`, 1)
	loose := strings.Replace(template, `"parameters":{`, `"parameters":{"unused":{"type":"string","defaultValue":"x","metadata":{"description":"Nothing."}},`, 1)
	literal := strings.Replace(loose, `"kind":"StorageV2"`, `"kind":"StorageV2","properties":{"adminUsername":"azureuser"}`, 1)
	for _, row := range []struct {
		name  string
		files map[string]string
		whole []byte
		state string
		has   []string
		not   []string
	}{
		{"walk 2: in a folder", nil, wrapped, "ProcessFailed", []string{"APP_WRAPPED_IN_FOLDER"}, nil},
		{"walk 2: another case", map[string]string{"mainTemplate.json": "", "MainTemplate.json": template}, nil, "ProcessFailed", []string{"APP_FILE_NAME_CASE"}, nil},
		{"walk 2: a test drive's name", map[string]string{"mainTemplate.json": "", "main-template.json": template}, nil, "ProcessFailed", []string{"APP_WRONG_TEMPLATE_NAME"}, nil},
		{"walk 4: no tracking", map[string]string{"mainTemplate.json": nested}, nil, "ProcessFailed", []string{"APP_TRACKING_ID_MISSING"}, nil},
		{"walk 4: tracked", map[string]string{"mainTemplate.json": tracked}, nil, "Processed", nil, []string{"APP_TRACKING_ID_MISSING"}},
		{"walk 5: a literal", map[string]string{"mainTemplate.json": literal}, nil, "ProcessFailed",
			[]string{"arm-ttk/Parameters-Must-Be-Referenced", "arm-ttk/adminUsername-Should-Not-Be-A-Literal"}, nil},
		{"walk 5: unused", map[string]string{"mainTemplate.json": loose}, nil, "Processed", []string{"arm-ttk/Parameters-Must-Be-Referenced"}, []string{"arm-ttk/adminUsername-Should-Not-Be-A-Literal"}},
	} {
		content := row.whole
		if content == nil {
			content = azureApp(t, row.files)
		}
		got := s.validated("", "app.zip", content)
		require.Equal(t, row.state, got.State, "%s: %+v", row.name, got.Findings)
		for _, code := range row.has {
			require.Contains(t, got.codes(), code, row.name)
		}
		for _, code := range row.not {
			require.NotContains(t, got.codes(), code, row.name)
		}
		if row.whole != nil {
			require.Len(t, got.Findings, 1, row.name)
		}
		for _, f := range got.Findings {
			if f.Code == "APP_TRACKING_ID_MISSING" {
				require.Contains(t, f.Message, pid)
			}
		}
	}

	for format, begins := range map[string]string{"html": "<!doctype html>", "text": "mainTemplate.json:"} {
		a := s.do(http.MethodGet, s.path+"/packages/app.zip/report?format="+format, nil, http.StatusOK)
		require.True(t, strings.HasPrefix(strings.TrimSpace(strings.ToLower(string(a.Body))), strings.ToLower(begins)), "%s", a.Body)
		require.Contains(t, string(a.Body), "Parameters-Must-Be-Referenced")
	}
}

// asset puts a file on the listing.
func (s *shelf) asset(kind string, content []byte) {
	s.t.Helper()
	var link struct {
		File string `json:"file"`
		URL  string `json:"uploadUrl"`
	}
	require.NoError(s.t, s.do(http.MethodPost, s.path+"/uploads", object{"kind": kind, "fileName": kind + ".png"}, http.StatusCreated).Decode(&link))
	_, err := s.client.Do(s.t.Context(), trade.Request{As: trade.Nobody, Method: http.MethodPut, Path: link.URL, Body: content,
		Header: map[string]string{"x-ms-blob-type": "BlockBlob"}}, http.StatusCreated)
	require.NoError(s.t, err)
	s.do(http.MethodPut, s.path+"/listing/assets", object{"kind": kind, "file": link.File}, http.StatusOK)
}

// published submits the offer and waits for a status.
func (s *shelf) published(act, status string) {
	s.t.Helper()
	s.do(http.MethodPost, s.path+act, nil, http.StatusAccepted)
	var got struct{ Status string }
	require.Eventually(s.t, func() bool {
		got.Status = ""
		return s.do(http.MethodGet, s.path+"/overview", nil, http.StatusOK).Decode(&got) == nil && got.Status == status
	}, 30*time.Second, 50*time.Millisecond, "the offer is %s", &got.Status)
}

// Chapter 02, walks 3 and 6: a managed application, from its technical configuration to the definition that customers
// deploy from.
func TestManagedApplicationDefinition(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "managed-app", "AzureApplication")
	configuration := func(version, parameters, sku string) object {
		return object{"technicalConfiguration": object{
			"version": version, "deploymentMode": "Incremental", "notificationEndpointUri": "https://contoso.com",
			"publicAzureTenantID":       "50c464d3-4930-494c-963c-1e951d15360e",
			"publicAzureAuthorizations": []object{{"principalID": "d6b7fbd3-4d99-43fe-8a7a-f13aef11dc18", "roleDefinitionID": "Owner"}},
			"policies":                  []object{{"policyName": "audit", "policyDefinitionID": "AzureSqlServerAuditSettings", "policyParameters": parameters, "policySku": sku}},
		}}
	}
	s.do(http.MethodPost, s.path+"/plans", object{"planId": "gold", "name": "Gold", "description": "The best.", "planType": "managed-application"}, http.StatusCreated)
	var refused struct {
		Error struct {
			Details []struct{ Code, Target string }
		}
	}
	require.NoError(t, s.do(http.MethodPut, s.path+"/plans/gold", configuration("1.0.9", "", "Free"), http.StatusBadRequest).Decode(&refused)) // walk 3
	require.Len(t, refused.Error.Details, 2, "AZA-65, AZA-66: %+v", refused)
	const parameters = `{"retentionDays":{"value":"90"}}`
	s.do(http.MethodPut, s.path+"/plans/gold", configuration("1.0.9", parameters, "Standard"), http.StatusOK)

	require.Equal(t, "Processed", s.validated("", "gold.zip", azureApp(t, nil)).State)
	s.do(http.MethodPut, s.path+"/plans/gold", object{"packageFile": "contoso/managed-app/gold.zip"}, http.StatusOK)
	s.do(http.MethodPut, s.path+"/pages/offerSetup", object{"leadDestination": object{"leadDestination": "none"}}, http.StatusOK)
	s.do(http.MethodPut, s.path+"/pages/properties", object{"listing": object{"categories": []string{"compute"}}}, http.StatusOK)
	s.do(http.MethodPut, s.path+"/pages/offerListing", object{"listing": object{"name": "Managed", "searchResultsSummary": "Managed.",
		"description": "<p>Managed.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}, http.StatusOK)
	var logo bytes.Buffer
	require.NoError(t, png.Encode(&logo, image.NewGray(image.Rect(0, 0, 216, 216))))
	s.asset("largeLogo", logo.Bytes())
	s.published("/publish", "Preview")
	s.published("/golive", "Live")
	read := func(version string) (d struct {
		PackageFileURI string `json:"packageFileUri"`
		Authorizations []struct{ PrincipalID, RoleDefinitionID string }
	}) {
		require.NoError(t, s.do(http.MethodGet, s.path+"/plans/gold/applicationDefinition?version="+version, nil, http.StatusOK).Decode(&d))
		return d
	}
	first := read("1.0.9")
	require.Len(t, first.Authorizations, 1, "AZA-68")
	require.Equal(t, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", first.Authorizations[0].RoleDefinitionID, "AZA-62")
	require.True(t, strings.HasPrefix(first.PackageFileURI, "processed/contoso/managed-app/gold.zip/"), "CUA-10: the stamped copy, found %s", first.PackageFileURI)

	s.do(http.MethodPut, s.path+"/plans/gold", configuration("1.1", parameters, "Standard"), http.StatusBadRequest) // walk 6
	s.validated("", "gold.zip", azureApp(t, map[string]string{"more.txt": "more"}))
	s.published("/publish", "AttentionNeeded") // AZA-51
	s.do(http.MethodPut, s.path+"/plans/gold", configuration("1.0.10", parameters, "Standard"), http.StatusOK)
	s.published("/publish", "Preview")
	require.NotEqual(t, first.PackageFileURI, read("1.0.10").PackageFileURI)
	require.Equal(t, first, read("1.0.9"), "what is live stays as it is")
}

// Chapter 04, walks 7 and 10: the uploads of an offer are validated together.
func TestPackagesInSlots(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "slotted-app", "SaaS")
	core := packagestest.Identity{ID: "22222222-2222-4222-8222-222222222222", Name: "Contoso Core", Version: "1.0.0.0"}
	sales := packagestest.Identity{ID: "11111111-1111-4111-8111-111111111111", Name: "Contoso Sales", Version: "1.2.0.0"}
	got := s.validated("bcExtension", "sales.app", packagestest.Extension(t, sales, core))
	require.Equal(t, []string{"AVS0108"}, got.codes(), "DYN-52")
	require.Equal(t, "Processed", s.validated("bcLibrary", "core.app", packagestest.Extension(t, core)).State)
	s.report("bcExtension@sales.app", func(r packageReport) bool { return r.State == "Processed" && len(r.Findings) == 0 })

	s.validated("pbiviz", "radar.pbiviz", packagestest.Visual(t, "radarABC123", "1.0.0.0"))
	require.Equal(t, "Processed", s.validated("pbix", "radar.pbix", packagestest.SampleReport(t, "radarABC123", "1.0.0.0")).State, "PBV-21")
	s.validated("pbiviz", "radar.pbiviz", packagestest.Visual(t, "radarABC123", "1.1.0.0"))
	s.report("pbix@radar.pbix", func(r packageReport) bool { return slices.Equal(r.codes(), []string{"PBIX_VISUAL_VERSION"}) })
	require.Equal(t, "Processed", s.validated("pbix", "radar.pbix", packagestest.SampleReport(t, "radarABC123", "1.1.0.0")).State, "PBV-21")
}

// Chapter 04, walk 4: a link is looked at before it is followed.
func TestPackageByLink(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "linked-app", "SaaS")
	var kept struct{ ID string }
	far := marketplace.Clock.Now().UTC().AddDate(5, 0, 0).Format(time.RFC3339)
	require.NoError(t, s.do(http.MethodPost, s.path+"/packages/validate-url", object{"url": "https://acct.blob.core.windows.net/pkg/Contoso_F365.zip?sv=2020-08-04&sr=b&sp=rl&sig=x&se=" + far},
		http.StatusAccepted).Decode(&kept))
	got := s.report(kept.ID, func(packageReport) bool { return true })
	require.Equal(t, []string{"CE_SAS_NOT_READ_ONLY"}, got.codes(), "DYN-37")
}

// A package is validated without being kept (02, 6.1).
func TestPackageDryRun(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "tried-app", "AzureApplication")
	try := func(query string, content []byte) (codes []string) {
		a := s.do(http.MethodPost, s.path+"/packages:validate"+query, content, http.StatusOK)
		var got struct {
			Items []struct{ ErrorCode, Severity, Message, Resource string } `json:"validationItems"`
		}
		require.NoError(t, a.Decode(&got))
		require.NotNil(t, got.Items)
		for _, i := range got.Items {
			require.Contains(t, []string{"error", "warning"}, i.Severity)
			codes = append(codes, i.ErrorCode+" "+i.Resource)
		}
		return codes
	}
	require.Empty(t, try("?planType=solution-template", azureApp(t, nil)))
	jit := try("?planType=managed-application&allowJitAccess=true", azureApp(t, nil))
	require.Len(t, jit, 2)
	require.Contains(t, jit[0]+jit[1], "APP_JIT_CONTROL_MISSING", "AZA-154")
	loose := strings.Replace(template, `"parameters":{`, `"parameters":{"unused":{"type":"string","defaultValue":"x","metadata":{"description":"Nothing."}},`, 1)
	require.Equal(t, []string{"arm-ttk/Parameters-Must-Be-Referenced mainTemplate.json#/parameters/unused (2:17)"}, try("", azureApp(t, map[string]string{"mainTemplate.json": loose})))
	s.do(http.MethodGet, s.path+"/packages/package.zip/report", nil, http.StatusNotFound) // nothing is kept
}

// Chapter 02, walk 8, and chapter 03, walk 8: the images of a plan in a real registry.
func TestImagesInARegistry(t *testing.T) {
	t.Parallel()
	registrytest.Start(t, registryAddress)
	s := newShelf(t, "image-app", "SaaS")
	amd, arm := registrytest.Push(t, registryAddress, "1.0.1-linux-x64", "amd64"), registrytest.Push(t, registryAddress, "1.0.1-linux-arm32", "arm")
	registrytest.PushList(t, registryAddress, map[string]v1.Image{"amd64": amd, "arm": arm}, "latest", "1.0.1")
	type answer struct {
		Result   string
		Findings []struct{ Code, Path string }
		Checks   []struct {
			Name string
			OK   bool
		}
		TagDigests map[string]string
	}
	ask := func(path, password string, published map[string]string, tags ...string) (out answer) {
		body := object{"registryName": "contosoreg", "adminUsername": registrytest.User, "adminPassword": password, "repositoryName": "app", "tagDigests": published}
		versions := []object{}
		for _, tag := range tags {
			versions = append(versions, object{"tag": tag})
		}
		body["imageVersions"], body["imageTags"], body["platformOption"], body["fetch"] = versions, tags, "tier1Subset", true
		require.NoError(t, s.do(http.MethodPost, s.path+"/plans/gold/"+path, body, http.StatusOK).Decode(&out))
		return out
	}
	all := []string{"latest", "1.0.1", "1.0.1-linux-x64", "1.0.1-linux-arm32"}
	for _, path := range []string{"imageRepository:verify", "iot/validate"} {
		whole := ask(path, registrytest.Password, nil, all...)
		require.Equal(t, "Pass", whole.Result, "%s: %+v", path, whole.Findings)
		require.Len(t, whole.TagDigests, 4)
		missing := ask(path, registrytest.Password, nil, all[:3]...)
		require.Equal(t, "Fail", missing.Result)
		require.Equal(t, "TagNotListed", missing.Findings[0].Code, "CON-37, IOT-13")
		refused := ask(path, "wrong", nil, all...)
		require.Equal(t, "Fail", refused.Result)
		require.Contains(t, []string{"RegistryAuthFailed", "RegistryAccessDenied"}, refused.Findings[0].Code, "CON-31, IOT-9")
		if path == "imageRepository:verify" {
			require.Len(t, whole.Checks, 4)
			require.Equal(t, "credentials", refused.Checks[len(refused.Checks)-1].Name)
			require.False(t, refused.Checks[len(refused.Checks)-1].OK)
		}
	}
	before := ask("iot/validate", registrytest.Password, nil, all...).TagDigests
	other := registrytest.Push(t, registryAddress, "1.0.2-linux-x64", "amd64")
	registrytest.PushList(t, registryAddress, map[string]v1.Image{"amd64": other, "arm": arm}, "1.0.1", "latest")
	moved := ask("imageRepository:verify", registrytest.Password, before, append(all, "1.0.2-linux-x64")...)
	require.Equal(t, "VersionTagMoved", moved.Findings[0].Code, "CON-38: %+v", moved.Findings)
}

// Chapter 03, walks 1, 2 and 9: dry runs of what an offer leaves with its publisher.
func TestAssetDryRuns(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "asset-app", "SaaS")
	verdict := func(path string, body object) (result string, codes []string) {
		var got struct {
			Result   string
			Findings []struct{ Code, Severity, Path string }
		}
		require.NoError(t, s.do(http.MethodPost, s.path+"/plans/gold"+path, body, http.StatusOK).Decode(&got))
		codes = []string{}
		for _, f := range got.Findings {
			codes = append(codes, f.Code)
		}
		return got.Result, codes
	}
	now := marketplace.Clock.Now().UTC()
	stamp := func(at time.Time) string { return strings.ReplaceAll(at.Format("2006-01-02T15:04:05Z"), ":", "%3A") }
	disk := func(uri string) object {
		return object{"generation": 1, "diskVersion": "1.0.0", "osFamily": "Linux", "os": object{"kind": "sas", "uri": uri}}
	}
	const blob = "https://st00009.blob.core.windows.net/vhds/contoso.vhd?sv=2020-08-04"
	good := blob + "&st=" + stamp(now.Add(-48*time.Hour)) + "&se=" + stamp(now.Add(2000*24*time.Hour)) + "&sr=c&sp=rl&sig=a%2Bb%3D"
	result, codes := verdict("/images/validate", disk(good)) // walk 1
	require.Equal(t, "Pass", result)
	require.Empty(t, codes)
	_, codes = verdict("/images/validate", disk(strings.Replace(good, stamp(now.Add(2000*24*time.Hour)), stamp(now.Add(20*24*time.Hour)), 1)))
	require.Len(t, codes, 1)
	require.Contains(t, []string{"SAS-EXPIRY", "SAS-EXPIRED"}, codes[0], "VMO-75")
	result, codes = verdict("/images/validate", disk("https://st00009.blob.core.windows.net/vhds/my%20disk.vhd?sv=2020-08-04&st=2021-11-21&se=2022-01-01&sr=b&sp=rwl&sig=x"))
	require.Equal(t, "Fail", result)
	require.Equal(t, []string{"SAS-SPACE", "SAS-DATEFORM", "SAS-PERM-EXTRA", "SAS-CONTAINER"}, codes, "walk 2")

	module := object{"planName": "Gold", "platformOption": "tier1Subset", "registryName": "contosoreg", "repositoryName": "app", "imageTags": []string{"latest", "1.0.1"}}
	twin := func(value string) object {
		m := maps.Clone(module)
		m["defaultTwinDesiredProperties"] = []object{{"name": "p", "value": value}}
		return m
	}
	for value, want := range map[string]string{`{"a":{"b":{"c":{"d":1}}}}`: "Pass", `{"a":{"b":{"c":{"d":{"e":1}}}}}`: "Fail", `[1]`: "Fail", `60`: "Pass"} { // walk 9
		result, codes = verdict("/iot/validate", twin(value))
		require.Equal(t, want, result, "%s: %v", value, codes)
	}
	bare := maps.Clone(module)
	bare["defaultContainerCreateOptions"] = `"HostConfig":{"PortBindings":{"5012/tcp":[{"HostPort":"5012"}]}}`
	var stored struct {
		CreateOptions string `json:"defaultContainerCreateOptions"`
		ModuleName    string `json:"moduleName"`
	}
	require.NoError(t, s.do(http.MethodPost, s.path+"/plans/gold/iot/validate", bare, http.StatusOK).Decode(&stored))
	require.Equal(t, `{"HostConfig":{"PortBindings":{"5012/tcp":[{"HostPort":"5012"}]}}}`, stored.CreateOptions, "IOT-27")
	require.Equal(t, "Gold", stored.ModuleName, "IOT-24")
}
