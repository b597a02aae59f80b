package sample

import (
	"context"
	"encoding/json"
	"net/http"
)

// acknowledged tells that an operation was acknowledged as the behaviour wanted, or why not. Calls that only tell
// have nothing to acknowledge. It happens before the call is answered, as the contract allows (FUL-72).
func (s *Server) acknowledged(ctx context.Context, q Request, b Behaviour) string {
	var n notice
	if b.Acknowledge == "" || json.Unmarshal([]byte(q.Body), &n) != nil || n.Status != "InProgress" {
		return ""
	}
	m := s.marketplace.Load()
	if m == nil {
		return "no marketplace is known here"
	}
	if err := m.acknowledge(ctx, n, b.Acknowledge); err != nil {
		s.options.Log.WarnContext(ctx, "acknowledge an operation", "operation", n.ID, "error", err)
		return err.Error()
	}
	return b.Acknowledge
}

// empty is the usual answer to webhooks and leads: accepted, nothing to say.
func empty(*http.Request, Request) answer { return answer{status: http.StatusOK} }
