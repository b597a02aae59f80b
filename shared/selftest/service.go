package selftest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Limits bound the runs.
type Limits struct {
	PerTenant    int           // runs of one directory at once
	Connect, Run time.Duration // until the log-on; until the report
}

// DefaultLimits are those of the contract.
var DefaultLimits = Limits{PerTenant: 5, Connect: 60 * time.Second, Run: 200 * time.Second}

// retryAfter is how long a directory with too many runs is asked to wait.
const retryAfter = 30 * time.Second

// Deps are what a Service needs; all but Limits are required.
type Deps struct {
	Machines Dialer
	Now      func() time.Time
	NewID    func() string // makes tracking ids
	Limits   Limits        // the zero value takes DefaultLimits
}

// Service runs self-tests.
type Service struct {
	deps Deps
	mu   sync.Mutex
	runs map[string]int // by directory
}

// New makes a service.
func New(d Deps) (*Service, error) {
	if d.Machines == nil || d.Now == nil || d.NewID == nil {
		return nil, errors.New("selftest: Machines, Now and NewID are required")
	}
	if d.Limits == (Limits{}) {
		d.Limits = DefaultLimits
	}
	return &Service{deps: d, runs: map[string]int{}}, nil
}

// Run tests a machine for the caller and answers with the report. The error is BadArgument for a form that cannot be
// used, TenantOrAppMismatch (VMO-103), TooManyRuns, VmUnreachable, VmAccessDenied or SelfTestTimeout. No error and no
// report has the secret in it (VMO-102).
func (s *Service) Run(ctx context.Context, caller account.Caller, f Form) (Answer, error) {
	target, err := f.target()
	if err != nil {
		return Answer{}, err
	}
	if err := f.of(caller); err != nil {
		return Answer{}, err
	}
	if !s.enter(caller.TenantID) {
		full := fault.New(fault.Throttled, codeTooMany, "", "%d runs of this directory are going on: wait for one of them", s.deps.Limits.PerTenant)
		full.RetryAfter = retryAfter
		return Answer{}, full
	}
	defer s.leave(caller.TenantID)
	id, now := s.deps.NewID(), s.deps.Now()
	ctx, cancel := context.WithTimeout(ctx, s.deps.Limits.Run)
	defer cancel()
	known, tests, err := s.test(ctx, target)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Answer{}, fault.New(fault.Unavailable, CodeTimeout, "", "the machine did not answer all tests within %s", s.deps.Limits.Run)
	case err != nil:
		return Answer{}, err
	}
	response, err := newReport(known, tests, now).hiding(target.Secret).encode()
	return Answer{TrackingID: id, Response: response}, err
}

// enter takes a place of the directory.
func (s *Service) enter(tenantID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[tenantID] >= s.deps.Limits.PerTenant {
		return false
	}
	s.runs[tenantID]++
	return true
}

func (s *Service) leave(tenantID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[tenantID]--; s.runs[tenantID] == 0 {
		delete(s.runs, tenantID)
	}
}

// test logs on, runs the tests of the machine's family and logs off.
func (s *Service) test(ctx context.Context, t Target) (facts, []Test, error) {
	dialing, cancel := context.WithTimeout(ctx, s.deps.Limits.Connect)
	machine, err := s.deps.Machines.Dial(dialing, t)
	late := errors.Is(dialing.Err(), context.DeadlineExceeded)
	cancel()
	switch {
	case err != nil && late:
		return facts{}, nil, Unreachable("%s did not answer on port %d within %s", t.Host, t.Port, s.deps.Limits.Connect)
	case err != nil:
		return facts{}, nil, fmt.Errorf("log on to %s: %w", t.Host, err)
	}
	// Whether the log-off works changes nothing of what was found.
	defer func() { _ = machine.Close() }()
	on := &session{machine: machine, said: map[string]Output{}}
	known, tests, err := suites[t.OS](ctx, on)
	if err != nil {
		return facts{}, nil, fmt.Errorf("test %s: %w", t.Host, err)
	}
	return known, tests, nil
}
