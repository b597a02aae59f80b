package dynamics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

const (
	maxAssets = 300 << 20
	workbook  = "xl/workbook.xml"
)

// Assets is what the validation assets of an Operations offer hold.
type Assets struct {
	Reports   int `json:"reports"`   // customization analysis reports
	Texts     int `json:"texts"`     // plain texts
	Documents int `json:"documents"` // PDF and Word
	Images    int `json:"images"`    // screenshots
}

// entryKinds are the files that an archive of assets may hold, and what they begin with.
var entryKinds = map[string]struct {
	start []byte // nil for any
	count func(*Assets) *int
}{
	".xls":  {compoundFile, func(a *Assets) *int { return &a.Reports }},
	".xlsx": {zipEntry, func(a *Assets) *int { return &a.Reports }},
	".txt":  {nil, func(a *Assets) *int { return &a.Texts }},
	".doc":  {compoundFile, func(a *Assets) *int { return &a.Documents }},
	".docx": {zipEntry, func(a *Assets) *int { return &a.Documents }},
	".pdf":  {pdfMark, func(a *Assets) *int { return &a.Documents }},
	".jpg":  {jpegStart, func(a *Assets) *int { return &a.Images }},
	".jpeg": {jpegStart, func(a *Assets) *int { return &a.Images }},
}

// ValidateAssets looks at the validation assets of an Operations offer: one report, or an archive of reports and
// evidence (DYN-43). The error is that of the source or of the context.
func ValidateAssets(ctx context.Context, f File, report *finding.Report) (Assets, error) {
	if !f.check(maxAssets, report, ".xls", ".xlsx", ".zip") {
		return Assets{}, nil
	}
	head, err := f.head()
	if err != nil {
		return Assets{}, err
	}
	if f.extension() == ".xls" {
		if !bytes.HasPrefix(head, compoundFile) {
			report.Add("OPS_ASSET_FORMAT", f.at(), "The file begins with % x; an .xls begins with % x.", head[:min(len(head), len(compoundFile))], compoundFile)
			return Assets{}, nil
		}
		return Assets{Reports: 1}, nil
	}
	if !bytes.HasPrefix(head, []byte("PK")) {
		report.Add("OPS_ASSET_FORMAT", f.at(), "The file is named %s and is no zip archive, as both .xlsx and .zip are.", f.extension())
		return Assets{}, nil
	}
	tree, err := archive.Open(ctx, f.Bytes, f.Size, report)
	switch {
	case err != nil || tree == nil:
		return Assets{}, err
	case tree.Fold(workbook) != nil: // a .zip that is an .xlsx in truth counts as one report
		return Assets{Reports: 1}, nil
	case f.extension() == ".xlsx":
		report.Add("OPS_ASSET_FORMAT", f.at(), "The file is a zip archive without a part %s.", workbook)
		return Assets{}, nil
	}
	return checkEntries(ctx, tree, report)
}

// checkEntries looks at the files of an archive of assets.
func checkEntries(ctx context.Context, tree *content.Tree, report *finding.Report) (found Assets, err error) {
	for _, f := range tree.Files() {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		extension := strings.ToLower(path.Ext(f.Name))
		kind, known := entryKinds[extension]
		if !known {
			report.Add("OPS_ZIP_ENTRY_TYPE", finding.Place{File: f.Name}, "The name ends in %s; .xls, .xlsx, .txt, .doc, .docx, .pdf, .jpg and .jpeg are allowed.", quoted(extension))
			continue
		}
		fits, err := begins(f, kind.start)
		if err != nil {
			return found, err
		}
		if !fits {
			report.Add("OPS_ZIP_ENTRY_TYPE", finding.Place{File: f.Name}, "The file is named %s and does not begin like one.", extension)
			continue
		}
		*kind.count(&found)++
	}
	if found.Reports == 0 {
		report.Add("OPS_ZIP_NO_REPORT", finding.Place{}, "None of the %d files of the archive is an .xls or .xlsx.", len(tree.Files()))
	}
	return found, nil
}

// begins reports whether a file begins with a mark; that of a PDF may stand a little later.
func begins(f *content.File, mark []byte) (bool, error) {
	if mark == nil {
		return true, nil
	}
	r, err := f.Open()
	if err != nil {
		return false, fmt.Errorf("open %s: %w", f.Name, err)
	}
	defer r.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("read %s: %w", f.Name, err)
	}
	if slices.Equal(mark, pdfMark) {
		return bytes.Contains(head[:n], mark), nil
	}
	return bytes.HasPrefix(head[:n], mark), nil
}

// Evidence is what a publisher gives for the functional validation of an Operations offer.
type Evidence struct {
	WasLive     bool     // the offer was live before
	CallSlots   int      // times offered for a call
	DemoVideo   bool     // the address of a video is given
	LCSAccess   bool     // certification may look into Lifecycle Services itself
	Screenshots []string // sections of Lifecycle Services that a screenshot is given of
	Assets      Assets   // which may hold the address and the screenshots instead
}

// CheckFunctional looks whether a first publish brings a call, or a video with evidence from Lifecycle Services
// (DYN-44, DYN-47).
func CheckFunctional(e Evidence, report *finding.Report) {
	if e.WasLive || e.CallSlots > 0 {
		return
	}
	at := finding.Place{File: "functionalValidation"}
	if !e.DemoVideo && e.Assets.Texts+e.Assets.Documents == 0 {
		report.Add("OPS_FUNCTIONAL_MISSING", at, "The offer has neither a time for a call nor a demo video.")
		return
	}
	var missing []string
	for _, section := range constants.LCSSections {
		if section.Required && !slices.Contains(e.Screenshots, section.Key) {
			missing = append(missing, section.Key)
		}
	}
	if len(missing) > 0 && !e.LCSAccess && e.Assets.Documents+e.Assets.Images == 0 {
		report.Add("OPS_FUNCTIONAL_MISSING", at, "Screenshots of Lifecycle Services are missing: %s.", listed(missing))
	}
}
