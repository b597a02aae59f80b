package vmimage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stoa/shared/packages/finding"
)

// GalleryImage is what a compute gallery says of an image version, its definition and the subscription it lies in.
type GalleryImage struct {
	TenantID            string // of the subscription
	Role                string // of the publisher's account in the subscription, by name
	IngestionRegistered bool   // the provider Microsoft.PartnerCenterIngestion is
	Generalized         bool
	Family              Family
	Generation          int
}

// Galleries looks up image versions by their resource id. A *Refused error says that the id is to blame; any other is
// the gallery's own and may pass.
type Galleries interface {
	GalleryImage(ctx context.Context, resourceID string) (GalleryImage, error)
}

// CheckGallery looks at an image that comes from a gallery (VMO-63 to VMO-65). The tenant is the publisher's. The error
// is the gallery's own.
func (p *Plan) CheckGallery(ctx context.Context, from Galleries, tenantID string, i *Image, report *finding.Report) error {
	if i.Gallery == "" {
		return nil
	}
	at := finding.Place{File: p.name(i, -1)}
	g, err := from.GalleryImage(ctx, i.Gallery)
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		report.Say(refused.Code, at, "")
		return nil
	case err != nil:
		return fmt.Errorf("look up %s: %w", i.Gallery, err)
	}
	if !strings.EqualFold(g.TenantID, tenantID) { // VMO-63
		report.Say("CFG-GALLERY-TENANT", at, "The gallery lies in the tenant %s, the account in %s.", g.TenantID, tenantID)
	}
	mayWrite := strings.EqualFold(g.Role, "Owner") || strings.EqualFold(g.Role, "Contributor")
	if !mayWrite && !g.IngestionRegistered { // VMO-64
		report.Say("CFG-GALLERY-ACCESS", at, "The role of the account is %q and the provider is not registered.", g.Role)
	}
	if !g.Generalized { // VMO-65, as what follows
		report.Say("CFG-GENERALIZED", at, "The OS state of the image definition is not Generalized.")
	}
	if g.Family != p.Family {
		report.Say("CFG-OSMAP", at, "The image is %s, the plan %s.", g.Family, p.Family)
	}
	if g.Generation != i.Generation {
		report.Say("CFG-GENERATION", at, "The image has the generation %d, the plan offers it as %d.", g.Generation, i.Generation)
	}
	return nil
}
