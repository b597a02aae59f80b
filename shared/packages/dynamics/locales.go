package dynamics

import (
	"bytes"
	"errors"
	"image"
	_ "image/jpeg" // logos may be JPEG
	_ "image/png"  // or PNG
	"strconv"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/xmldoc"
)

const logoSide = 32 // pixels

// checkLocales looks at the languages of the package, the logo and the license terms of each.
func (in *input) checkLocales(facts *Package) error {
	list := in.doc.Root.Child("Locales")
	locales := list.All("PackageLocale")
	if len(locales) == 0 {
		in.add("CE_LOCALE_NONE", in.doc, spot{element: list}, "The package has no PackageLocale.")
		return nil
	}
	seen, looked, defaults := map[int]bool{}, map[*content.File]bool{}, 0
	for _, l := range locales {
		if code := in.localeCode(l); code > 0 && seen[code] {
			in.add("CE_LOCALE_DUPLICATE", in.doc, spot{l, "Code"}, "The locale %d stands twice.", code)
		} else if code > 0 {
			seen[code] = true
			facts.Locales = append(facts.Locales, code)
		}
		if strings.EqualFold(l.Attr("IsDefault"), "true") {
			defaults++
		}
		if err := in.checkLogo(l, looked); err != nil {
			return err
		}
		in.checkTerms(l)
	}
	if defaults != 1 {
		in.add("CE_LOCALE_DEFAULT", in.doc, spot{element: list}, "%d of the locales are the default; exactly one must be.", defaults)
	}
	return nil
}

// localeCode reads the number of a language; 0 after a finding.
func (in *input) localeCode(l *xmldoc.Element) int {
	text := l.Attr("Code")
	code, err := strconv.ParseUint(text, 10, 31)
	if err != nil || code == 0 || strings.HasPrefix(text, "0") {
		in.add("CE_LOCALE_CODE", in.doc, spot{l, "Code"}, "The code of the locale is %s; it must be a decimal number such as 1033.", quoted(text))
		return 0
	}
	return int(code)
}

// named is the file at the root that an element names; nil after a finding under the code. A name that is not there
// is a missing element.
func (in *input) named(name string, at spot, what, code string) *content.File {
	if name == "" {
		in.add("CE_INPUT_XML_INVALID", in.doc, at, "The locale has no %s.", what)
		return nil
	}
	f := in.box.rootFile(name)
	if f == nil {
		in.add(code, in.doc, at, "There is no file %s at the root of the package.", quoted(name))
	}
	return f
}

// checkLogo looks at the logo of a locale. A file that several locales name is looked at once.
func (in *input) checkLogo(l *xmldoc.Element, looked map[*content.File]bool) error {
	at := spot{element: l}
	if e := l.Child("Logo"); e != nil {
		at.element = e
	}
	f := in.named(l.Content("Logo"), at, "Logo", "CE_LOGO_MISSING")
	if f == nil || looked[f] {
		return nil
	}
	looked[f] = true
	raw, err := f.Read()
	if err != nil && !errors.Is(err, content.ErrTooLong) {
		return err
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(raw))
	switch {
	case err != nil || kind != "png" && kind != "jpeg":
		in.report.Add("CE_LOGO_FORMAT", in.fileAt(f), "The logo decodes neither as PNG nor as JPEG.")
	case config.Width != logoSide || config.Height != logoSide:
		in.report.Add("CE_LOGO_SIZE", in.fileAt(f), "The logo is %d x %d; it must be %d x %d.", config.Width, config.Height, logoSide, logoSide)
	default:
		if _, _, err := image.Decode(bytes.NewReader(raw)); err != nil {
			in.report.Add("CE_LOGO_FORMAT", in.fileAt(f), "The logo is damaged: its head decodes, its pixels do not.")
		}
	}
	return nil
}

// checkTerms looks at the license terms of a locale.
func (in *input) checkTerms(l *xmldoc.Element) {
	terms := l.Child("Terms")
	list := terms.All("PackageTerm")
	if len(list) == 0 {
		at := spot{element: l}
		if terms != nil {
			at.element = terms
		}
		in.add("CE_INPUT_XML_INVALID", in.doc, at, "The locale has no PackageTerm.")
	}
	for _, e := range list {
		at := spot{e, "File"}
		f := in.named(e.Attr("File"), at, "File of a PackageTerm", "CE_TERMS_MISSING")
		if f == nil {
			continue
		}
		why := ""
		switch {
		case !f.Has(".html", ".htm"):
			why = "its name must end in .html or .htm"
		case f.Size == 0:
			why = "it is empty"
		default:
			continue
		}
		in.report.Add("CE_TERMS_NOT_HTML", in.fileAt(f), "The file with the license terms is no HTML page: %s.", why)
	}
}
