package dynamics

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/xmldoc"
)

const inputName = "input.xml"

// mandatory are the elements that input.xml must have, besides its locales.
var mandatory = []string{"ProviderName", "PackageFile", "SolutionAnchorName", "StartDate", "EndDate", "SupportedCountries", "LearnMoreLink"}

// input is an input.xml and the box it stands in.
type input struct {
	*validation
	box *box
	doc *xmldoc.Document
}

// value is the text of an element of the root and where it stands.
func (in *input) value(name string) (string, spot) {
	e := in.doc.Root.Child(name)
	if e == nil {
		return "", spot{}
	}
	return e.Text, spot{element: e}
}

// checkHead looks at everything but the locales.
func (in *input) checkHead(facts *Package) {
	for _, name := range mandatory {
		found := in.doc.Root.All(name)
		switch {
		case len(found) == 0:
			in.add("CE_INPUT_XML_INVALID", in.doc, spot{}, "The element %s is missing.", name)
		case len(found) > 1:
			in.add("CE_INPUT_XML_INVALID", in.doc, spot{element: found[1]}, "The element %s stands %d times.", name, len(found))
		case found[0].Text == "":
			in.add("CE_INPUT_XML_INVALID", in.doc, spot{element: found[0]}, "The element %s is empty.", name)
		}
	}
	facts.ProviderName, _ = in.value("ProviderName")
	facts.Anchor, _ = in.value("SolutionAnchorName")
	in.checkDates(facts)
	in.checkCountries(facts)
	if link, at := in.value("LearnMoreLink"); link != "" && !isWebAddress(link) {
		in.add("CE_LEARN_MORE_URL", in.doc, at, "The link is %s; it must be an absolute http or https address.", quoted(link))
	}
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// checkDates looks at the time in which the package is offered.
func (in *input) checkDates(facts *Package) {
	facts.StartDate = in.date("StartDate")
	facts.EndDate = in.date("EndDate")
	if facts.EndDate.IsZero() {
		return
	}
	_, at := in.value("EndDate")
	if !facts.StartDate.IsZero() && !facts.EndDate.After(facts.StartDate) {
		in.add("CE_DATE_RANGE", in.doc, at, "The package ends on %s and begins on %s.", facts.EndDate.Format(time.DateOnly), facts.StartDate.Format(time.DateOnly))
	}
	today := in.options.Now.UTC().Truncate(24 * time.Hour)
	if !facts.EndDate.After(today) {
		in.add("CE_END_DATE_PAST", in.doc, at, "The package ends on %s; today is %s.", facts.EndDate.Format(time.DateOnly), today.Format(time.DateOnly))
	}
}

var dateForm = regexp.MustCompile(`^\d\d([/-])\d\d([/-])\d{4}$`)

// date reads a date; zero when it is none.
func (in *input) date(name string) time.Time {
	text, at := in.value(name)
	if text == "" {
		return time.Time{} // found as missing
	}
	form := dateForm.FindStringSubmatch(text)
	t, err := time.Parse("01/02/2006", strings.ReplaceAll(text, "-", "/"))
	switch {
	case form == nil || form[1] != form[2] || err != nil:
		in.add("CE_DATE_FORMAT", in.doc, at, "The date is %s; it must be a day of the calendar as MM/DD/YYYY.", quoted(text))
		return time.Time{}
	case form[1] == "-":
		in.add("CE_DATE_DASHES", in.doc, at, "The date is %s; it is written %s.", text, t.Format("01/02/2006"))
	}
	return t
}

// checkCountries looks at the countries of the package and compares them with the markets of the offer.
func (in *input) checkCountries(facts *Package) {
	text, at := in.value("SupportedCountries")
	if text == "" {
		return // found as missing
	}
	supported := map[string]bool{}
	var unknown []string
	for _, code := range strings.Split(text, ",") {
		code = strings.ToUpper(strings.TrimSpace(code))
		switch {
		case supported[code]:
		case slices.Contains(constants.Countries, code):
			supported[code] = true
			facts.SupportedCountries = append(facts.SupportedCountries, code)
		default:
			unknown = append(unknown, quoted(code))
		}
	}
	if len(unknown) > 0 {
		in.add("CE_COUNTRY_UNKNOWN", in.doc, at, "%s cannot be named; codes are two letters, such as US, with commas between them.", listed(unknown))
	}
	var left []string
	for _, market := range in.options.Markets {
		if !supported[strings.ToUpper(market)] {
			left = append(left, market)
		}
	}
	if len(left) > 0 {
		in.add("CE_MARKET_NOT_SUPPORTED", in.doc, at, "The offer is for sale in %s, which the package does not support.", listed(left))
	}
}

// deployer is the file of the package for the Package Deployer.
func (in *input) deployer() *content.File {
	name, at := in.value("PackageFile")
	if name == "" {
		return nil // found as missing
	}
	f := in.box.rootFile(name)
	if f == nil {
		in.add("CE_PACKAGE_FILE_MISSING", in.doc, at, "There is no file %s at the root of the package.", quoted(name))
	}
	return f
}

// fileAt is the place of a file in the box.
func (in *input) fileAt(f *content.File) finding.Place { return in.box.at(f.Name) }
