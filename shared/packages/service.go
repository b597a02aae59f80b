package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"stoa/shared/fault"
	"stoa/shared/packages/finding"
)

// Upload is an uploaded package, open for reading.
type Upload struct {
	io.ReaderAt
	Size  int64
	ETag  string
	Close func() error
}

// Uploads opens uploaded packages. NotFound when it is gone.
type Uploads interface {
	OpenPackage(ctx context.Context, name string) (Upload, error)
}

// Reports keeps reports. Putting the same report again is no error.
type Reports interface {
	PutReport(ctx context.Context, name string, report []byte) error
	Report(ctx context.Context, name string) ([]byte, error)
}

// Store links packages to their offer.
type Store interface {
	SavePackage(ctx context.Context, r Record) error
	Package(ctx context.Context, publisherID, offerID, name string) (Record, error)
}

// Service validates uploaded packages. Safe for concurrent use.
type Service struct {
	Uploads Uploads
	Reports Reports
	Store   Store
	Now     func() time.Time
}

// Run validates one upload, writes its report and links it to the offer. Again, it finds the same and writes the
// same: the report's name is made of the blob's version. NotFound when the blob is gone.
func (s *Service) Run(ctx context.Context, publisherID, offerID, name string) (Record, error) {
	blob := publisherID + "/" + offerID + "/" + name
	upload, err := s.Uploads.OpenPackage(ctx, blob)
	if err != nil {
		return Record{}, fmt.Errorf("open package %s: %w", blob, err)
	}
	defer upload.Close()
	report, err := Validate(ctx, name, upload, upload.Size)
	if err != nil {
		return Record{}, fmt.Errorf("validate package %s: %w", blob, err)
	}
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	out.SetEscapeHTML(false)
	if err := out.Encode(report); err != nil {
		return Record{}, fmt.Errorf("report on %s: %w", blob, err)
	}
	version := sha256.Sum256([]byte(upload.ETag))
	record := Record{
		PublisherID: publisherID, OfferID: offerID, Name: name, ETag: upload.ETag, Blocking: report.Blocking, At: s.Now().UTC(),
		Report: blob + "/" + hex.EncodeToString(version[:8]) + ".json", Errors: report.Count(finding.Error), Warnings: report.Count(finding.Warning),
	}
	if err := s.Reports.PutReport(ctx, record.Report, body.Bytes()); err != nil {
		return Record{}, fmt.Errorf("report on %s: %w", blob, err)
	}
	return record, s.Store.SavePackage(ctx, record)
}

// Report reads the record and the report of a package. NotFound when it was not validated yet.
func (s *Service) Report(ctx context.Context, publisherID, offerID, name string) (Record, finding.Report, error) {
	record, err := s.Store.Package(ctx, publisherID, offerID, name)
	if err != nil {
		return record, finding.Report{}, err
	}
	raw, err := s.Reports.Report(ctx, record.Report)
	if err != nil {
		return record, finding.Report{}, fmt.Errorf("report on package %s: %w", name, err)
	}
	var report finding.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		return record, finding.Report{}, fmt.Errorf("report on package %s: %w", name, err)
	}
	return record, report, nil
}

// Accepted gives the version of a package that was validated without an error, or "" and why it may not be
// published. A package that was uploaded again since it was validated waits for its next validation.
func (s *Service) Accepted(ctx context.Context, publisherID, offerID, name string) (version, why string, err error) {
	record, err := s.Store.Package(ctx, publisherID, offerID, name)
	switch {
	case fault.Is(err, fault.NotFound):
		return "", "it was not validated yet", nil
	case err != nil:
		return "", "", err
	case record.Blocking:
		return "", fmt.Sprintf("validation found %d errors", record.Errors), nil
	}
	upload, err := s.Uploads.OpenPackage(ctx, publisherID+"/"+offerID+"/"+name)
	if fault.Is(err, fault.NotFound) {
		return "", "it is gone", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("open package %s: %w", name, err)
	}
	defer upload.Close()
	if upload.ETag != record.ETag {
		return "", "it was uploaded again and is not validated yet", nil
	}
	return record.ETag, "", nil
}
