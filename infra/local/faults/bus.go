package faults

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// answerTime is how long an answer is awaited that is to be lost.
const answerTime = 2 * time.Second

// Bus is a proxy before a message broker.
type Bus struct {
	script   *Script
	target   string
	listener net.Listener
	stop     context.CancelFunc
	stopped  context.Context
	open     sync.WaitGroup
}

// StartBus listens on a free loopback port and passes connections on to a broker at 127.0.0.1:port.
func StartBus(script *Script, port int) (*Bus, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the bus proxy: %w", err)
	}
	b := &Bus{script: script, target: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), listener: l}
	b.stopped, b.stop = context.WithCancel(context.Background())
	b.open.Go(b.accept)
	return b, nil
}

// Port is where the proxy listens.
func (b *Bus) Port() int { return b.listener.Addr().(*net.TCPAddr).Port }

// Stop closes the proxy and its connections.
func (b *Bus) Stop() {
	b.stop()
	b.listener.Close()
	b.open.Wait()
}

func (b *Bus) accept() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return // Stop has closed the listener
		}
		b.open.Go(func() { b.serve(client) })
	}
}

// serve carries one connection until either side, or a fault, ends it.
func (b *Bus) serve(client net.Conn) {
	defer client.Close()
	broker, err := net.Dial("tcp", b.target)
	if err != nil {
		return
	}
	defer broker.Close()
	ctx, end := context.WithCancel(b.stopped)
	defer end()
	context.AfterFunc(ctx, func() {
		client.Close()
		broker.Close()
	})
	c := &connection{script: b.script, client: client, broker: broker, ids: map[link]uint64{}}
	var pumps sync.WaitGroup
	pumps.Go(func() {
		defer end()
		c.up(ctx)
	})
	pumps.Go(func() {
		defer end()
		c.down()
	})
	pumps.Wait()
}

// link is a link of a session, as the client numbers them.
type link struct {
	channel uint16
	handle  uint64
}

// connection is one connection through the proxy.
type connection struct {
	script         *Script
	client, broker net.Conn
	ids            map[link]uint64 // of the delivery under way on each link; the up pump's alone

	mu      sync.Mutex
	awaited *awaited
}

// awaited is a delivery whose answer is to be lost.
type awaited struct {
	delivery uint64
	answered chan struct{}
}

// up carries what the client sends, and does the faults.
func (c *connection) up(ctx context.Context) {
	for {
		f, err := readFrame(c.client)
		if err != nil {
			return
		}
		fault, t := c.decide(f)
		switch fault {
		case Refuse:
			return
		case TimeOut:
			wait(ctx, c.script.hold())
			return
		case Kill:
			c.script.die()
			return
		case Lose, KillLate:
			c.lose(ctx, f, t)
			if fault == KillLate {
				c.script.die()
			}
			return
		}
		if _, err := c.broker.Write(f.raw); err != nil {
			return
		}
	}
}

// decide asks the script about a frame that completes a delivery.
func (c *connection) decide(f frame) (Fault, transfer) {
	if f.code != transferCode {
		return Pass, transfer{}
	}
	t, err := f.transfer()
	if err != nil {
		return Pass, t // the broker will say what is wrong with it
	}
	on := link{f.channel, t.handle}
	if t.delivery.present {
		c.ids[on] = t.delivery.number
	}
	t.delivery.number = c.ids[on]
	if t.more {
		return Pass, t
	}
	return c.script.next(Operation{Bus: true, Method: "SEND"}), t
}

// lose passes the last frame of a delivery on and waits for the answer, which down does not pass on.
func (c *connection) lose(ctx context.Context, f frame, t transfer) {
	a := &awaited{delivery: t.delivery.number, answered: make(chan struct{})}
	c.mu.Lock()
	c.awaited = a
	c.mu.Unlock()
	if _, err := c.broker.Write(f.raw); err != nil || t.settled {
		return
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-a.answered:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// down carries what the broker answers, up to an answer that is to be lost.
func (c *connection) down() {
	for {
		f, err := readFrame(c.broker)
		if err != nil {
			return
		}
		if c.lost(f) {
			continue
		}
		if _, err := c.client.Write(f.raw); err != nil {
			return
		}
	}
}

// lost reports whether a frame must not reach the client: the awaited answer and all after it.
func (c *connection) lost(f frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited == nil {
		return false
	}
	select {
	case <-c.awaited.answered:
		return true
	default:
	}
	if f.code != dispositionCode || !f.settles(c.awaited.delivery) {
		return false
	}
	close(c.awaited.answered)
	return true
}
