// Package packages validates uploaded packages when they arrive in the container packages (AZA-100).
//
// At least once. The same blob finds the same report under the same name and links it again. A blob that is gone
// is settled. The content the host puts into the envelope is damaged by its reading as text and never used: the
// blob is opened by its path (HST-25). A package that fails five times ends in the host's poison queue.
//
// function.json names no source: the local stack polls, and an app setting cannot switch to Event Grid, so the
// deployed bundle polls as well unless its build adds "source": "EventGrid".
package packages

import (
	"context"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/packages"
)

// Validator validates one uploaded package.
type Validator interface {
	Run(ctx context.Context, publisherID, offerID, name string) (packages.Record, error)
}

// Handler is the trigger of the container.
type Handler struct{ Packages Validator }

// Run validates one package. Nil settles the event, an error brings it back. A second delivery writes the same.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	publisher, offer, name := in.Param("publisher"), in.Param("offer"), in.Param("name")
	if publisher == "" || offer == "" || name == "" || strings.Contains(name, "/") {
		return nil // no package of an offer: nothing that a later delivery would change
	}
	_, err := h.Packages.Run(ctx, publisher, offer, name)
	if fault.Is(err, fault.NotFound) {
		return nil // deleted in between
	}
	return err
}
