package sample

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
)

// expiredText is what a customer is told whose token cannot be resolved (FUL-26).
const expiredText = `We couldn't identify this purchase. Please reopen this SaaS subscription in the Azure portal ` +
	`or in Microsoft 365 Admin Center and select "Configure Account" or "Manage Account" again.`

var (
	//go:embed landing.html
	landingHTML string
	//go:embed overview.html
	overviewHTML []byte

	landingPage = template.Must(template.New("landing").Parse(landingHTML))
)

// landingView is what the landing page shows.
type landingView struct {
	Token    string
	Problem  string    // in place of everything else
	Purchase *purchase // nil when nobody was asked
	Whole    string    // the answer of the marketplace, indented
	Pending  bool      // the purchase can be activated
}

// landing shows the purchase that the token stands for (FUL-18).
func (s *Server) landing(r *http.Request, q Request) answer {
	view, status := landingView{Token: q.Token}, http.StatusOK
	m := s.marketplace.Load()
	switch {
	case q.Token == "":
		view.Problem, status = expiredText, http.StatusBadRequest
	case m != nil:
		p, err := m.resolve(r.Context(), q.Token)
		if err != nil {
			view.Problem, status = s.problem(r, err)
			break
		}
		view.Purchase, view.Whole, view.Pending = &p, p.whole, p.Subscription.Status == "PendingFulfillmentStart"
	}
	return show(view, status)
}

// activate starts the purchase whose landing page the button was on, and shows that page again. The token is
// resolved anew: what a form says about plan and seats is nobody's word.
func (s *Server) activate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	token := r.FormValue("token")
	m := s.marketplace.Load()
	if m == nil || token == "" {
		write(w, show(landingView{Problem: expiredText}, http.StatusBadRequest))
		return
	}
	p, err := m.resolve(r.Context(), token)
	if err == nil {
		err = m.activate(r.Context(), p)
	}
	if err != nil {
		problem, status := s.problem(r, err)
		write(w, show(landingView{Problem: problem}, status))
		return
	}
	http.Redirect(w, r, "/landing?token="+url.QueryEscape(token), http.StatusSeeOther)
}

// problem is what a customer is told when a call to the marketplace failed.
func (s *Server) problem(r *http.Request, err error) (string, int) {
	if errors.Is(err, errUnknownPurchase) {
		return expiredText, http.StatusBadRequest
	}
	s.options.Log.WarnContext(r.Context(), "ask the marketplace", "error", err)
	return "The marketplace did not do it: " + err.Error(), http.StatusBadGateway
}

func show(view landingView, status int) answer {
	var page bytes.Buffer
	if err := landingPage.Execute(&page, view); err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: status, contentType: "text/html; charset=utf-8", body: page.Bytes()}
}

// overview shows what arrives while it arrives, and takes orders for how to answer.
func overview(w http.ResponseWriter, _ *http.Request) {
	write(w, answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: overviewHTML})
}
