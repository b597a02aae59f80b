package payout

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// maxLines bounds one payment order.
const maxLines = 1_000_000

// tally is what the lines of an item add up to.
type tally struct {
	lines  int
	earned map[string]int64 // by currency of the sale
	usd    money.Amount
	digest string // of the line ids, in order
}

// summer adds lines up without keeping them.
type summer struct {
	sum    tally
	digest hash.Hash
}

func newSummer() *summer {
	return &summer{sum: tally{earned: map[string]int64{}, usd: money.Amount{Currency: payCurrency}}, digest: sha256.New()}
}

// add adds a line. Invalid when a sum does not fit (BIL-8), NotReady when there are too many.
func (s *summer) add(l PaidLine) (err error) {
	if s.sum.lines++; s.sum.lines > maxLines {
		return fault.New(fault.NotReady, "TooManyLines", "", "a payment order may have %d lines at most", maxLines)
	}
	s.digest.Write([]byte(l.LineID))
	if s.sum.usd, err = s.sum.usd.Add(money.Amount{Minor: l.Pay, Currency: payCurrency}); err != nil {
		return err
	}
	earned, err := money.Amount{Minor: s.sum.earned[l.Amount.Currency], Currency: l.Amount.Currency}.Add(l.Amount)
	s.sum.earned[l.Amount.Currency] = earned.Minor
	return err
}

func (s *summer) tally() tally {
	s.sum.digest = hex.EncodeToString(s.digest.Sum(nil))
	return s.sum
}
