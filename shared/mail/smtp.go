package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"stoa/shared/fault"
)

// SMTPOptions say which relay letters go to.
type SMTPOptions struct {
	Address  string // host:port of the relay
	From     string // sender; empty is noreply at the relay's host
	Username string // none: without signing in
	Password string
}

// SMTP sends letters over a mail relay, with TLS when the relay offers it. It signs in over TLS only.
type SMTP struct {
	client *gomail.Client
	from   string
}

var _ Sender = (*SMTP)(nil)

// NewSMTP makes the sender; it does not connect yet.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	host, portText, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("mail relay %q: must be host:port", o.Address)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("mail relay %q: the port must be a number", o.Address)
	}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(30 * time.Second), gomail.WithTLSPolicy(gomail.TLSOpportunistic)}
	if o.Username != "" {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory),
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(o.Username), gomail.WithPassword(o.Password))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail relay %s: %w", o.Address, err)
	}
	if o.From == "" {
		o.From = "noreply@" + host
		if net.ParseIP(host) != nil {
			o.From = "noreply@localhost"
		}
	}
	return &SMTP{client: client, from: o.From}, nil
}

// Send implements Sender. The message id comes from the letter's, so that a mail that was sent twice after a
// crash can be told.
func (s *SMTP) Send(ctx context.Context, l Letter) error {
	m := gomail.NewMsg()
	if err := m.From(s.from); err != nil {
		return fault.New(fault.Invalid, "InvalidSender", "from", "The sender's address is not acceptable.").Because(err)
	}
	if err := m.To(l.To...); err != nil {
		return fault.New(fault.Invalid, "InvalidRecipient", "to", "An address is not acceptable.").Because(err)
	}
	sum := sha256.Sum256([]byte(l.ID))
	m.SetMessageIDWithValue(hex.EncodeToString(sum[:16]) + "@stoa")
	m.SetDateWithValue(l.At)
	m.Subject(l.Subject)
	m.SetBodyString(gomail.TypeTextPlain, l.Body)
	return fromRelay(s.client.DialAndSendWithContext(ctx, m))
}

// fromRelay is the one place that reads the relay's errors.
func fromRelay(err error) error {
	if err == nil {
		return nil
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		return fault.New(fault.Invalid, "MailRefused", "", "The mail relay refused the letter.").Because(err)
	}
	return fault.New(fault.Unavailable, "MailUnavailable", "", "The mail relay did not take the letter.").Because(err)
}
