package storetest

import (
	"context"
	"errors"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/table"
)

// ErrDead is what every operation of a dead process answers.
var ErrDead = errors.New("the process is dead")

// Harm is what happens at the chosen operation.
type Harm int

// The harms. Survivors are told that the store is unavailable.
const (
	None    Harm = iota
	Die          // the process dies before the operation: it and all later ones do nothing
	DieLate      // the process dies after the operation, before its answer
	Refuse       // this one operation does nothing and fails
	Lose         // this one operation is done and its answer lost
)

// Crash stands between a DB and its tables and sender, counts their operations and does harm at one of them. A
// sweep over all of them goes: run the scenario once unharmed, read Operations, then run it again for each k with
// Arm, and recover over the same tables with a Crash that is not armed.
type Crash struct {
	tables func(string) table.Table
	sender store.Sender

	mu    sync.Mutex
	harm  Harm
	at    int
	count int
	dead  bool
}

// NewCrash wraps tables and a sender.
func NewCrash(tables func(string) table.Table, sender store.Sender) *Crash {
	return &Crash{tables: tables, sender: sender}
}

// Arm lets the k-th operation from now on, counted from 1, come to harm.
func (c *Crash) Arm(harm Harm, k int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.harm, c.at, c.count, c.dead = harm, k, 0, false
}

// Operations is how many operations were begun since the start or the last Arm, those of a dead process
// left out.
func (c *Crash) Operations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Dead reports whether the process has died.
func (c *Crash) Dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Table is the wrapped table of that name, for store.Deps.
func (c *Crash) Table(name string) table.Table { return &crashTable{c, c.tables(name)} }

// Send implements store.Sender.
func (c *Crash) Send(ctx context.Context, queue string, msgs []message.Message) error {
	return c.do(func() error { return c.sender.Send(ctx, queue, msgs) })
}

func (c *Crash) do(operation func() error) error {
	harm, err := c.begin()
	if err != nil {
		return err
	}
	err = operation()
	switch harm {
	case DieLate:
		return ErrDead
	case Lose:
		return unavailable
	}
	return err
}

var unavailable = fault.New(fault.Unavailable, "StorageUnavailable", "", "The store did not answer. Try again.")

func (c *Crash) begin() (Harm, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return None, ErrDead
	}
	c.count++
	if c.harm == None || c.count != c.at {
		return None, nil
	}
	c.dead = c.harm == Die || c.harm == DieLate
	switch c.harm {
	case Die:
		return None, ErrDead
	case Refuse:
		return None, unavailable
	}
	return c.harm, nil
}

type crashTable struct {
	crash *Crash
	table table.Table
}

// Get implements table.Table.
func (t *crashTable) Get(ctx context.Context, partition, key string) (row table.Row, err error) {
	err = t.crash.do(func() (err error) {
		row, err = t.table.Get(ctx, partition, key)
		return err
	})
	return row, err
}

// Apply implements table.Table.
func (t *crashTable) Apply(ctx context.Context, ops ...table.Op) (etags []string, err error) {
	err = t.crash.do(func() (err error) {
		etags, err = t.table.Apply(ctx, ops...)
		return err
	})
	return etags, err
}

// Query implements table.Table.
func (t *crashTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = t.crash.do(func() (err error) {
		page, err = t.table.Query(ctx, q)
		return err
	})
	return page, err
}
