package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"stoa/shared/fault"
	"stoa/shared/packages/managedapp"
	"stoa/shared/publish"
)

const (
	definitionBlobs = "definitions"
	maxDefinition   = 1 << 20
)

// DefinitionFiles are the containers that application definitions are kept in.
type DefinitionFiles interface {
	Put(ctx context.Context, container, name string, r io.Reader, contentType string) error
	Read(ctx context.Context, container, name string, limit int64) ([]byte, error)
}

// Definitions keeps the application definitions of managed applications as blobs.
type Definitions struct{ blobs DefinitionFiles }

// NewDefinitions makes definitions over blobs.
func NewDefinitions(blobs DefinitionFiles) *Definitions { return &Definitions{blobs: blobs} }

func definitionBlob(n publish.DefinitionName) string {
	return n.PublisherID + "/" + n.OfferID + "/" + n.PlanID + "/" + n.Version + "/" + n.Cloud + ".json"
}

// PutDefinition implements publish.Definitions.
func (s *Definitions) PutDefinition(ctx context.Context, n publish.DefinitionName, d managedapp.Definition) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write the definition of %s: %w", n.PlanID, err)
	}
	return s.blobs.Put(ctx, definitionBlobs, definitionBlob(n), bytes.NewReader(raw), "application/json")
}

// Definition reads a definition. NotFound.
func (s *Definitions) Definition(ctx context.Context, n publish.DefinitionName) (d managedapp.Definition, err error) {
	raw, err := s.blobs.Read(ctx, definitionBlobs, definitionBlob(n), maxDefinition)
	if fault.Is(err, fault.Invalid) { // a name that no blob can have
		err = fault.New(fault.NotFound, "NotFound", "planId", "There is no such definition.").Because(err)
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("read the definition of %s: %w", n.PlanID, err)
	}
	return d, nil
}
