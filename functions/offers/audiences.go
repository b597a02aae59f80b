package offers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// maxAudienceFile is the most of a file of an audience, in bytes: 20,000 tenants with descriptions.
const maxAudienceFile = 3 << 20

// audiences mounts the lists of who may see a preview and a private plan, as files (SAS-27).
func (h *Handler) audiences(g *web.Group) {
	const one = portalOffers + "/{offerId}"
	g.Handle(http.MethodGet, one+"/previewAudience/csv", web.Publisher(mayRead), h.exportPreview)
	g.Handle(http.MethodPost, one+"/previewAudience/csv", web.Publisher(mayEdit), h.importPreview)
	g.Handle(http.MethodGet, one+"/plans/{planId}/audience/csv", web.Publisher(mayRead), h.exportTenants)
	g.Handle(http.MethodPost, one+"/plans/{planId}/audience/csv", web.Publisher(mayEdit), h.importTenants)
}

func (h *Handler) exportPreview(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	return writeAudience(w, offer.PreviewUsers, o.PreviewAudience)
}

func (h *Handler) exportTenants(w http.ResponseWriter, r *http.Request) error {
	p, err := h.plan(r.Context(), r)
	if err != nil {
		return err
	}
	return writeAudience(w, offer.PlanTenants, p.PrivateAudience)
}

func (h *Handler) plan(ctx context.Context, r *http.Request) (offer.Plan, error) {
	o, err := h.deps.Catalogue.Offer(ctx, r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return offer.Plan{}, err
	}
	id := r.PathValue("planId")
	p, ok := o.Plan(id)
	if !ok {
		return p, fault.New(fault.NotFound, "NotFound", "planId", "The offer has no plan %s.", id)
	}
	return p, nil
}

func writeAudience(w http.ResponseWriter, k offer.AudienceKind, ids []string) error {
	file, err := offer.ExportAudience(k, ids)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audience.csv"`)
	_, err = w.Write(file)
	return err
}

// importPreview replaces the preview audience of the draft by that of a file.
func (h *Handler) importPreview(w http.ResponseWriter, r *http.Request) error {
	ids, err := readAudience(w, r, offer.PreviewUsers)
	if err != nil {
		return err
	}
	o, err := h.deps.Offers.SavePage(r.Context(), draft(r), "previewAudience", map[string]any{"previewAudience": anyOf(ids)})
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

// importTenants replaces the audience of a private plan of the draft by that of a file.
func (h *Handler) importTenants(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.plan(r.Context(), r); err != nil {
		return err
	}
	ids, err := readAudience(w, r, offer.PlanTenants)
	if err != nil {
		return err
	}
	o, err := h.deps.Offers.SavePlan(r.Context(), draft(r), r.PathValue("planId"), map[string]any{"privateAudience": anyOf(ids)})
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

func anyOf(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// readAudience reads the file that is the body of a request.
func readAudience(w http.ResponseWriter, r *http.Request, k offer.AudienceKind) ([]string, error) {
	file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAudienceFile))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, fault.New(fault.TooLarge, "BodyTooLarge", "", "The file may have %d bytes at most.", maxAudienceFile)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "MissingBody", "", "The file did not arrive.").Because(err)
	}
	if len(bytes.TrimSpace(file)) == 0 {
		return nil, fault.New(fault.Invalid, "MissingBody", "", "The file is missing, or was sent chunked.")
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what cannot be read is none of those
	if media != "text/csv" && media != "text/plain" && media != "application/vnd.ms-excel" {
		return nil, fault.New(fault.UnsupportedType, "UnsupportedMediaType", "Content-Type", "The body must be text/csv.")
	}
	return offer.ImportAudience(k, bytes.NewReader(file))
}
