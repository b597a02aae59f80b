package packages

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/packages"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/rendering"
	"stoa/shared/web"
)

const (
	mayRead   account.Permission = "offer.read"
	mayUpload account.Permission = "package.upload"

	codeInvalid = "InvalidValue"
	maxDryRun   = 50 << 20 // bytes of a package that is validated without being kept (02, 6.1)
	maxDryRuns  = 2        // at the same time
	retryDryRun = 2 * time.Second
	linkLife    = 10 * time.Minute
)

// Links makes links for downloads that need no token.
type Links interface {
	DownloadLink(container, name string, life time.Duration) (string, error)
}

// Reports serves what validation found of uploaded packages and what became of them, and validates packages that are
// not kept. Safe for concurrent use.
type Reports struct {
	packages *packages.Service
	links    Links
	now      func() time.Time
	newID    func() string
	busy     chan struct{} // a place for each dry run, whose package is held in memory
}

// NewReports makes the handler.
func NewReports(p *packages.Service, links Links, now func() time.Time, newID func() string) *Reports {
	return &Reports{packages: p, links: links, now: now, newID: newID, busy: make(chan struct{}, maxDryRuns)}
}

// Portal mounts the routes.
func (h *Reports) Portal(g *web.Group) {
	const one = "/portal/v1/publishers/{publisherId}/offers/{offerId}"
	g.Handle(http.MethodGet, one+"/packages/{name}/report", web.Publisher(mayRead), h.report)
	g.Handle(http.MethodGet, one+"/packages/{name}/content", web.Publisher(mayRead), h.content)
	g.Handle(http.MethodPost, one+"/packages/validate-url", web.Publisher(mayUpload), h.follow)
	g.Handle(http.MethodPost, one+"/packages:validate", web.Publisher(mayUpload), h.dryRun)
}

