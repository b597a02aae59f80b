package lead

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		cta    CallToAction
		source Source
		action Action
		kind   Kind
	}{
		{"LED-2 contact me in AppSource", ContactMe, AppSource, PartnerTrial, InitialInterest},
		{"LED-2 contact me in Azure Marketplace", ContactMe, AzureMarketplace, PartnerTrial, InitialInterest},
		{"LED-2 get it now", GetItNow, AzureMarketplace, Install, Active},
		{"LED-2 free trial is an installation of kind trial", FreeTrial, AppSource, Install, Trial},
		{"LED-2 create only in the portal", CreateButton, AzurePortal, Create, Active},
		{"LED-2 test drive", TestDrive, AzureMarketplace, StartTestDrive, Trial},
		{"any case of letters", "contactme", "appsource", PartnerTrial, InitialInterest},
		{"LED-2 create elsewhere", CreateButton, AzureMarketplace, "", ""},
		{"LED-2 get it now in the portal", GetItNow, AzurePortal, "", ""},
		{"LED-2 contact me in the portal", ContactMe, AzurePortal, "", ""},
		{"LED-2 test drive in the portal", TestDrive, AzurePortal, "", ""},
		{"no source", ContactMe, "", "", ""},
		{"a token is no source", ContactMe, "SPZA", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, ok := actions.match(row.cta, row.source, false)
			require.Equal(t, row.action != "", ok)
			require.Equal(t, row.action, got.Action)
			require.Equal(t, row.kind, got.Kind)
		})
	}
}

func TestLeadSource(t *testing.T) {
	t.Parallel()
	require.Equal(t, "AzureMarketplace-INS|contoso.contoso-app", Compose(AzureMarketplace, Install, "contoso", "contoso-app"), "LED-13")
	require.Equal(t, "SPZA-PLT|contoso.app", Compose(AppSource, PartnerTrial, "contoso", "app"), "LED-14")
	for _, row := range []struct {
		text string
		want Origin
	}{
		{"AzureMarketplace-INS|checkpoint.check-point-r77-10sg-byo1", Origin{"AzureMarketplace", Install, "checkpoint", "check-point-r77-10sg-byo1"}},
		{"SPZA-DNC | docusign.3701c77e-1cfa-4c56-91e6-3ed0b622145", Origin{"SPZA", DoNotContact, "docusign", "3701c77e-1cfa-4c56-91e6-3ed0b622145"}},
		{"TestDrive-INS|a.b.c", Origin{"TestDrive", Install, "a", "b.c"}},
		{"AzureMarketplace", Origin{}},
		{"AzureMarketplace-XXX|a.b", Origin{}},
		{"Elsewhere-INS|a.b", Origin{}},
		{"AzureMarketplace-INS|ab", Origin{}},
		{"AzureMarketplace-INS|.b", Origin{}},
		{"", Origin{}},
	} {
		got, ok := ParseSource(row.text)
		require.Equal(t, row.want != Origin{}, ok, row.text)
		require.Equal(t, row.want, got, row.text)
	}
}

func TestEventCheck(t *testing.T) {
	t.Parallel()
	good := Event{EventID: "e", Source: AppSource, CallToAction: ContactMe, Customer: Customer{Email: "a@b.example"}}
	for _, row := range []struct {
		name   string
		change func(*Event)
		target string // empty when it is acceptable
	}{
		{"LED-9 only the address", func(*Event) {}, ""},
		{"no event id", func(e *Event) { e.EventID = "" }, "eventId"},
		{"event id of 128", func(e *Event) { e.EventID = strings.Repeat("ü", 128) }, ""},
		{"event id of 129", func(e *Event) { e.EventID = strings.Repeat("e", 129) }, "eventId"},
		{"5 minutes ahead", func(e *Event) { e.OccurredAt = now.Add(5 * time.Minute) }, ""},
		{"a nanosecond more", func(e *Event) { e.OccurredAt = now.Add(5*time.Minute + 1) }, "occurredAt"},
		{"no such slot", func(e *Event) { e.Slot = offer.Draft }, "slot"},
		{"LED-9 no address", func(e *Event) { e.Customer.Email = "" }, "customer.Email"},
		{"LED-9 no domain", func(e *Event) { e.Customer.Email = "a@b" }, "customer.Email"},
		{"LED-9 two at signs", func(e *Event) { e.Customer.Email = "a@b@c.example" }, "customer.Email"},
		{"LED-9 a list", func(e *Event) { e.Customer.Email = "a@b.example,c@d.example" }, "customer.Email"},
		{"LED-9 with a name", func(e *Event) { e.Customer.Email = "A <a@b.example>" }, "customer.Email"},
		{"field of 256", func(e *Event) { e.Customer.Company = strings.Repeat("ß", 256) }, ""},
		{"field of 257", func(e *Event) { e.Customer.Company = strings.Repeat("c", 257) }, "customer.Company"},
		{"country in small letters", func(e *Event) { e.Customer.Country = "us" }, ""},
		{"country of three letters", func(e *Event) { e.Customer.Country = "USA" }, "customer.Country"},
		{"note of 2000", func(e *Event) { e.Note = strings.Repeat("n", 2000) }, ""},
		{"note of 2001", func(e *Event) { e.Note = strings.Repeat("n", 2001) }, "note"},
		{"test drive without a session", func(e *Event) { e.CallToAction = TestDrive }, "sessionId"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := good
			row.change(&e)
			_, err := e.check(now)
			if row.target == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, fault.Is(err, fault.Invalid))
			require.Equal(t, row.target, fault.As(err).Target)
		})
	}
	got, err := Event{EventID: "e", Note: " a\r\nb\x00 ", Customer: Customer{FirstName: " J\no\x1bhn<b> ", Email: " a@b.example\t", Country: "us"}}.check(now)
	require.NoError(t, err)
	require.Equal(t, "a\nb", got.Note, "LED-17")
	require.Equal(t, Customer{FirstName: "John<b>", Email: "a@b.example", Country: "US"}, got.Customer, "LED-17")
}

