package offers

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/web"
)

// Kinds of upload.
const (
	kindLogo       = "largeLogo"
	kindMediumLogo = "mediumLogo"
	kindSmallLogo  = "smallLogo"
	kindScreenshot = "screenshot"
	kindThumbnail  = "videoThumbnail"
	kindDocument   = "document"
	kindPackage    = "package"

	mediaContainer   = "media"
	packageContainer = "packages"
	linkLife         = time.Hour
	maxDocument      = 20 << 20
	maxDocuments     = 3
	maxScreenshots   = 5
	maxFile          = 1024 // characters of a blob's name
	maxFileName      = 255  // characters of the name that customers see
)

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._()-]{0,99}$`)

// upload answers a link to put a file to. Packages are validated when they have arrived; other files are
// confirmed with PUT listing/assets.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Kind     string        `json:"kind"`
		FileName string        `json:"fileName"`
		Slot     packages.Slot `json:"slot"` // of a package, where the offer takes several
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
	case kindLogo, kindMediumLogo, kindSmallLogo, kindScreenshot, kindThumbnail, kindDocument:
		name = assetFolder(o.PublisherID, o.OfferID, in.Kind) + h.deps.NewID() + "/" + in.FileName
	case kindPackage:
		file, err := packages.UploadName(in.Slot, in.FileName)
		if err != nil {
			return err
		}
		container, name = packageContainer, o.PublisherID+"/"+o.OfferID+"/"+file
	default:
		return fault.New(fault.Invalid, offer.CodeInvalid, "kind", "The kind is %s, document or package.", strings.Join(imageKinds, ", "))
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

// asset takes an uploaded picture or document into the listing after a look at its bytes (SAS-22 to SAS-24). The name
// is that of a document and the caption of a screenshot.
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
	if in.Kind != kindDocument && !slices.Contains(imageKinds, in.Kind) {
		return fault.New(fault.Invalid, offer.CodeInvalid, "kind", "The kind is %s or document.", strings.Join(imageKinds, ", "))
	}
	if !strings.HasPrefix(in.File, assetFolder(d.PublisherID, d.OfferID, in.Kind)) || strings.Contains(in.File, "..") || len(in.File) > maxFile {
		return fault.New(fault.Invalid, offer.CodeInvalid, "file", "The file must be one that was uploaded for this offer and kind.")
	}
	if utf8.RuneCountInString(in.Name) > maxFileName {
		return tooLong("name", maxFileName)
	}
	content, err := h.checkAsset(r, in.Kind, in.File, in.Name)
	if err != nil {
		return err
	}
	if in.Kind == kindLogo {
		if err := h.shrink(r.Context(), in.File, content); err != nil {
			return err
		}
	}
	o, err := h.deps.Offers.Edit(r.Context(), d, func(c *offer.Content) error { return take(c, in.Kind, in.File, in.Name) })
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

// checkAsset reads an uploaded file and looks at its bytes.
func (h *Handler) checkAsset(r *http.Request, kind, file, name string) ([]byte, error) {
	limit := int64(maxImage)
	if kind == kindDocument {
		limit = maxDocument
	}
	content, err := h.deps.Files.Read(r.Context(), mediaContainer, file, limit)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Invalid, "NotUploaded", "file", "The file was not uploaded yet.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if (kind == kindDocument || kind == kindScreenshot) && strings.TrimSpace(name) == "" {
		return nil, fault.New(fault.Invalid, offer.CodeRequired, "name", "A document has a name, and a screenshot a caption, of at most %d characters.", maxFileName)
	}
	if kind != kindDocument {
		return content, checkImage(kind, content)
	}
	if !bytes.HasPrefix(content, []byte("%PDF-")) { // SAS-24
		return nil, fault.New(fault.Invalid, "NotPDF", "file", "The document is not a PDF.")
	}
	return content, nil
}

// take puts the file into the listing. The same file again only changes its name. A video's thumbnail is named when
// the video is saved.
func take(c *offer.Content, kind, file, name string) error {
	l := &c.Listing
	switch kind {
	case kindLogo:
		l.TakeLogo(file, scaledName(file, mediumSide), scaledName(file, smallSide))
	case kindMediumLogo:
		l.MediumLogo, l.OwnMedium = file, true
	case kindSmallLogo:
		l.SmallLogo, l.OwnSmall = file, true
	case kindScreenshot:
		at := slices.IndexFunc(l.Screenshots, func(s offer.Screenshot) bool { return s.Blob == file })
		switch {
		case at >= 0:
			l.Screenshots[at].Caption = name
		case len(l.Screenshots) >= maxScreenshots:
			return fault.New(fault.Invalid, offer.CodeLimit, "listing.screenshots", "An offer has at most %d screenshots.", maxScreenshots)
		default:
			l.Screenshots = append(l.Screenshots, offer.Screenshot{Blob: file, Caption: name})
		}
	case kindDocument:
		return takeDocument(l, file, name)
	}
	return nil
}

func takeDocument(l *offer.Listing, file, name string) error {
	at := slices.IndexFunc(l.Documents, func(f offer.File) bool { return f.Blob == file })
	switch {
	case at >= 0:
		l.Documents[at].Name = name
	case len(l.Documents) >= maxDocuments:
		return fault.New(fault.Invalid, offer.CodeLimit, "listing.documents", "An offer has at most %d documents.", maxDocuments)
	default:
		l.Documents = append(l.Documents, offer.File{Name: name, Blob: file})
	}
	return nil
}
