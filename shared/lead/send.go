package lead

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// The kinds of destination that are delivered to.
const (
	HTTPSEndpoint = "httpsEndpoint"
	AzureTable    = "table"
)

// The reasons of a lead without a destination.
const (
	ReasonNoConnection = "NoLeadDestination"
	ReasonNotSupported = "LeadDestinationNotSupported"
	ReasonDeprecated   = "LeadDestinationDeprecated"
	ReasonNotPublished = "OfferNotPublished"
)

const httpsTimeout = 30 * time.Second // LED-49

// httpsBody is the body of 6.1.3: five members, seven in UserDetails, all strings (LED-16, LED-57).
type httpsBody struct {
	UserDetails Customer
	LeadSource  string
	ActionCode  Action
	OfferTitle  string
	Description string
}

// HTTPSBody is what the lead looks like to an HTTPS endpoint.
func HTTPSBody(l Lead) []byte {
	return compact(httpsBody{
		UserDetails: l.Customer, LeadSource: l.LeadSource, ActionCode: l.Action, OfferTitle: l.OfferTitle, Description: l.Description,
	})
}

// compact is the JSON of v without HTML escaping (LED-17).
func compact(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err)) // strings always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Row is the lead as a row of the publisher's own table (LED-52, 6.1.1).
func Row(l Lead) TableRow {
	name := l.PublisherName
	if name == "" {
		name = l.PublisherID
	}
	product := l.PublisherID + "." + l.OfferID
	return TableRow{
		PartitionKey: product, RowKey: l.ID, CreatedTime: l.CapturedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
		CustomerInfo: string(compact(l.Customer)), LeadSource: l.LeadSource, ActionCode: string(l.Action),
		OfferDisplayName: l.OfferTitle, Description: l.Description, ProductID: product, PublisherDisplayName: name,
	}
}

// unusable says why a destination takes no leads, empty when it does.
func unusable(d offer.LeadDestination) string {
	kind, known := offer.DestinationOf(d.Kind)
	switch {
	case !known:
		return ReasonNotSupported
	case kind.ID == HTTPSEndpoint, kind.ID == AzureTable:
		return ""
	case kind.ID == "none":
		return ReasonNoConnection // LED-10
	case kind.ID == "blob":
		return ReasonDeprecated // LED-23
	}
	return ReasonNotSupported
}

// send makes one attempt over the connection of the offer's version. An error means that nothing was tried.
func (s *Service) send(ctx context.Context, l *Lead) (outcome, error) {
	version, err := s.version(ctx, l.PublisherID, l.OfferID, l.Slot)
	if fault.Is(err, fault.NotFound) {
		return outcome{unrouted: true, code: ReasonNotPublished}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	d := version.LeadDestination
	if why := unusable(d); why != "" {
		return outcome{unrouted: true, code: why}, nil
	}
	kind, _ := offer.DestinationOf(d.Kind)
	l.Destination = kind.ID
	secret := kind.Secrets[0]
	plain, err := s.deps.Secrets.Open(d.SealedSecrets[secret], offer.SecretContext(l.PublisherID, l.OfferID, secret))
	if err != nil {
		// The cause names no secret, yet it is no business of the lead's readers.
		return outcome{permanent: true, code: AuthFailed}, nil
	}
	if kind.ID == AzureTable {
		if err := s.deps.Tables.Insert(ctx, plain, Row(*l)); err != nil {
			return ofError(err), nil
		}
		return outcome{delivered: true}, nil
	}
	reply, err := s.deps.Calls.Do(ctx, call.Request{
		Method: "POST", URL: plain, Body: HTTPSBody(*l), Timeout: httpsTimeout, MaxReply: 1 << 10,
		Header: map[string]string{"Content-Type": "application/json; charset=utf-8", "x-ms-lead-id": l.ID},
	})
	if err != nil {
		return ofError(err), nil
	}
	return ofReply(reply, s.deps.Now()), nil
}
