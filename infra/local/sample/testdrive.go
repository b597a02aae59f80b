package sample

import (
	"encoding/json"
	"net/http"
	"strings"
)

// workflowCall is the body of both workflows of a Logic App test drive (TDR-84).
type workflowCall struct {
	SessionID string `json:"sessionId"`
	UserEmail string `json:"userEmail"`
}

// assign answers with the access information of a session. The same session gets the same outputs again, so
// that a repeated call does no harm.
func assign(_ *http.Request, q Request) answer {
	call, ok := session(q)
	if !ok {
		return invalid()
	}
	body, err := json.Marshal(map[string]any{"outputs": map[string]string{
		"url":      "https://trial.contoso.example/" + call.SessionID,
		"username": "trial-" + short(call.SessionID),
		"password": "Trial-" + short(call.SessionID) + "!",
	}})
	if err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: http.StatusOK, contentType: "application/json", body: body}
}

// deprovision confirms the end of a session, known or not.
func deprovision(_ *http.Request, q Request) answer {
	if _, ok := session(q); !ok {
		return invalid()
	}
	return answer{status: http.StatusOK, contentType: "application/json", body: []byte(`{"outputs":{}}`)}
}

func session(q Request) (workflowCall, bool) {
	var call workflowCall
	err := json.Unmarshal([]byte(q.Body), &call)
	return call, err == nil && call.SessionID != ""
}

// invalid is what a Logic App trigger answers to a body that does not fit its schema.
func invalid() answer {
	return answer{status: http.StatusBadRequest, contentType: "application/json", body: []byte(
		`{"error":{"code":"TriggerInputSchemaMismatch","message":"The body needs a sessionId."}}`)}
}

// short is enough of a session id to tell sessions apart.
func short(id string) string {
	plain := strings.ReplaceAll(id, "-", "")
	return plain[:min(8, len(plain))]
}
