package offers

import (
	"bytes"
	"image/png"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// Kinds of upload.
const (
	kindLogo     = "largeLogo"
	kindDocument = "document"
	kindPackage  = "package"

	mediaContainer   = "media"
	packageContainer = "packages"
	linkLife         = time.Hour
	maxLogo          = 2 << 20
	maxDocument      = 20 << 20
	logoMin, logoMax = 216, 350 // pixels of a side (SAS-22)
	maxDocuments     = 3
	maxFile          = 1024 // characters of a blob's name
	maxFileName      = 255  // characters of the name that customers see
)

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._()-]{0,99}$`)

// upload answers a link to put a file to. Packages are validated when they have arrived; other files are
// confirmed with PUT listing/assets.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Kind     string `json:"kind"`
		FileName string `json:"fileName"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if !fileName.MatchString(in.FileName) {
		return fault.New(fault.Invalid, offer.CodeInvalid, "fileName", "A file name has 1 to 100 letters, digits, blanks and . _ ( ) -.")
	}
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	container, name := mediaContainer, ""
	switch in.Kind {
	case kindLogo, kindDocument:
		name = assetFolder(o.PublisherID, o.OfferID, in.Kind) + h.deps.NewID() + "/" + in.FileName
	case kindPackage:
		container, name = packageContainer, o.PublisherID+"/"+o.OfferID+"/"+in.FileName
	default:
		return fault.New(fault.Invalid, offer.CodeInvalid, "kind", "The kind is largeLogo, document or package.")
	}
	link, err := h.deps.Links.UploadLink(container, name, linkLife)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, map[string]any{
		"kind": in.Kind, "file": name, "uploadUrl": link, "expiresAt": h.deps.Now().UTC().Add(linkLife),
	})
}

func assetFolder(publisherID, offerID, kind string) string {
	return publisherID + "/" + offerID + "/" + kind + "/"
}

// asset takes an uploaded logo or document into the listing after a look at its bytes (SAS-22 to SAS-24).
func (h *Handler) asset(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Kind string `json:"kind"`
		File string `json:"file"`
		Name string `json:"name"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	d := draft(r)
	if _, err := h.deps.Catalogue.Offer(r.Context(), d.PublisherID, d.OfferID); err != nil {
		return err
	}
	if in.Kind != kindLogo && in.Kind != kindDocument {
		return fault.New(fault.Invalid, offer.CodeInvalid, "kind", "The kind is largeLogo or document.")
	}
	if !strings.HasPrefix(in.File, assetFolder(d.PublisherID, d.OfferID, in.Kind)) || strings.Contains(in.File, "..") || len(in.File) > maxFile {
		return fault.New(fault.Invalid, offer.CodeInvalid, "file", "The file must be one that was uploaded for this offer and kind.")
	}
	if utf8.RuneCountInString(in.Name) > maxFileName {
		return tooLong("name", maxFileName)
	}
	if err := h.checkAsset(r, in.Kind, in.File, in.Name); err != nil {
		return err
	}
	o, err := h.deps.Offers.Edit(r.Context(), d, func(c *offer.Content) error { return take(c, in.Kind, in.File, in.Name) })
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

func (h *Handler) checkAsset(r *http.Request, kind, file, name string) error {
	limit := int64(maxLogo)
	if kind == kindDocument {
		limit = maxDocument
	}
	content, err := h.deps.Files.Read(r.Context(), mediaContainer, file, limit)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, "NotUploaded", "file", "The file was not uploaded yet.").Because(err)
	}
	if err != nil {
		return err
	}
	if kind == kindLogo {
		return checkLogo(content)
	}
	if strings.TrimSpace(name) == "" {
		return fault.New(fault.Invalid, offer.CodeRequired, "name", "A document has a name of at most %d characters.", maxFileName)
	}
	if !bytes.HasPrefix(content, []byte("%PDF-")) { // SAS-24
		return fault.New(fault.Invalid, "NotPDF", "file", "The document is not a PDF.")
	}
	return nil
}

// checkLogo wants a square PNG of 216 to 350 pixels by its bytes (SAS-22, SAS-23).
func checkLogo(content []byte) error {
	config, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return fault.New(fault.Invalid, "NotPNG", "file", "The logo is not a PNG image.").Because(err)
	}
	if config.Width != config.Height || config.Width < logoMin || config.Width > logoMax {
		return fault.New(fault.Invalid, "WrongImageSize", "file", "The logo has %d x %d pixels; it must be square with sides of %d to %d.", config.Width, config.Height, logoMin, logoMax)
	}
	return nil
}

// take puts the file into the listing. The same document again only changes its name.
func take(c *offer.Content, kind, file, name string) error {
	if kind == kindLogo {
		c.Listing.LargeLogo = file
		return nil
	}
	at := slices.IndexFunc(c.Listing.Documents, func(f offer.File) bool { return f.Blob == file })
	switch {
	case at >= 0:
		c.Listing.Documents[at].Name = name
	case len(c.Listing.Documents) >= maxDocuments:
		return fault.New(fault.Invalid, offer.CodeLimit, "listing.documents", "An offer has at most %d documents.", maxDocuments)
	default:
		c.Listing.Documents = append(c.Listing.Documents, offer.File{Name: name, Blob: file})
	}
	return nil
}

// packageReport answers what validation found of a package; 404 until it has run.
func (h *Handler) packageReport(w http.ResponseWriter, r *http.Request) error {
	record, report, err := h.deps.Packages.Report(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"), r.PathValue("name"))
	if err != nil {
		return err
	}
	state := "Processed"
	if record.Blocking {
		state = "ProcessFailed"
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{
		"name": record.Name, "state": state, "etag": record.ETag, "validatedAt": record.At, "findings": report.Findings, "blocking": report.Blocking,
	})
}
