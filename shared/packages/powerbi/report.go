package powerbi

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

const (
	maxQuery   = 4 << 20 // bytes of the query text that are read
	queryPart  = "Formulas/Section1.m"
	mashupHead = 8 // version and length before the inner zip
)

// sample is a PBIX under inspection.
type sample struct {
	tree   *content.Tree
	visual Visual // of the PBIVIZ
	report *finding.Report
}

// ValidateReport looks at an open sample report of a visual (PBV-17, PBV-21, PBV-22). The error is that of the source.
func ValidateReport(tree *content.Tree, visual Visual, report *finding.Report) error {
	s := &sample{tree: tree, visual: visual, report: report}
	layout := s.checkParts()
	if layout == nil {
		return nil
	}
	for _, check := range []func(*content.File) error{s.checkVisual, s.checkConnections, s.checkMashup} {
		if err := check(layout); err != nil {
			return err
		}
	}
	return nil
}

// checkParts looks for the parts a report has, and returns its layout.
func (s *sample) checkParts() *content.File {
	for _, name := range constants.Report.RequiredParts {
		if s.tree.File(name) == nil {
			s.report.Add("PBIX_INVALID", finding.Place{}, "The report has no part %s.", name)
			return nil
		}
	}
	for _, name := range constants.Report.ModelParts {
		if s.tree.File(name) == nil {
			s.report.Add("PBIX_NO_MODEL", finding.Place{}, "The report has no part %s.", name)
		}
	}
	for _, name := range constants.Report.LayoutParts {
		if f := s.tree.File(name); f != nil {
			return f
		}
	}
	s.report.Add("PBIX_INVALID", finding.Place{}, "The report has neither of the parts %s.", strings.Join(constants.Report.LayoutParts, " and "))
	return nil
}

// read reads a part as text, from UTF-16 where it is that. Nil when it is too long to be looked at.
func read(f *content.File) ([]byte, error) {
	raw, err := f.Read()
	if errors.Is(err, content.ErrTooLong) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeText(raw), nil
}

// decodeText turns UTF-16LE, with or without a byte-order mark, into UTF-8 and leaves other text as it is.
func decodeText(raw []byte) []byte {
	marked := bytes.HasPrefix(raw, []byte{0xff, 0xfe})
	if !marked && (len(raw) < 2 || raw[1] != 0) {
		return raw
	}
	if marked {
		raw = raw[2:]
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// parsed reads a part that is JSON; nil when it is not.
func parsed(f *content.File) (*content.Document, error) {
	raw, err := read(f)
	if err != nil || raw == nil {
		return nil, err
	}
	return content.Parse(f.Name, raw, finding.New("")), nil
}

// checkVisual looks for the visual inside the report (PBV-21).
func (s *sample) checkVisual(layout *content.File) error {
	for _, f := range s.tree.Files() {
		rest, inside := strings.CutPrefix(f.Name, constants.Report.VisualPrefix)
		if !inside || strings.Count(rest, "/") != 1 || f.Base() != packageJSON {
			continue
		}
		doc, err := parsed(f)
		if err != nil {
			return err
		}
		if doc == nil || text(doc.Root, "visual", "guid") != s.visual.GUID {
			continue
		}
		if version := text(doc.Root, "visual", "version"); version != s.visual.Version {
			s.report.Add("PBIX_VISUAL_VERSION", doc.Place("/visual/version", node(doc.Root, "visual", "version")), "The report holds the version %q; the package is %q.", version, s.visual.Version)
		}
		return nil
	}
	doc, err := parsed(layout)
	if err != nil {
		return err
	}
	if doc != nil && s.visual.GUID != "" && namesStoreVisual(doc.Root, s.visual.GUID) {
		s.report.Add("PBIX_VISUAL_FROM_STORE", finding.Place{File: layout.Name}, "The visual %s is only named in publicCustomVisuals.", s.visual.GUID)
		return nil
	}
	s.report.Add("PBIX_VISUAL_MISSING", finding.Place{}, "The report does not hold the visual %s.", s.visual.GUID)
	return nil
}

// namesStoreVisual reports whether a list publicCustomVisuals, at any depth or in a text that is JSON itself, names
// the visual.
func namesStoreVisual(root *jsondoc.Node, guid string) bool {
	found := false
	root.Walk(func(n *jsondoc.Node) {
		for _, m := range n.Members {
			if m.Key != "publicCustomVisuals" {
				continue
			}
			for _, item := range items(m.Value) {
				found = found || item.Is(jsondoc.String) && item.Text == guid
			}
		}
		if n.Kind == jsondoc.String && strings.Contains(n.Text, "publicCustomVisuals") {
			if inner, _ := jsondoc.Parse([]byte(n.Text)); inner != nil && inner.Kind == jsondoc.Object {
				found = found || namesStoreVisual(inner, guid)
			}
		}
	})
	return found
}

// checkConnections looks for live connections (PBV-22).
func (s *sample) checkConnections(*content.File) error {
	f := s.tree.File(constants.Report.Connections)
	if f == nil {
		return nil
	}
	doc, err := parsed(f)
	if err != nil || doc == nil {
		return err
	}
	for i, c := range items(member(doc.Root, "Connections")) {
		if kind := text(c, "ConnectionType"); strings.HasSuffix(kind, constants.Report.LiveSuffix) {
			s.report.Add("PBIX_EXTERNAL_CONNECTION", doc.Place(fmt.Sprintf("/Connections/%d", i), c), "The connection %q has the type %s.", text(c, "Name"), kind)
		}
	}
	return nil
}

// checkMashup looks for queries that leave the file (PBV-22).
func (s *sample) checkMashup(*content.File) error {
	f := s.tree.File(constants.Report.Mashup)
	if f == nil || f.Size > content.MaxInMemory {
		return nil
	}
	raw, err := f.Read()
	if err != nil {
		return err
	}
	query := innerQuery(raw)
	for _, function := range constants.Report.External {
		if at := bytes.Index(query, []byte(function)); at >= 0 {
			line, column := jsondoc.Position(query, at)
			s.report.Add("PBIX_EXTERNAL_QUERY", finding.Place{File: f.Name, Path: "/" + queryPart, Line: line, Column: column}, "The query calls %s.", function)
			return nil
		}
	}
	return nil
}

// innerQuery is the query text of a mashup: a zip behind eight bytes, of which the last four are its length. Nil when
// it cannot be read.
func innerQuery(raw []byte) []byte {
	if len(raw) < mashupHead {
		return nil
	}
	length := binary.LittleEndian.Uint32(raw[4:])
	if uint64(length) > uint64(len(raw)-mashupHead) {
		return nil
	}
	inner := raw[mashupHead : mashupHead+int(length)]
	archive, err := zip.NewReader(bytes.NewReader(inner), int64(len(inner)))
	if err != nil {
		return nil
	}
	r, err := archive.Open(queryPart)
	if err != nil {
		return nil
	}
	defer r.Close()
	query, err := io.ReadAll(io.LimitReader(r, maxQuery))
	if err != nil {
		return nil
	}
	return query
}
