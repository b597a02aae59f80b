package subscription

import (
	"fmt"

	"stoa/shared/message"
)

// notice is a mail to the customer.
type notice struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`
	To      []string `json:"to"`
	Subject string   `json:"subject"`
	Body    string   `json:"body"`
}

// mail tells the purchaser; without an address there is nobody to tell.
func (d *decision) mail(kind, subject, format string, args ...any) {
	if d.sub.Purchaser.EmailID == "" {
		return
	}
	id := fmt.Sprintf("%s:%s:%d", kind, d.sub.ID, d.now.Unix())
	d.send(message.New(id, message.Notifications, notice{
		ID: id, Kind: "subscription." + kind, To: []string{d.sub.Purchaser.EmailID}, Subject: subject, Body: fmt.Sprintf(format, args...),
	}))
}
