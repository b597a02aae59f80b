package packages

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/packages/assets"
	"stoa/shared/packages/container"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/iotedge"
	"stoa/shared/packages/vmimage"
	"stoa/shared/web"
)

// Checker looks at what an offer leaves with its publisher.
type Checker interface {
	Disks(ctx context.Context, plan vmimage.Plan, fetch bool) (*finding.Report, error)
	Repository(ctx context.Context, i assets.Images, fetch bool) (*finding.Report, map[string]string, error)
}

// Assets serves the dry runs over disks behind links and images in a registry (03, 6.5; 02, 6.4). Nothing of a request
// is kept or logged: it holds signatures and passwords.
type Assets struct{ Checker Checker }

// Portal mounts the routes.
func (h *Assets) Portal(g *web.Group) {
	const plan = "/portal/v1/publishers/{publisherId}/offers/{offerId}/plans/{planId}"
	g.Handle(http.MethodPost, plan+"/images/validate", web.Publisher(mayUpload), h.disks)
	g.Handle(http.MethodPost, plan+"/iot/validate", web.Publisher(mayUpload), h.module)
	g.Handle(http.MethodPost, plan+"/imageRepository:verify", web.Publisher(mayUpload), h.repository)
}

// Limits of what is looked at in one request.
const (
	maxDisks = 64
	maxTags  = 64
)

// source is where a disk comes from: a link, or an image version of a gallery (03, 3.5).
type source struct {
	Kind       string `json:"kind"`
	URI        string `json:"uri"`
	ResourceID string `json:"resourceId"`
}

var galleryImage = regexp.MustCompile(`(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]{1,90}/providers/Microsoft\.Compute/galleries/[^/]{1,80}/images/[^/]{1,80}/versions/\d+\.\d+\.\d+$`)

var diskVersion = regexp.MustCompile(`^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$`)

// disks looks at the disks of one image: VMO-52 to VMO-54 and VMO-66 to VMO-89.
func (h *Assets) disks(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Generation  int    `json:"generation"`
		DiskVersion string `json:"diskVersion"`
		OSFamily    string `json:"osFamily"`
		OS          source `json:"os"`
		DataDisks   []struct {
			LUN int    `json:"lun"`
			URI string `json:"sasUri"`
		} `json:"dataDisks"`
		Fetch bool `json:"fetch"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	image := vmimage.Image{Generation: in.Generation, Version: in.DiskVersion}
	family := vmimage.Family(strings.ToLower(in.OSFamily))
	var wrong fault.Findings
	if in.Generation != 1 && in.Generation != 2 {
		wrong.Add(codeInvalid, "generation", "The generation is 1 or 2.")
	}
	if !diskVersion.MatchString(in.DiskVersion) {
		wrong.Add(codeInvalid, "diskVersion", "The version is three whole numbers without leading zeros, such as 1.0.1.")
	}
	if family != vmimage.Linux && family != vmimage.Windows {
		wrong.Add(codeInvalid, "osFamily", "The family is Windows or Linux.")
	}
	switch {
	case in.OS.Kind == "sas":
		image.OS.URI = in.OS.URI
	case in.OS.Kind != "gallery":
		wrong.Add(codeInvalid, "os.kind", "The kind of a source is sas or gallery.")
	case !galleryImage.MatchString(in.OS.ResourceID):
		wrong.Add(codeInvalid, "os.resourceId", "The value is the resource id of an image version in a compute gallery.")
	default:
		image.Gallery = in.OS.ResourceID
	}
	if len(in.DataDisks) > maxDisks {
		wrong.Add(codeInvalid, "dataDisks", "At most %d disks can be looked at.", maxDisks)
	}
	if err := wrong.Err(fault.Invalid, codeInvalid, "The image cannot be looked at."); err != nil {
		return err
	}
	for _, d := range in.DataDisks {
		image.Data = append(image.Data, vmimage.DataDisk{LUN: d.LUN, Link: vmimage.Link{URI: d.URI}})
	}
	report, err := h.Checker.Disks(r.Context(), vmimage.Plan{ID: r.PathValue("planId"), Family: family, Images: []vmimage.Image{image}}, in.Fetch)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, verdictOf(report))
}

// registry is where the images of a plan are (02, 3.7; 03, 3.10).
type registry struct {
	RegistryName   string            `json:"registryName"`
	AdminUsername  string            `json:"adminUsername"`
	AdminPassword  string            `json:"adminPassword"`
	RepositoryName string            `json:"repositoryName"`
	Published      map[string]string `json:"tagDigests"` // of the last publish
}

// images are what is to be looked at; the field is that of the tags.
func (in *registry) images(kind container.Kind, field string, tags []string) (assets.Images, error) {
	if len(tags) > maxTags {
		return assets.Images{}, fault.New(fault.Invalid, codeInvalid, field, "At most %d tags can be looked at.", maxTags)
	}
	return assets.Images{
		Repository: container.Repository{Kind: kind, Registry: in.RegistryName, Name: in.RepositoryName, Tags: tags, Published: in.Published},
		Login:      assets.Login{Registry: in.RegistryName, User: in.AdminUsername, Password: in.AdminPassword},
	}, nil
}

// setting is a default setting of a module.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func settingsOf(list []setting) []iotedge.Setting {
	out := make([]iotedge.Setting, len(list))
	for i, s := range list {
		out[i] = iotedge.Setting(s)
	}
	return out
}

// module looks at the technical configuration of an IoT Edge module (IOT-8 to IOT-29). The settings are looked at by
// themselves, the images when fetch is asked for.
func (h *Assets) module(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		registry
		ImageTags      []string  `json:"imageTags"`
		PlatformOption string    `json:"platformOption"`
		PlanName       string    `json:"planName"`
		Routes         []setting `json:"defaultRoutes"`
		Twin           []setting `json:"defaultTwinDesiredProperties"`
		Environment    []setting `json:"defaultEnvironmentVariables"`
		CreateOptions  string    `json:"defaultContainerCreateOptions"`
		Fetch          bool      `json:"fetch"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if in.PlatformOption != assets.Tier1All && in.PlatformOption != assets.Tier1Subset {
		return fault.New(fault.Invalid, codeInvalid, "platformOption", "The option is %s or %s.", assets.Tier1All, assets.Tier1Subset)
	}
	i, err := in.images(container.IoTEdge, "imageTags", in.ImageTags)
	if err != nil {
		return err
	}
	name := iotedge.ModuleName(in.PlanName)
	i.Option = in.PlatformOption
	i.Settings = iotedge.Settings{
		Routes: settingsOf(in.Routes), Twin: settingsOf(in.Twin), Environment: settingsOf(in.Environment),
		CreateOptions: in.CreateOptions, ModuleNames: []string{name},
	}
	report, digests, err := h.Checker.Repository(r.Context(), i, in.Fetch)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		verdict
		ModuleName    string            `json:"moduleName"`
		CreateOptions string            `json:"defaultContainerCreateOptions"` // as it is stored (IOT-27)
		TagDigests    map[string]string `json:"tagDigests"`
	}{verdictOf(report), name, iotedge.CreateOptions(in.CreateOptions), digests})
}