// report answers what validation found of a package, as JSON, or as a page or a text for people with ?format=html or
// text. 404 until validation has run.
func (h *Reports) report(w http.ResponseWriter, r *http.Request) error {
	format := strings.ToLower(r.URL.Query().Get("format"))
	if format != "" && !slices.Contains([]string{"json", "html", "text"}, format) {
		return fault.New(fault.Invalid, codeInvalid, "format", "The format is json, html or text.")
	}
	record, report, err := h.packages.Report(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"), r.PathValue("name"))
	if err != nil {
		return err
	}
	switch format {
	case "html":
		return write(w, "text/html; charset=utf-8", func(out io.Writer) error { return rendering.HTML(out, record.Name, &report.Report) })
	case "text":
		return write(w, "text/plain; charset=utf-8", func(out io.Writer) error { return rendering.Text(out, record.Name, &report.Report) })
	}
	return web.WriteJSON(w, http.StatusOK, wireRecord{
		Name: record.Name, State: record.State(), ETag: record.ETag, ValidatedAt: record.At, Malware: record.Malware,
		TrackingID: record.TrackingID, Stamped: record.Processed != "", Blocking: report.Blocking, Findings: report.Findings,
	})
}

// content leads to the bytes of a package: as it was uploaded, or with ?kind=processed as it is published (02, 6.1). It
// was not changed where nothing was added to it.
func (h *Reports) content(w http.ResponseWriter, r *http.Request) error {
	kind := cmp.Or(r.URL.Query().Get("kind"), "original")
	if kind != "original" && kind != "processed" {
		return fault.New(fault.Invalid, codeInvalid, "kind", "The kind is original or processed.")
	}
	record, err := h.packages.Record(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"), r.PathValue("name"))
	if err != nil {
		return err
	}
	container, blob := "packages", record.PublisherID+"/"+record.OfferID+"/"+record.Name
	switch {
	case kind == "processed" && record.State() != "Processed":
		return fault.New(fault.Conflict, "PackageNotProcessed", "kind", "The package was not accepted by validation.")
	case kind == "processed":
		container, blob = record.Published()
	}
	link, err := h.links.DownloadLink(container, blob, linkLife)
	if err != nil {
		return err
	}
	w.Header().Set("Location", link)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
	return nil
}

// wireRecord is a package as its report shows it (02, 3.4).
type wireRecord struct {
	Name        string            `json:"name"`
	State       string            `json:"state"` // Processed or ProcessFailed
	ETag        string            `json:"etag"`
	ValidatedAt time.Time         `json:"validatedAt"`
	Malware     packages.Scan     `json:"malware"`
	TrackingID  string            `json:"trackingId,omitempty"`
	Stamped     bool              `json:"stampedBySystem"`
	Blocking    bool              `json:"blocking"`
	Findings    []finding.Finding `json:"findings"`
}

// write answers a rendered report. Nothing of it is sent when it cannot be rendered.
func write(w http.ResponseWriter, contentType string, render func(io.Writer) error) error {
	var body bytes.Buffer
	if err := render(&body); err != nil {
		return fmt.Errorf("render a report: %w", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, err := w.Write(body.Bytes())
	return err
}

// follow takes the link to a package that stays with its publisher (04, 6.3): 202 with the name under which its report
// will be.
func (h *Reports) follow(w http.ResponseWriter, r *http.Request) error {
	var in packages.Link
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	name, err := h.packages.Follow(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"), h.newID(), in)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, map[string]string{"id": name})
}

// validationItem is a finding in the form of the submission API (02, 3.4).
type validationItem struct {
	ErrorCode string   `json:"errorCode"`
	Severity  string   `json:"severity"`
	Message   string   `json:"message"`
	Resource  string   `json:"resource"`
	PlanTypes []string `json:"planTypes,omitempty"`
}

// dryRun validates the zip in the body as the package of an Azure application and keeps nothing (02, 6.1).
func (h *Reports) dryRun(w http.ResponseWriter, r *http.Request) error {
	planType := r.URL.Query().Get("planType")
	if planType != "" && !slices.Contains(packages.PlanTypes, planType) {
		return fault.New(fault.Invalid, codeInvalid, "planType", "The plan type is %s.", strings.Join(packages.PlanTypes, " or "))
	}
	o := packages.Options{PlanType: planType, Now: h.now()}
	switch text := r.URL.Query().Get("allowJitAccess"); text {
	case "":
	case "true", "false":
		jit := text == "true"
		o.JIT = &jit
	default:
		return fault.New(fault.Invalid, codeInvalid, "allowJitAccess", "The value is true or false.")
	}
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	default:
		busy := fault.New(fault.Throttled, "TooManyRequests", "", "Other packages are being validated. Try again.")
		busy.RetryAfter = retryDryRun
		return busy
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDryRun))
	switch {
	case err != nil:
		return fault.New(fault.TooLarge, "BodyTooLarge", "", "The package may have at most %d bytes.", maxDryRun)
	case len(body) == 0:
		return fault.New(fault.Invalid, "MissingBody", "", "The body is the package, a zip file.")
	}
	p := packages.Package{Name: "package.zip", Bytes: bytes.NewReader(body), Size: int64(len(body))}
	report, err := packages.Validate(r.Context(), packages.AzureApplication, p, o)
	if err != nil {
		return err
	}
	items := make([]validationItem, len(report.Findings))
	for i, f := range report.Findings {
		items[i] = item(f)
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"validationItems": items})
}

// item is a finding with its place as file#pointer (line:column). What only informs is a warning there, which has
// no third severity.
func item(f finding.Finding) validationItem {
	out := validationItem{ErrorCode: f.Code, Severity: string(f.Severity), Message: f.Message, Resource: f.File, PlanTypes: f.PlanTypes}
	if f.Severity == finding.Info {
		out.Severity = string(finding.Warning)
	}
	if f.Path != "" {
		out.Resource += "#" + f.Path
	}
	if f.Line > 0 {
		out.Resource += fmt.Sprintf(" (%d:%d)", f.Line, f.Column)
	}
	return out
}
