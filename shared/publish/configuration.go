package publish

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"stoa/shared/offer"
)

// Pages that findings belong to.
const (
	pageOfferSetup = "offerSetup"
	pageTestDrive  = "testDrive"
	pageTechnical  = "technicalConfiguration"
	pagePlans      = "planOverview"
	pagePackages   = "planPackages"
	pageListing    = "offerListing"
)

// Limits of a test drive (TDR-11, TDR-13, TDR-17).
const (
	maxDriveHours  = 999
	maxConcurrent  = 99
	maxAccessRunes = 10_000
)

// leadFindings says why the lead destination of a content cannot take leads (LED-36), as far as its settings tell.
func (s *Service) leadFindings(c *offer.Content) (wrong, warnings []finding) {
	connection := c.LeadDestination
	d, known := offer.DestinationOf(connection.Kind)
	if known && d.ID == "blob" { // LED-23
		return nil, []finding{{code: "LeadDestinationDeprecated", page: pageOfferSetup, field: "leadDestination.leadDestination",
			text: "Azure Blob takes no new leads; they wait until another destination is chosen."}}
	}
	form := forms.destination(d.ID)
	if !known || form == nil {
		return []finding{{code: offer.CodeInvalid, page: pageOfferSetup, field: "leadDestination.leadDestination", text: "There is no such lead destination."}}, nil
	}
	if d.Contact {
		wrong = contactFindings(connection)
	}
	stored := func(key string) (bool, string) { return s.secret(c, key) }
	for _, f := range checkSettings(form.Fields, connection.Settings, stored) {
		f.page, f.field = pageOfferSetup, "leadDestination.settings."+f.field
		wrong = append(wrong, f)
	}
	return wrong, nil
}

// secret opens a sealed setting where that is possible. One that cannot be opened can no longer be used, so it
// counts as missing.
func (s *Service) secret(c *offer.Content, key string) (there bool, plain string) {
	sealed := c.LeadDestination.SealedSecrets[key]
	if sealed == "" || s.Secrets == nil {
		return sealed != "", ""
	}
	plain, err := s.Secrets.Open(sealed, offer.SecretContext(c.PublisherID, c.OfferID, key))
	return err == nil && plain != "", plain
}

// contactFindings wants a person to turn to (LED-21).
func contactFindings(connection offer.LeadDestination) []finding {
	addresses := connection.Contacts()
	at := finding{page: pageOfferSetup, field: "leadDestination.contactEmail"}
	if len(addresses) == 0 {
		at.code, at.text = offer.CodeRequired, "The lead destination has no contact e-mail address."
		return []finding{at}
	}
	var out []finding
	for i, a := range addresses {
		if formats["email"](a) != "" {
			at.code, at.text = "InvalidContactEmail", fmt.Sprintf("The contact e-mail address number %d is not an address.", i+1)
			out = append(out, at)
		}
	}
	return out
}

// testDriveFindings says what is wrong with the configuration of a test drive (TDR-36, TDR-39).
func testDriveFindings(c *offer.Content) []finding {
	drive := c.TestDrive
	var out []finding
	add := func(code, field, format string, args ...any) {
		out = append(out, finding{code: code, page: pageTestDrive, field: "testDrive." + field, text: fmt.Sprintf(format, args...)})
	}
	if d, _ := offer.DestinationOf(c.LeadDestination.Kind); d.ID == "" || d.ID == "none" { // TDR-4
		out = append(out, finding{code: "LeadConnectionRequired", page: pageOfferSetup, field: "leadDestination.leadDestination",
			text: "An offer with a test drive needs a lead destination."})
	}
	form := forms.testDrive(drive.Kind)
	if form == nil { // TDR-2
		add("TestDriveTypeNotSupported", "type", "There is no such type of test drive.")
		return out
	}
	if t, _ := offer.TypeOf(c.OfferType); !slices.Contains(form.OfferTypes, t.Phases) { // TDR-1
		add("TestDriveTypeNotAllowed", "type", "Offers of this type have no test drive of the type %s.", form.ID)
	}
	if form.Timed && (drive.DurationHours < 1 || drive.DurationHours > maxDriveHours) { // TDR-11
		add(offer.CodeInvalid, "durationHours", "The duration is 1 to %d hours.", maxDriveHours)
	}
	if form.Pooled && (drive.MaxConcurrent < 1 || drive.MaxConcurrent > maxConcurrent) { // TDR-13
		add(offer.CodeInvalid, "maxConcurrentTestDrives", "1 to %d test drives may run at the same time.", maxConcurrent)
	}
	if form.Access && strings.TrimSpace(drive.AccessInfo) == "" { // TDR-10
		add(offer.CodeRequired, "accessInformation", "The access information is missing.")
	}
	if utf8.RuneCountInString(drive.AccessInfo) > maxAccessRunes { // TDR-17
		add(offer.CodeLimit, "accessInformation", "The access information has at most %d characters.", maxAccessRunes)
	}
	none := func(string) (bool, string) { return false, "" }
	for _, f := range checkSettings(form.Fields, drive.Settings, none) {
		add(f.code, "settings."+f.field, "%s", f.text)
	}
	return out
}

// provisioningWarnings tells of a test drive that customers will find unavailable.
func provisioningWarnings(c *offer.Content) []finding {
	if form := forms.testDrive(c.TestDrive.Kind); form != nil && !form.Runs {
		return []finding{{code: "TestDriveUnavailable", page: pageTestDrive, field: "testDrive.type",
			text: "Test drives of the type " + form.ID + " are not run here. Customers see it as unavailable."}}
	}
	return nil
}