func TestLeadID(t *testing.T) {
	t.Parallel()
	e := Event{EventID: "e1", PublisherID: "contoso", OfferID: "app"}
	id := leadID(e, Install)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	again := e
	again.Customer.Email, again.Note = "other@x.example", "other"
	require.Equal(t, id, leadID(again, Install), "LED-3")
	require.NotEqual(t, id, leadID(e, PartnerTrial), "LED-1")
	require.NotEqual(t, id, leadID(Event{EventID: "e1", PublisherID: "contoso", OfferID: "app2"}, Install), "LED-1")
	require.NotEqual(t, id, leadID(Event{EventID: "e1c", PublisherID: "ontoso", OfferID: "app"}, Install), "parts do not run together")
}

func TestOutcomeOfReply(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "", 202: "", 204: "", 299: "",
		301: "permanent " + Rejected, 302: "permanent " + Rejected, 307: "permanent " + Rejected, // LED-49
		400: "permanent " + Rejected, 401: "permanent " + AuthFailed, 403: "permanent " + AuthFailed, 404: "permanent " + Rejected,
		405: "permanent " + Rejected, 410: "permanent " + Rejected, 413: "permanent " + Rejected, 415: "permanent " + Rejected,
		422: "permanent " + Rejected,                                                                               // LED-43
		408: Unavailable, 425: Unavailable, 429: Unavailable, 500: Unavailable, 503: Unavailable, 599: Unavailable, // LED-42
	} {
		o := ofReply(call.Reply{Status: status}, now)
		got := o.code
		if o.permanent {
			got = "permanent " + got
		}
		require.Equal(t, want, got, status)
		require.Equal(t, want == "", o.delivered, status)
	}
}

func TestOutcomeOfError(t *testing.T) {
	t.Parallel()
	require.Equal(t, outcome{code: Timeout}, ofError(fault.New(fault.Unavailable, "CallTimeout", "", "x")))
	require.Equal(t, outcome{code: Unavailable}, ofError(fault.New(fault.Unavailable, "CallFailed", "", "x")))
	require.Equal(t, outcome{code: Unavailable}, ofError(errors.New("broken")))
	require.Equal(t, outcome{code: "EndpointNotPublic", permanent: true}, ofError(fault.New(fault.Invalid, "AddressNotAllowed", "", "x")))
	require.Equal(t, outcome{code: AuthFailed, permanent: true}, ofError(fault.New(fault.Forbidden, AuthFailed, "", "x")))
}

// LED-42: the delays of a round, each within a tenth, and its end after 72 hours.
func TestRetrySchedule(t *testing.T) {
	t.Parallel()
	l := Lead{ID: "lead", Round: now}
	at := now
	var steps []time.Duration
	for range 20 {
		l.Tries++
		l.Next++
		due, again := nextDue(&l, at, 0)
		if !again {
			require.Greater(t, due, now.Add(giveUp))
			break
		}
		steps = append(steps, due.Sub(at))
		at = due
	}
	want := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour}
	require.Len(t, steps, len(want))
	for i, step := range steps {
		require.GreaterOrEqual(t, step, want[i]*9/10)
		require.LessOrEqual(t, step, want[i]*11/10)
	}
	first, _ := nextDue(&Lead{ID: "a", Round: now, Tries: 1}, now, 0)
	repeat, _ := nextDue(&Lead{ID: "a", Round: now, Tries: 1}, now, 0)
	require.Equal(t, first, repeat, "a repeat finds the same time")
	wish, _ := nextDue(&Lead{ID: "a", Round: now, Tries: 1}, now, time.Hour)
	require.Equal(t, now.Add(time.Hour), wish, "a longer Retry-After wins")
	short, _ := nextDue(&Lead{ID: "a", Round: now, Tries: 1}, now, time.Second)
	require.Equal(t, first, short, "a shorter one does not")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, " 7 ": 7 * time.Second, "0": 0, "-5": 0, "soon": 0, "": 0,
		"Sun, 01 Mar 2026 10:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 09:00:00 GMT": 0,
	} {
		require.Equal(t, want, retryAfter(map[string]string{"retry-after": value}, now), value)
	}
	require.Zero(t, retryAfter(nil, now))
}

