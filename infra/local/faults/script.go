package faults

import (
	"fmt"
	"sync"
	"time"
)

// Fault is what happens to one operation.
type Fault int

// The faults.
const (
	Pass     Fault = iota // nothing
	Refuse                // it does not happen; the service says that it is busy
	TimeOut               // it does not happen; there is no answer for a while, then the connection is cut
	Lose                  // it happens; the connection is cut instead of the answer
	Kill                  // it does not happen; the program is killed
	KillLate              // it happens; the program is killed before it hears of it
)

var faultNames = [...]string{"pass", "refuse", "time out", "lose the answer", "kill before", "kill after"}

// String names the fault.
func (f Fault) String() string {
	if f < 0 || int(f) >= len(faultNames) {
		return fmt.Sprintf("fault %d", int(f))
	}
	return faultNames[f]
}

// Operation is one request to storage, or one delivery to the bus.
type Operation struct {
	N      int    // counted from 1 since the last Arm
	Bus    bool   // a delivery to the bus
	Method string // of a request to storage; SEND for the bus
	Target string // path of a request to storage
}

// String is what a failed test prints.
func (o Operation) String() string { return fmt.Sprintf("#%d %s %s", o.N, o.Method, o.Target) }

// Plan says what happens to an operation. It is asked in order, by one goroutine at a time.
type Plan func(Operation) Fault

// At does harm to the n-th operation only.
func At(n int, f Fault) Plan {
	return func(o Operation) Fault {
		if o.N == n {
			return f
		}
		return Pass
	}
}

// Every does harm to each n-th operation, by the faults in turn.
func Every(n int, faults ...Fault) Plan {
	return func(o Operation) Fault {
		if o.N%n != 0 {
			return Pass
		}
		return faults[(o.N/n-1)%len(faults)]
	}
}

// Most lets a plan do harm so often and no more.
func Most(times int, plan Plan) Plan {
	return func(o Operation) Fault {
		if times == 0 {
			return Pass
		}
		f := plan(o)
		if f != Pass {
			times--
		}
		return f
	}
}

// Where asks a plan about the operations that match, which are counted anew, and lets the others pass.
func Where(match func(Operation) bool, plan Plan) Plan {
	n := 0
	return func(o Operation) Fault {
		if !match(o) {
			return Pass
		}
		n++
		o.N = n
		return plan(o)
	}
}

// Harm is a fault that was done to an operation.
type Harm struct {
	Operation Operation
	Fault     Fault
}

// defaultHold is how long an operation that times out is held.
const defaultHold = 100 * time.Millisecond

// Script counts operations and does to them what its plan says. The zero value lets everything pass.
type Script struct {
	Hold time.Duration // how long an operation that times out is held; 0 takes 100 ms. Set before first use

	mu    sync.Mutex
	plan  Plan
	kill  func()
	count int
	harms []Harm
}

// Arm begins to count anew, under another plan. Nil lets everything pass.
func (s *Script) Arm(plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.count, s.harms = plan, 0, nil
}

// OnKill sets how the program is killed. Without it Kill and KillLate only cut the connection.
func (s *Script) OnKill(kill func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill = kill
}

// Operations is how many operations have arrived since the last Arm.
func (s *Script) Operations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Harms are the faults that were done since the last Arm, in order.
func (s *Script) Harms() []Harm {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Harm(nil), s.harms...)
}

// next counts an operation and decides about it.
func (s *Script) next(o Operation) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	o.N = s.count
	if s.plan == nil {
		return Pass
	}
	f := s.plan(o)
	if f != Pass {
		s.harms = append(s.harms, Harm{o, f})
	}
	return f
}

func (s *Script) die() {
	s.mu.Lock()
	kill := s.kill
	s.mu.Unlock()
	if kill != nil {
		kill()
	}
}

func (s *Script) hold() time.Duration {
	if s.Hold > 0 {
		return s.Hold
	}
	return defaultHold
}
