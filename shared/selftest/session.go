package selftest

import (
	"context"
	"strings"
)

// session is one run on one machine. It remembers what commands said, because several tests ask the same.
type session struct {
	machine Machine
	said    map[string]Output
}

func (s *session) ask(ctx context.Context, command string) (Output, error) {
	if out, known := s.said[command]; known {
		return out, nil
	}
	out, err := s.machine.Run(ctx, command)
	if err != nil {
		return Output{}, err
	}
	out.Text = strings.ReplaceAll(strings.ToValidUTF8(out.Text, "\uFFFD"), "\r\n", "\n")
	s.said[command] = out
	return out, nil
}

// suites are the tests of the families.
var suites = map[OS]func(context.Context, *session) (facts, []Test, error){Linux: linuxSuite, Windows: windowsSuite}

// finding is what a test found: whether the machine meets it, and with what.
type finding struct {
	grade  grade
	actual string
}

// grade is how far a machine meets a test.
type grade int

const (
	unmet grade = iota // Failed, or Warning where the test is a recommendation
	doubt              // Warning
	met                // Passed
)

func found(ok bool, actual string) finding {
	if ok {
		return finding{met, actual}
	}
	return finding{unmet, actual}
}

// row is the line of the report for what a test found.
func (c Check) row(f finding) Test {
	result := Failed
	switch {
	case f.grade == met:
		result = Passed
	case f.grade == doubt, c.Severity == "warning":
		result = Warning
	}
	return Test{TestID: c.ID, TestCaseName: c.Name, Description: c.Description, Result: result, ActualValue: f.actual, RequiredValue: c.Required}
}

// test asks a machine and judges what it says. An error is one of the connection.
type test func(ctx context.Context, s *session, required string) (finding, error)

// runAll runs the tests of a family in the order of the report.
func runAll(ctx context.Context, s *session, family OS, by map[string]test) ([]Test, error) {
	var rows []Test
	for _, c := range checks[family] {
		f, err := by[c.ID](ctx, s, c.Required)
		if err != nil {
			return nil, err
		}
		rows = append(rows, c.row(f))
	}
	return rows, nil
}

// silent says that a machine does not tell what it is: a restricted shell, or rights that are too low.
func silent() error {
	return AccessDenied("the log-on works, but the machine does not tell its operating system: the user must be able to run commands as an administrator")
}