// LED-16, LED-57: five members, seven in UserDetails, missing values as empty strings, nothing escaped.
func TestHTTPSBody(t *testing.T) {
	t.Parallel()
	full := Lead{
		Customer:   Customer{FirstName: "John", LastName: "Smith", Email: "jsmith@microsoft.com", Phone: "1234567890", Country: "US", Company: "Microsoft", Title: "CTO"},
		LeadSource: "AzureMarketplace-INS|contoso.contoso-app", Action: Install, OfferTitle: "Contoso App",
	}
	require.Equal(t, `{"UserDetails":{"FirstName":"John","LastName":"Smith","Email":"jsmith@microsoft.com","Phone":"1234567890","Country":"US","Company":"Microsoft","Title":"CTO"},`+
		`"LeadSource":"AzureMarketplace-INS|contoso.contoso-app","ActionCode":"INS","OfferTitle":"Contoso App","Description":""}`, string(HTTPSBody(full)))
	require.Equal(t, `{"UserDetails":{"FirstName":"","LastName":"","Email":"","Phone":"","Country":"","Company":"<a> & b","Title":""},`+
		`"LeadSource":"","ActionCode":"","OfferTitle":"","Description":""}`, string(HTTPSBody(Lead{Customer: Customer{Company: "<a> & b"}})))
}

// LED-52: the columns of a row, CustomerInfo a text that parses to the seven fields.
func TestRow(t *testing.T) {
	t.Parallel()
	row := Row(Lead{ID: "id", PublisherID: "contoso", PublisherName: "Contoso", OfferID: "app", CapturedAt: now, Customer: Customer{Email: "a@b.example"}})
	require.Equal(t, "contoso.app", row.PartitionKey)
	require.Equal(t, "id", row.RowKey)
	require.Equal(t, "2026-03-01T10:00:00.000Z", row.CreatedTime)
	var info map[string]string
	require.NoError(t, json.Unmarshal([]byte(row.CustomerInfo), &info))
	require.Len(t, info, 7)
	var columns map[string]string
	raw, err := json.Marshal(row)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &columns))
	for _, name := range []string{"PartitionKey", "RowKey", "CreatedTime", "CustomerInfo", "LeadSource", "ActionCode", "OfferDisplayName", "Description", "ProductId", "PublisherDisplayName"} {
		require.Contains(t, columns, name)
	}
	require.Len(t, columns, 10)
}

func TestMasked(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{"john@mail.com": "j***@m***.com", "j@m.co.uk": "j***@m***.uk", "örg@x": "ö***@x***", "broken": "***", "": ""} {
		require.Equal(t, want, Lead{Customer: Customer{Email: email}}.Masked().Customer.Email, email)
	}
	l := Lead{Customer: Customer{FirstName: "John", Country: "US"}, Description: "call me", OfferTitle: "App"}
	m := l.Masked()
	require.Equal(t, Customer{FirstName: "***", Country: "***"}, m.Customer, "LED-66")
	require.Equal(t, "***", m.Description)
	require.Equal(t, "App", m.OfferTitle)
	require.Equal(t, "John", l.Customer.FirstName, "the lead itself is not touched")
}

func TestAcademic(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]bool{
		"a@mit.edu": true, "a@cs.mit.EDU": true, "a@mit.edu.au": false, "a@education.example": false, "a@edu": false,
	} {
		require.Equal(t, want, academic(email), email)
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"httpsEndpoint": "", "HttpsEndpoint": "", "table": "", "AzureTable": "",
		"": ReasonNoConnection, "none": ReasonNoConnection, "blob": ReasonDeprecated, // LED-10, LED-23
		"dynamics": ReasonNotSupported, "marketo": ReasonNotSupported, "salesforce": ReasonNotSupported, "carrier pigeon": ReasonNotSupported,
	} {
		require.Equal(t, want, unusable(offer.LeadDestination{Kind: kind}), kind)
	}
}
