// Package offers serves everything about offers: the Cloud Partner Portal API (CPP-1 to CPP-49), the pages of the
// portal, what the storefront shows of live offers, and what staff do: certification and announcements.
//
// Handlers decode, call one operation of offer or publish, and encode. The wire shapes of the portal API live
// here, apart from the domain.
//
// Readings: the portal API serves no SaaS offers and Azure applications for writing (CPP-1), but reads them back,
// so that their ETag and state can be seen; a write answers 400 OfferTypeNotSupported. Portal writes compare
// If-Match when it is sent; only the portal API requires it. A publish operation that waits for sign-off reads
// waitingForPublisherReview, and completed in the list of submissions. All offers count as migrated. Bad input whose
// field has a name comes with one detail, which CPP-7 does not have and does not forbid. Where a body may be absent
// (publish, go live, cancel) a chunked one is absent, because the host swallows it (HST-12).
package offers

import (
	"context"
	"net/http"
	"time"

	"stoa/shared/account"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/web"
)

// Catalogue reads offers beside their drafts.
type Catalogue interface {
	offer.Reader
	offer.Store
	publish.Store
	publish.Board
}

// Links makes links for up- and download that need no token.
type Links interface {
	UploadLink(container, name string, life time.Duration) (string, error)
	DownloadLink(container, name string, life time.Duration) (string, error)
}

// Files reads uploaded files, and keeps those that are made of them. PutNew is a Conflict for a name that is there.
type Files interface {
	Read(ctx context.Context, container, name string, limit int64) ([]byte, error)
	PutNew(ctx context.Context, container, name string, data []byte, contentType string) error
}

// Allower decides what a caller may do for a publisher.
type Allower interface {
	Allow(ctx context.Context, caller account.Caller, publisherID string, p account.Permission) error
}

// Deps are what the handler needs; all are required.
type Deps struct {
	Offers    *offer.Service
	Publish   *publish.Service
	Catalogue Catalogue
	Links     Links
	Files     Files
	Accounts  Allower
	Alerts    func(ctx context.Context, publisherID, offerID string) (int, error) // anomalies of usage that wait for a decision
	Pages     web.Pages
	Now       func() time.Time
	NewID     func() string
}

// Handler serves the routes. Safe for concurrent use.
type Handler struct{ deps Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{deps: d} }

// Permissions of the routes (PUB-69).
const (
	mayRead   account.Permission = "offer.read"
	mayCreate account.Permission = "offer.create"
	mayEdit   account.Permission = "offer.edit"
	maySubmit account.Permission = "offer.submit"
	mayUpload account.Permission = "package.upload"
)

// by names the caller for the history.
func by(r *http.Request) string {
	c := web.Caller(r.Context())
	switch {
	case c.Name != "":
		return c.Name
	case c.UPN != "":
		return c.UPN
	}
	return c.AppID
}

// draft names the draft of the request.
func draft(r *http.Request) offer.DraftRef {
	return offer.DraftRef{PublisherID: r.PathValue("publisherId"), OfferID: r.PathValue("offerId"), IfMatch: web.IfMatch(r), By: by(r)}
}

// request names the offer of a publishing request.
func request(r *http.Request) publish.Request {
	return publish.Request{PublisherID: r.PathValue("publisherId"), OfferID: r.PathValue("offerId"), IfMatch: web.IfMatch(r), By: by(r)}
}

// underway is the submission that the offer's status speaks of, nil when it was never submitted.
func (h *Handler) underway(ctx context.Context, o *offer.Offer) (*publish.Submission, error) {
	if o.Submission == 0 {
		return nil, nil
	}
	sub, err := h.deps.Publish.Underway(ctx, o)
	return &sub, err
}
