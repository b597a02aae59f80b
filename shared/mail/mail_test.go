package mail_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/mail"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// sent records letters, or fails.
type sent struct {
	err     error
	letters []mail.Letter
}

func (s *sent) Send(_ context.Context, l mail.Letter) error {
	if s.err != nil {
		return s.err
	}
	s.letters = append(s.letters, l)
	return nil
}

// timepiece is a clock that tests move.
type timepiece struct{ nanos atomic.Int64 }

func newTimepiece() *timepiece {
	c := &timepiece{}
	c.nanos.Store(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *timepiece) now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

func (c *timepiece) move(by time.Duration) { c.nanos.Add(int64(by)) }

type rig struct {
	post  *mail.Post
	box   *store.Notifications
	sent  *sent
	clock *timepiece
}

func newRig() *rig {
	r := &rig{sent: &sent{}, clock: newTimepiece()}
	clock := r.clock.now
	db, _ := storetest.NewTwin(clock)
	r.box = store.NewNotifications(db)
	r.post = &mail.Post{Mailbox: r.box, Sender: r.sent, Now: clock}
	return r
}

func note(id string) []byte {
	return []byte(`{"id":"` + id + `","kind":"lead","to":["a@b.example"],"subject":"New\r\nBcc: x@y.example","body":"hello"}`)
}

func TestDeliverOnce(t *testing.T) {
	t.Parallel()
	r := newRig()
	for range 3 {
		require.NoError(t, r.post.Deliver(t.Context(), note("n1")))
	}
	require.Len(t, r.sent.letters, 1, "LED-62 once")
	require.Equal(t, "New Bcc: x@y.example", r.sent.letters[0].Subject, "one line, no header of its own")
	require.NoError(t, r.post.Deliver(t.Context(), note("n2")))
	require.Len(t, r.sent.letters, 2)
	letters, err := r.box.Letters(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, r.clock.now(), letters[0].SentAt)
}

func TestRelayAway(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.sent.err = fault.New(fault.Unavailable, "MailUnavailable", "", "x")
	require.True(t, fault.Is(r.post.Deliver(t.Context(), note("n1")), fault.Unavailable))
	r.sent.err = nil
	require.NoError(t, r.post.Deliver(t.Context(), note("n1")), "the next delivery may try at once")
	require.Len(t, r.sent.letters, 1)

	r.sent.err = fault.New(fault.Invalid, "MailRefused", "", "x")
	require.True(t, fault.Is(r.post.Deliver(t.Context(), note("n2")), fault.Invalid))
	r.sent.err = nil
	require.NoError(t, r.post.Deliver(t.Context(), note("n2")), "refused for good: settled")
	require.Len(t, r.sent.letters, 1)
}

// dying dies in the middle of sending.
type dying struct{}

func (dying) Send(context.Context, mail.Letter) error { panic("killed") }

func TestProcessDiesWhileSending(t *testing.T) {
	t.Parallel()
	r := newRig()
	dead := &mail.Post{Mailbox: r.box, Sender: dying{}, Now: r.post.Now}
	require.Panics(t, func() { _ = dead.Deliver(t.Context(), note("n1")) })
	require.True(t, fault.Is(r.post.Deliver(t.Context(), note("n1")), fault.Unavailable), "it may still be being sent")
	r.clock.move(2 * time.Minute)
	require.NoError(t, r.post.Deliver(t.Context(), note("n1")))
	require.Len(t, r.sent.letters, 1)
}

func TestWithoutRelay(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.post.Sender = nil
	require.NoError(t, r.post.Deliver(t.Context(), note("n1")))
	l, err := r.box.Letter(t.Context(), "n1")
	require.NoError(t, err)
	require.Equal(t, "hello", l.Body)
	require.False(t, l.SentAt.IsZero())
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	r := newRig()
	for _, body := range []string{"", "x", "[]", `{"to":["a@b.example"]}`, `{"id":"n"}`, `{"id":"n","to":[]}`} {
		require.True(t, fault.Is(r.post.Deliver(t.Context(), []byte(body)), fault.Invalid), body)
	}
}

// relay is a mail relay that takes what it is given, or refuses recipients.
type relay struct {
	net.Listener
	refuse string // answer to RCPT, empty takes it
	mu     sync.Mutex
	mails  []string
}

func newRelay(t *testing.T, refuse string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{Listener: l, refuse: refuse}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *relay) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = conn.Write([]byte(text + "\r\n")) }
	say("220 relay")
	var text strings.Builder
	for data := false; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(strings.TrimSpace(line))
		switch {
		case data && verb == ".":
			data = false
			r.mu.Lock()
			r.mails = append(r.mails, text.String())
			r.mu.Unlock()
			say("250 taken")
		case data:
			text.WriteString(line)
		case strings.HasPrefix(verb, "RCPT") && r.refuse != "":
			say(r.refuse)
		case verb == "DATA":
			data = true
			say("354 go on")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	r := newRelay(t, "")
	s, err := mail.NewSMTP(mail.SMTPOptions{Address: r.Addr().String(), From: "stoa@stoa.example"})
	require.NoError(t, err)
	l := mail.Letter{ID: "n1", To: []string{"a@b.example", "c@d.example"}, Subject: "Grüße", Body: "hello", At: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}
	require.NoError(t, s.Send(t.Context(), l))
	require.NoError(t, s.Send(t.Context(), l))
	require.Len(t, r.mails, 2)
	require.Contains(t, r.mails[0], "hello")
	require.Contains(t, r.mails[0], "Date: Sun, 01 Mar 2026 10:00:00")
	id := func(text string) string {
		_, rest, _ := strings.Cut(text, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		return id
	}
	require.NotEmpty(t, id(r.mails[0]))
	require.Equal(t, id(r.mails[0]), id(r.mails[1]), "a mail that goes twice can be told")

	for refusal, kind := range map[string]fault.Kind{"550 no such user": fault.Invalid, "450 come back later": fault.Unavailable} {
		r := newRelay(t, refusal)
		s, err := mail.NewSMTP(mail.SMTPOptions{Address: r.Addr().String()})
		require.NoError(t, err)
		require.True(t, fault.Is(s.Send(t.Context(), l), kind), refusal)
	}
	bad := l
	bad.To = []string{"nobody"}
	require.True(t, fault.Is(s.Send(t.Context(), bad), fault.Invalid))
	r.Close()
	require.True(t, fault.Is(s.Send(t.Context(), l), fault.Unavailable), "nobody there")
	for _, address := range []string{"", "relay", "relay:smtp"} {
		_, err := mail.NewSMTP(mail.SMTPOptions{Address: address})
		require.Error(t, err, address)
	}
}

func TestLetterOfTheQueue(t *testing.T) {
	t.Parallel()
	r := newRig()
	body, err := json.Marshal(map[string]any{"id": "n", "to": []string{"a@b.example"}, "subject": strings.Repeat("ü", 400), "body": "b"})
	require.NoError(t, err)
	require.NoError(t, r.post.Deliver(t.Context(), body))
	require.LessOrEqual(t, len(r.sent.letters[0].Subject), 500)
	r.sent.err = errors.New("surprise")
	require.Error(t, r.post.Deliver(t.Context(), note("n9")))
}
