package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/store/table"
)

// Instruments are the means of payment of customers, and stand for the provider that takes the money:
// billing.Instrument. What came of each payment is kept by its key. An account that nobody has said anything about has
// a valid instrument. Safe for concurrent use.
type Instruments struct{ db *DB }

// NewInstruments makes the repository.
func NewInstruments(db *DB) *Instruments { return &Instruments{db: db} }

var _ billing.Instrument = (*Instruments)(nil)

const (
	instrumentKey  = "state"
	capturePrefix  = "capture|"
	refundPrefix   = "refund|"
	instrumentTurn = 20 // tries of a payment while others are made
)

func instrumentOf(account string) string { return table.Join("instrument", account) }

// payment is a payment as it is kept.
type payment struct {
	billing.Outcome
	Amount money.Amount `json:"amount"`
	At     time.Time    `json:"at"`
}

// Card reads the means of payment of a billing account.
func (s *Instruments) Card(ctx context.Context, account string) (billing.Card, error) {
	in := billing.Card{State: billing.CardValid}
	row, err := s.db.Table(ledgerTable).Get(ctx, instrumentOf(account), instrumentKey)
	if fault.Is(err, fault.NotFound) {
		return in, nil
	}
	if err != nil {
		return in, fmt.Errorf("instrument of %s: %w", account, err)
	}
	in.Tag = row.ETag
	return in, decode(row, &in)
}

// SetCard gives a billing account a means of payment. What is due is asked for again at once (BIL-61).
func (s *Instruments) SetCard(ctx context.Context, account string, in billing.Card) error {
	now := s.db.deps.Now().UTC()
	in.ChangedAt = now
	due, err := dueOf(ctx, s.db, account)
	if err != nil {
		return err
	}
	var msgs []message.Message
	for _, id := range due {
		msgs = append(msgs, message.New(fmt.Sprintf("collect:%s:%d", id, now.UnixNano()), message.LedgerEvents,
			billing.Signal{Kind: billing.SignalCollect, SubscriptionID: id}))
	}
	row := table.Row{Partition: instrumentOf(account), Key: instrumentKey, Data: encode(in)}
	if _, err := s.db.Commit(ctx, ledgerTable, []table.Op{{Action: table.Upsert, Row: row}}, msgs...); err != nil {
		return fmt.Errorf("set the instrument of %s: %w", account, err)
	}
	return nil
}

// Capture implements billing.Instrument.
func (s *Instruments) Capture(ctx context.Context, p billing.Payment) (billing.Outcome, error) {
	return s.pay(ctx, p, capturePrefix, func(in *billing.Card) billing.Outcome {
		does := in.State
		if len(in.Next) > 0 {
			does, in.Next = in.Next[0], slices.Clone(in.Next[1:])
		}
		if does == billing.CardValid {
			return billing.Outcome{Paid: true, Reference: s.db.deps.NewID()}
		}
		return billing.Outcome{Reason: string(does)}
	})
}

// Refund implements billing.Instrument.
func (s *Instruments) Refund(ctx context.Context, p billing.Payment) (billing.Outcome, error) {
	return s.pay(ctx, p, refundPrefix, func(*billing.Card) billing.Outcome {
		return billing.Outcome{Paid: true, Reference: s.db.deps.NewID()}
	})
}

// pay makes a payment once for its key, together with what it changes about the instrument. Conflict "PaymentConflict"
// when the key was used for another amount.
func (s *Instruments) pay(ctx context.Context, p billing.Payment, prefix string, decide func(*billing.Card) billing.Outcome) (billing.Outcome, error) {
	key := prefix + table.Join(p.Key)
	var err error
	for range instrumentTurn {
		row, err := s.db.Table(ledgerTable).Get(ctx, instrumentOf(p.BillingAccount), key)
		if err == nil {
			var made payment
			if err := decode(row, &made); err != nil {
				return billing.Outcome{}, err
			}
			if made.Amount != p.Amount {
				return billing.Outcome{}, fault.New(fault.Conflict, "PaymentConflict", p.Key, "the payment %s was made for %s, not %s", p.Key, made.Amount, p.Amount)
			}
			return made.Outcome, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return billing.Outcome{}, fmt.Errorf("payment %s: %w", p.Key, err)
		}
		in, err := s.Card(ctx, p.BillingAccount)
		if err != nil {
			return billing.Outcome{}, err
		}
		before := len(in.Next)
		made := payment{Outcome: decide(&in), Amount: p.Amount, At: s.db.deps.Now().UTC()}
		ops := []table.Op{{Action: table.Insert, Row: table.Row{Partition: instrumentOf(p.BillingAccount), Key: key, Data: encode(made)}}}
		if len(in.Next) != before {
			ops = append(ops, table.Op{Action: table.Replace, Row: table.Row{
				Partition: instrumentOf(p.BillingAccount), Key: instrumentKey, ETag: in.Tag, Data: encode(in),
			}})
		}
		_, err = s.db.Table(ledgerTable).Apply(ctx, ops...)
		if err == nil {
			return made.Outcome, nil
		}
		if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.StaleETag) {
			return billing.Outcome{}, fmt.Errorf("payment %s: %w", p.Key, err)
		}
	}
	return billing.Outcome{}, fault.New(fault.Unavailable, "Busy", p.Key, "the instrument is in use").Because(err)
}

// Payments are the captures and refunds of a billing account that went through, in minor units by currency: what was
// taken less what was given back.
func (s *Instruments) Payments(ctx context.Context, account string) (map[string]int64, error) {
	sums := map[string]int64{}
	for prefix, sign := range map[string]int64{capturePrefix: 1, refundPrefix: -1} {
		for after := ""; ; {
			page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
				Partition: instrumentOf(account), From: prefix, Until: table.PrefixEnd(prefix), After: after,
			})
			if err != nil {
				return nil, fmt.Errorf("payments of %s: %w", account, err)
			}
			for _, row := range page.Rows {
				var made payment
				if err := decode(row, &made); err != nil {
					return nil, err
				}
				if made.Paid {
					sums[made.Amount.Currency] += sign * made.Amount.Minor
				}
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	return sums, nil
}