// repository asks the registry for the image versions of a container plan (CON-30 to CON-41).
func (h *Assets) repository(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		registry
		ImageVersions []struct {
			Tag string `json:"tag"`
		} `json:"imageVersions"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	var tags []string
	for _, v := range in.ImageVersions {
		tags = append(tags, v.Tag)
	}
	i, err := in.images(container.Container, "imageVersions", tags)
	if err != nil {
		return err
	}
	report, digests, err := h.Checker.Repository(r.Context(), i, true)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		verdict
		Checks     []check           `json:"checks"`
		TagDigests map[string]string `json:"tagDigests"`
	}{verdictOf(report), checksOf(report, digests != nil), digests})
}

// check is one thing that was looked at, in the order in which they are.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// refusals are the codes that say which part of the way to the images fails.
var refusals = map[string]string{
	"RegistryNotFound": "registry", "RegistryNameIsLoginServer": "registry", "AdminUserDisabled": "credentials", "RegistryAuthFailed": "credentials",
	"RepositoryNotFound": "repository",
}

// checksOf sums up how far the way to the images went. What lies behind a check that failed is left out: it was not
// looked at. Settings that are wrong in themselves fail without a call.
func checksOf(report *finding.Report, asked bool) []check {
	failed := map[string]bool{}
	for _, f := range report.Findings {
		if f.Severity == finding.Error {
			failed[cmp.Or(refusals[f.Code], "imageVersions")] = true
		}
	}
	asked = asked || failed["credentials"] || failed["repository"]
	var out []check
	for _, name := range []string{"registry", "credentials", "repository", "imageVersions"} {
		if !asked && !failed[name] {
			continue
		}
		out = append(out, check{name, !failed[name]})
		if failed[name] {
			break
		}
	}
	return out
}

// verdict is what a dry run finds (03, 3.8).
type verdict struct {
	Result   string        `json:"result"` // Pass or Fail
	Findings []wireFinding `json:"findings"`
}

type wireFinding struct {
	Code     string `json:"code"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"` // error, warning or information
	Path     string `json:"path"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"`
}

func verdictOf(report *finding.Report) verdict {
	out := verdict{Result: "Pass", Findings: []wireFinding{}}
	if report.Blocking {
		out.Result = "Fail"
	}
	for _, f := range report.Findings {
		severity := string(f.Severity)
		if f.Severity == finding.Info {
			severity = "information"
		}
		out.Findings = append(out.Findings, wireFinding{f.Code, f.Rule, severity, f.File, f.Message, f.Fix})
	}
	return out
}
