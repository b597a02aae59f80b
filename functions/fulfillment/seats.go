package fulfillment

import (
	"encoding/json"
	"strconv"

	"stoa/shared/fault"
	"stoa/shared/subscription"
)

// seats is a quantity in a body: a whole number or its digits; null and "" count as absent (FUL-29, FUL-41).
type seats subscription.Seats

// maxDigits keeps a quantity far within an int.
const maxDigits = 12

// UnmarshalJSON reads a quantity. Anything else than a whole number is InvalidValue.
func (s *seats) UnmarshalJSON(data []byte) error {
	text := string(data)
	if data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	if text == "null" || text == "" {
		*s = seats{}
		return nil
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return wrongSeats(text)
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || len(text) > maxDigits {
		return wrongSeats(text)
	}
	*s = seats{Given: true, Count: n}
	return nil
}

func wrongSeats(text string) error {
	return fault.New(fault.Invalid, subscription.CodeInvalid, "quantity", "The quantity must be a whole number of at most %d digits, found %s.", maxDigits, shown(text))
}
