package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"

	"stoa/shared/fault"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
)

// Link is a package that stays with its publisher, at an address that carries its own right to be read (DYN-37). It is
// kept sealed, as an upload like others.
type Link struct {
	URL      string `json:"url"`
	Multiple bool   `json:"multiplePackages"` // the file holds several packages (DYN-40)
}

// Secrets seals what must not be read where it is kept.
type Secrets interface {
	Seal(plain, context string) (string, error)
	Open(sealed, context string) (string, error)
}

const (
	linkEnding = ".url"
	maxLink    = 4096     // characters of an address
	maxSealed  = 16 << 10 // bytes of a sealed link
)

// Follow keeps a link under an id, as what is to be validated, and returns the name of the upload. Invalid when it is no
// address. What is behind it is found out by validation.
func (s *Service) Follow(ctx context.Context, publisherID, offerID, id string, l Link) (name string, err error) {
	if u, err := url.Parse(l.URL); err != nil || u.Scheme == "" || u.Host == "" || len(l.URL) > maxLink {
		return "", fault.New(fault.Invalid, "InvalidValue", "url", "The value is an absolute address of at most %d characters.", maxLink)
	}
	name = id + linkEnding
	raw, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("keep the link %s: %w", name, err)
	}
	blob := publisherID + "/" + offerID + "/" + name
	sealed, err := s.Secrets.Seal(string(raw), blob)
	if err != nil {
		return "", fmt.Errorf("seal the link %s: %w", name, err)
	}
	return name, s.Uploads.PutPackage(ctx, blob, []byte(sealed))
}

// follow validates the package that an upload leads to, and keeps a copy of one that is accepted: what is published is
// what was looked at, however long its link lives (DYN-38).
func (r *run) follow(ctx context.Context) error {
	r.report, r.subject = finding.New(customerEngagement), Package{}
	sealed := make([]byte, min(r.upload.Size, maxSealed))
	if n, err := r.upload.ReadAt(sealed, 0); n < len(sealed) {
		return fmt.Errorf("read the link %s: %w", r.blob, err)
	}
	var l Link
	plain, err := r.Secrets.Open(string(sealed), r.blob)
	if err != nil || json.Unmarshal([]byte(plain), &l) != nil {
		r.report.Add("CE_URL_INVALID", finding.Place{}, "The upload is no link that was given to be validated.")
		return nil
	}
	fetched, err := dynamics.Fetch(ctx, r.Links, l.URL, r.Now(), r.report)
	if err != nil || fetched == nil {
		return err
	}
	r.subject = Package{Name: path.Base(fetched.Name), Bytes: fetched.Bytes, Size: fetched.Size}
	if _, err := fetched.Validate(ctx, dynamics.Options{Now: r.Now(), Multiple: l.Multiple}, r.report); err != nil || r.report.Blocking {
		return err
	}
	name := r.blob + "/" + r.version + ".zip"
	err = r.Processed.PutProcessed(ctx, name, func(w io.Writer) error {
		_, err := fetched.Copy(ctx, w, r.report)
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the package behind %s: %w", r.blob, err)
	}
	if !r.report.Blocking {
		r.record.Processed = name
	}
	return nil
}
