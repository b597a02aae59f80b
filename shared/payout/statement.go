package payout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// StatementContainer is the blob container of the statements.
const StatementContainer = "statements"

// statement is the head of the document a publisher gets for a payment; "lines" follow as its last member.
type statement struct {
	RunID       string           `json:"runId"`
	Month       Month            `json:"month"`
	PublisherID string           `json:"publisherId"`
	PaymentID   string           `json:"paymentID"`
	Cutoff      time.Time        `json:"cutoff"`
	PaymentDate string           `json:"paymentDate"`
	Earned      map[string]int64 `json:"earned"`
	EarnedUSD   int64            `json:"earnedUSD"`
	Withheld    int64            `json:"withheldTax"`
	FeeTax      int64            `json:"serviceFeeTax"`
	Total       money.Amount     `json:"totalPayment"`
}

type statementLine struct {
	LineID         string    `json:"lineId"`
	OfferID        string    `json:"offerId"`
	SubscriptionID string    `json:"subscriptionId"`
	Kind           string    `json:"kind"`
	ChargeDate     string    `json:"chargeDate"`
	Currency       string    `json:"transactionCurrency"`
	Net            int64     `json:"transactionAmount"`
	Fee            int64     `json:"storeFee"`
	Earning        int64     `json:"earningAmount"`
	PayAmount      int64     `json:"paymentAmount"`
	EarnedAt       time.Time `json:"earningDate"`
	EligibleAt     time.Time `json:"eligibleAt"`
}

// writeStatement streams the statement of an item, a page of lines at a time, and returns its name. All of it
// is fixed, so that writing it again writes the same. Conflict "InvariantBreach" when its lines are not those that
// were fixed, or do not add up to its total (I8): then the order must not be sent.
func (s *Service) writeStatement(ctx context.Context, item Item) (string, error) {
	head, err := json.Marshal(statement{
		RunID: item.RunID, Month: item.Month, PublisherID: item.PublisherID, PaymentID: item.PaymentID,
		Cutoff: item.Month.Cutoff(), PaymentDate: item.Month.SendDate().Format(time.DateOnly),
		Earned: item.Earned, EarnedUSD: item.EarnedUSD, Total: item.Total,
	})
	if err != nil {
		return "", fmt.Errorf("statement: %w", err)
	}
	name := item.PublisherID + "/" + item.RunID + ".json"
	sum := newSummer()
	next := -1 // the head comes before page 0
	document := &pages{next: func() ([]byte, error) {
		next++
		switch {
		case next == 0:
			return append(bytes.TrimSuffix(head, []byte("}")), `,"lines":[`...), nil
		case next <= item.Pages:
			return s.statementPage(ctx, item, next-1, sum)
		case next == item.Pages+1:
			if got := sum.tally(); got.digest != item.Digest || got.usd != item.Total || got.lines != item.LineCount {
				return nil, fault.New(fault.Conflict, "InvariantBreach", item.PaymentID,
					"the lines of payment %s are %d of %s, and were %d of %s", item.PaymentID, got.lines, got.usd, item.LineCount, item.Total)
			}
			return []byte("\n]}\n"), nil
		}
		return nil, io.EOF
	}}
	return name, s.deps.Statements.Put(ctx, StatementContainer, name, document, "application/json")
}

// statementPage is the text of a page of lines, each on a line of its own.
func (s *Service) statementPage(ctx context.Context, item Item, n int, sum *summer) ([]byte, error) {
	lines, err := s.deps.Store.Page(ctx, item.PublisherID, item.PaymentID, n)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Grow(400 * len(lines))
	encode := json.NewEncoder(&text)
	for i, l := range lines {
		if n > 0 || i > 0 {
			text.WriteByte(',')
		}
		if err := sum.add(l); err != nil {
			return nil, err
		}
		text.WriteByte('\n')
		err := encode.Encode(statementLine{
			LineID: l.LineID, OfferID: l.OfferID, SubscriptionID: l.SubscriptionID, Kind: l.Kind, ChargeDate: l.ChargeDate,
			Currency: l.Amount.Currency, Net: l.Net, Fee: l.Fee, Earning: l.Amount.Minor, PayAmount: l.Pay,
			EarnedAt: l.ReportedAt, EligibleAt: l.EligibleAt,
		})
		if err != nil {
			return nil, fmt.Errorf("statement: %w", err)
		}
		text.Truncate(text.Len() - 1) // the line break of the encoder
	}
	return text.Bytes(), nil
}

// pages is a reader over texts that are made when they are read.
type pages struct {
	next func() ([]byte, error) // io.EOF after the last
	rest []byte
}

// Read implements io.Reader.
func (p *pages) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		text, err := p.next()
		if err != nil {
			return 0, err
		}
		p.rest = text
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
