package billing

import (
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// State is the state of a charge line (5.1).
type State string

// The states.
const (
	Pending  State = "pending"  // the customer may still leave for free
	Firm     State = "firm"     // owed, not yet on an invoice
	Owed     State = "owed"     // on an invoice that the customer could not be charged for yet
	Invoiced State = "invoiced" // on an invoice; by card also paid
	Voided   State = "voided"   // cancelled inside the free window
	Refunded State = "refunded" // given back in full after it was paid
)

// Kinds of charge lines.
const (
	KindTerm     = "term"
	KindSegment  = "segment" // of a change inside a term
	KindMetered  = "metered"
	KindReturned = "returnedOrder" // the share of a refunded line that had been paid out
)

// Line is one rated amount (3.3). Everything it was computed from stands in it, so that later edits of prices
// change no line (BIL-30).
type Line struct {
	ID             string          `json:"lineId"`
	SourceKey      string          `json:"sourceKey"`
	Kind           string          `json:"kind"`
	ChargeType     string          `json:"chargeType"`
	PublisherID    string          `json:"publisherId"`
	OfferID        string          `json:"offerId"`
	PlanID         string          `json:"planId"`
	SubscriptionID string          `json:"subscriptionId"`
	Dimension      string          `json:"dimensionId,omitempty"`
	BillingAccount string          `json:"billingAccountId"`
	Market         string          `json:"market"`
	Currency       string          `json:"currency"`
	Quantity       decimal.Decimal `json:"quantity"`
	UnitPrice      decimal.Decimal `json:"unitPrice"`
	PeriodStart    string          `json:"periodStart"`          // YYYY-MM-DD, included
	PeriodEnd      string          `json:"periodEnd"`            // YYYY-MM-DD, included
	Days           int             `json:"days,omitempty"`       // of a segment; 0: the price is that of the whole period
	PeriodDays     int             `json:"periodDays,omitempty"` // of the term of a segment
	ChargeDate     string          `json:"chargeDate"`
	ReversesLineID string          `json:"reversesLineId,omitempty"`
	ReversedBy     string          `json:"reversedBy,omitempty"` // source key of the segment that took its place
	InvoiceID      string          `json:"invoiceId,omitempty"`
	Net            int64           `json:"net"`
	Tax            int64           `json:"tax"`
	Fee            int64           `json:"fee"`
	Share          int64           `json:"share"`
	Hash           string          `json:"contentHash"`
	State          State           `json:"state"`
	FirmAt         time.Time       `json:"firmAt,omitzero"` // end of the free window; zero: firm at once
	CapturedAt     time.Time       `json:"capturedAt,omitzero"`
	EligibleAt     time.Time       `json:"eligibleAt,omitzero"` // when its share may be paid out
	CreatedAt      time.Time       `json:"createdAt"`

	Tag string `json:"-"` // of the stored row as read
}

// namespace is that of ids derived from source keys.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("stoa:ledger"))

func derivedID(key string) string { return uuid.NewSHA1(namespace, []byte(key)).String() }

// rate computes the amounts of a line and its hash: the price times the quantity, exact, rounded once, and the
// store fee of the charge date (BIL-2, BIL-3).
func (l *Line) rate() error {
	exact := new(big.Rat).Mul(l.UnitPrice.Rat(), l.Quantity.Rat())
	if l.PeriodDays > 0 { // BIL-46
		exact.Mul(exact, big.NewRat(int64(l.Days), int64(l.PeriodDays)))
	}
	net, err := money.Round(exact, l.Currency)
	if err != nil {
		return fmt.Errorf("rate %s: %w", l.SourceKey, err)
	}
	if l.Quantity.Sign() < 0 || l.UnitPrice.Sign() < 0 { // BIL-8
		return fault.New(fault.Invalid, "NegativeCharge", "quantity", "neither the quantity nor the price may be negative")
	}
	percent, err := FeePercent(l.ChargeDate)
	if err != nil {
		return fmt.Errorf("rate %s: %w", l.SourceKey, err)
	}
	fee, err := net.Percent(percent)
	if err != nil {
		return fmt.Errorf("rate %s: %w", l.SourceKey, err)
	}
	l.Net, l.Fee, l.Share = net.Minor, fee.Minor, net.Minor-fee.Minor
	l.ID = LineID(l.SourceKey)
	l.Hash = l.hash()
	return nil
}

// hash is the content of a line.
func (l *Line) hash() string {
	content := []string{
		l.SourceKey, l.ChargeType, l.PublisherID, l.OfferID, l.PlanID, l.SubscriptionID, l.Dimension, l.BillingAccount, l.Market,
		l.Currency, l.Quantity.String(), l.UnitPrice.String(), l.PeriodStart, l.PeriodEnd, l.ChargeDate, fmt.Sprint(l.Net, l.Tax, l.Fee),
	}
	if l.PeriodDays > 0 {
		content = append(content, fmt.Sprint(l.Days, l.PeriodDays), l.ReversesLineID)
	}
	return hashOf(content)
}

// gross is what the customer pays.
func (l *Line) gross() int64 { return l.Net + l.Tax }

// inputs are what the posting rules of the line are evaluated with.
func (l *Line) inputs(now time.Time) Inputs {
	return Inputs{
		Names:    map[string]string{"b": l.BillingAccount, "p": l.PublisherID, "cc": l.Market, "lineId": l.ID, "n": "1"},
		Amounts:  map[string]int64{"net": l.Net, "tax": l.Tax, "infra": 0, "fee": l.Fee, "share": l.Share, "released": l.Share},
		Currency: l.Currency, LineID: l.ID, OccurredAt: now, PostedAt: now,
	}
}

// release is the payout side of the line once its money is there.
func (l *Line) release() Release {
	return Release{
		LineID: l.ID, PublisherID: l.PublisherID, OfferID: l.OfferID, SubscriptionID: l.SubscriptionID, Kind: l.Kind,
		Amount: money.Amount{Minor: l.Share, Currency: l.Currency}, Net: l.Net, Fee: l.Fee,
		ChargeDate: l.ChargeDate, ReportedAt: l.CapturedAt, EligibleAt: l.EligibleAt,
	}
}

// Release is the share of a line whose money has arrived and that is not yet in a payment order.
type Release struct {
	LineID         string       `json:"lineId"`
	PublisherID    string       `json:"publisherId"`
	OfferID        string       `json:"offerId"`
	SubscriptionID string       `json:"subscriptionId"`
	Kind           string       `json:"kind"`
	Amount         money.Amount `json:"earning"`
	Net            int64        `json:"net"`
	Fee            int64        `json:"fee"`
	ChargeDate     string       `json:"chargeDate"`
	ReportedAt     time.Time    `json:"reportedAt"`
	EligibleAt     time.Time    `json:"eligibleAt"`
	Matured        bool         `json:"matured,omitempty"` // moved from escrow to payable

	Tag string `json:"-"` // of the stored row as read
}

// termLine is the charge of a term (BIL-15, BIL-16, BIL-21).
func termLine(sub subscription.Subscription, t subscription.Term) (Line, error) {
	component, quantity := "flat", decimal.NewFromInt(1)
	if t.Quantity > 0 {
		component, quantity = "seats", decimal.NewFromInt(int64(t.Quantity))
	}
	l := Line{
		SourceKey: fmt.Sprintf("term:%s:%d:%s", sub.ID, t.Number, component), Kind: KindTerm, ChargeType: "Renew",
		PublisherID: sub.PublisherID, OfferID: sub.OfferID, PlanID: t.PlanID, SubscriptionID: sub.ID,
		BillingAccount: billingAccount(sub), Market: sub.Market, Currency: t.Currency, Quantity: quantity, UnitPrice: t.UnitPrice,
		PeriodStart: t.StartDate, PeriodEnd: t.EndDate, ChargeDate: t.StartDate, State: Firm,
	}
	trial := hadTrial(sub)
	switch {
	case t.Trial || t.Number == 0: // BIL-40
		l.ChargeType, l.UnitPrice = "New", decimal.Zero
	case t.Number == 1 && !trial: // BIL-32; a trial's conversion opens no window (BIL-33)
		l.ChargeType, l.State, l.FirmAt = "New", Pending, freeUntil(sub, t)
	}
	return l, l.rate()
}

func hadTrial(sub subscription.Subscription) bool {
	for _, t := range sub.Terms {
		if t.Trial || t.Number == 0 {
			return true
		}
	}
	return false
}

// freeUntil is the last instant of the free window: 24 hours from the activation of a month, 14 days from that of
// a year (BIL-32).
func freeUntil(sub subscription.Subscription, t subscription.Term) time.Time {
	if t.Unit == "P1Y" {
		return sub.ActivatedAt.Add(14 * 24 * time.Hour).UTC()
	}
	return sub.ActivatedAt.Add(24 * time.Hour).UTC()
}

func billingAccount(sub subscription.Subscription) string {
	if sub.Purchaser.TenantID != "" {
		return sub.Purchaser.TenantID
	}
	return sub.Beneficiary.TenantID
}

// meteredLine is the charge of a part of a closed cycle (BIL-23): every unit that was accepted, at the price that
// was fixed. Late use has a line of its own, which shows when it was (BIL-25).
func meteredLine(sub subscription.Subscription, c Cycle, p Part) Line {
	return Line{
		SourceKey: c.sourceKey(p), Kind: KindMetered, ChargeType: "Usage",
		PublisherID: sub.PublisherID, OfferID: sub.OfferID, PlanID: p.PlanID, SubscriptionID: sub.ID, Dimension: c.Dimension,
		BillingAccount: billingAccount(sub), Market: sub.Market, Currency: sub.Currency, Quantity: p.Quantity, UnitPrice: p.UnitPrice,
		PeriodStart: p.FirstDay, PeriodEnd: p.LastDay, ChargeDate: c.lastDay(), State: Firm, // BIL-50
	}
}

// LineID is the id of the line with a source key (BIL-9).
func LineID(sourceKey string) string { return derivedID(sourceKey) }
