package packages

import "time"

// Record links a report to the offer the package belongs to.
type Record struct {
	PublisherID string    `json:"publisherId"`
	OfferID     string    `json:"offerId"`
	Name        string    `json:"name"`
	ETag        string    `json:"etag"` // of the blob that was looked at
	Report      string    `json:"report"`
	Blocking    bool      `json:"blocking"`
	Errors      int       `json:"errors"`
	Warnings    int       `json:"warnings"`
	At          time.Time `json:"at"`
}
