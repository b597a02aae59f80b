package lead

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Customer is what the customer says about themselves. Only Email is required (LED-9).
type Customer struct {
	FirstName string `json:"FirstName"`
	LastName  string `json:"LastName"`
	Email     string `json:"Email"`
	Phone     string `json:"Phone"`
	Country   string `json:"Country"`
	Company   string `json:"Company"`
	Title     string `json:"Title"`
}

// Event is a customer's action in a storefront (3.3).
type Event struct {
	EventID       string // 1 to 128 characters, unique for the action of the customer
	By            string // who acts; their event ids are their own, nobody meets the lead of another
	Source        Source
	CallToAction  CallToAction
	PublisherID   string
	OfferID       string
	PlanID        string
	Slot          offer.Slot // Preview or Production; empty is Production
	OccurredAt    time.Time  // zero is now
	ConsentGiven  bool
	Customer      Customer
	Note          string
	CrossListedOn string // publisherId.offerId of the app page where the partner was asked (LED-8)
	SessionID     string // of a test drive
}

// Limits of an event, in characters.
const (
	maxEventID = 128
	maxID      = 50 // of publisher, offer and plan
	maxField   = 256
	maxNote    = 2000
	maxEmail   = 254
	ahead      = 5 * time.Minute // how far OccurredAt may be in the future
)

var (
	emailForm   = regexp.MustCompile(`^[^\s@<>()\[\]",;:\\]+@[^\s@<>()\[\]",;:\\.]+(\.[^\s@<>()\[\]",;:\\.]+)+$`)
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
)

// fields are the customer's fields with their names, in the order of 3.1.
func (c *Customer) fields() []struct {
	name  string
	value *string
} {
	return []struct {
		name  string
		value *string
	}{
		{"FirstName", &c.FirstName}, {"LastName", &c.LastName}, {"Email", &c.Email}, {"Phone", &c.Phone},
		{"Country", &c.Country}, {"Company", &c.Company}, {"Title", &c.Title},
	}
}

// Check returns the customer cleaned up: trimmed, without control characters, the country in capitals (LED-17).
// The error is Invalid "InvalidCustomer" with a detail per field that is not acceptable.
func (c Customer) Check() (Customer, error) {
	var found fault.Findings
	for _, f := range c.fields() {
		*f.value = clean(*f.value, false)
		if utf8.RuneCountInString(*f.value) > maxField {
			found.Add("InvalidCustomer", "customer."+f.name, "may have %d characters at most", maxField)
		}
	}
	c.Country = strings.ToUpper(c.Country)
	if len(c.Email) > maxEmail || !emailForm.MatchString(c.Email) {
		found.Add("InvalidCustomer", "customer.Email", "must be an e-mail address")
	}
	if c.Country != "" && !countryForm.MatchString(c.Country) {
		found.Add("InvalidCustomer", "customer.Country", "must be a country code of two letters, such as US")
	}
	return c, found.Err(fault.Invalid, "InvalidCustomer", "The customer's data is not acceptable.")
}

// clean trims a value and removes control characters; lines keep their breaks.
func clean(text string, lines bool) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !(lines && r == '\n') {
			return -1
		}
		return r
	}, text))
}

// check cleans the event and says what is wrong with it. The consent has been looked at before.
func (e Event) check(now time.Time) (Event, error) {
	if e.EventID == "" || utf8.RuneCountInString(e.EventID) > maxEventID {
		return e, fault.New(fault.Invalid, "InvalidValue", "eventId", "must have 1 to %d characters", maxEventID)
	}
	if e.By != "" {
		e.EventID = e.By + "/" + e.EventID
	}
	for _, id := range []struct {
		target, value string
		limit         int
	}{{"publisherId", e.PublisherID, maxID}, {"offerId", e.OfferID, maxID}, {"planId", e.PlanID, maxID}, {"crossListedOn", e.CrossListedOn, 2*maxID + 1}} {
		if utf8.RuneCountInString(id.value) > id.limit {
			return e, fault.New(fault.Invalid, "InvalidValue", id.target, "may have %d characters at most", id.limit)
		}
	}
	if e.Slot == "" {
		e.Slot = offer.Production
	}
	if e.Slot != offer.Production && e.Slot != offer.Preview {
		return e, fault.New(fault.Invalid, "InvalidValue", "slot", "must be preview or live")
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = now
	}
	if e.OccurredAt.After(now.Add(ahead)) {
		return e, fault.New(fault.Invalid, "InvalidValue", "occurredAt", "must not be in the future")
	}
	if e.CallToAction == TestDrive && e.SessionID == "" {
		return e, fault.New(fault.Invalid, "InvalidLeadAction", "sessionId", "a test drive is named by its session")
	}
	if e.Note = clean(e.Note, true); utf8.RuneCountInString(e.Note) > maxNote {
		return e, fault.New(fault.Invalid, "InvalidCustomer", "note", "may have %d characters at most", maxNote)
	}
	var err error
	e.Customer, err = e.Customer.Check()
	return e, err
}

// namespace is the name space of lead ids.
var namespace = [16]byte{0x5e, 0x8d, 0x1c, 0x0a, 0x3b, 0x64, 0x4f, 0x21, 0x9a, 0x77, 0x10, 0x4c, 0xd2, 0x6f, 0x38, 0xb5}

// leadID is the id of the lead of an event: a name-based UUID (version 5), so that a repeated event meets its
// lead (LED-3).
func leadID(e Event, action Action) string {
	h := sha1.New()
	h.Write(namespace[:])
	for _, part := range []string{e.EventID, e.PublisherID, e.OfferID, string(action)} {
		h.Write([]byte(part))
		h.Write([]byte{0}) // no part holds it, so different parts never make the same name
	}
	id := h.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// academic reports whether the address belongs to a school: its domain ends in .edu (LED-67).
func academic(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return strings.HasSuffix(strings.ToLower(domain), ".edu")
}
