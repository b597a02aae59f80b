package offers

import (
	"net/http"
	"regexp"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// Audience is the token audience of the portal API (CPP-4); the marketplace's own is accepted as well.
const (
	Audience            = "https://cloudpartner.azure.com"
	marketplaceAudience = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"
)

var versions = []string{"2016-08-01-preview", "2017-10-31"}

// Routes mounts the portal API.
func (h *Handler) Routes(rt *web.Router) {
	publishers := rt.API(cppAPI("/api/publishers"))
	const base = "/api/publishers/{publisherId}/offers"
	const one = base + "/{offerId}"
	publishers.Handle(http.MethodGet, base, web.Publisher(mayRead), h.cppList)
	publishers.Handle(http.MethodGet, one, web.Publisher(mayRead), h.cppGet)
	publishers.Handle(http.MethodPut, one, web.Publisher(mayEdit), h.cppPut)
	publishers.Handle(http.MethodGet, one+"/versions/{version}", web.Publisher(mayRead), h.cppVersion)
	publishers.Handle(http.MethodGet, one+"/slot/{slotId}", web.Publisher(mayRead), h.cppSlot)
	publishers.Handle(http.MethodGet, one+"/status", web.Publisher(mayRead), h.cppStatus)
	publishers.Handle(http.MethodPost, one+"/publish", web.Publisher(maySubmit), h.cppPublish)
	publishers.Handle(http.MethodPost, one+"/golive", web.Publisher(maySubmit), h.cppGoLive)
	publishers.Handle(http.MethodPost, one+"/cancel", web.Publisher(maySubmit), h.cppCancel)
	publishers.Handle(http.MethodGet, one+"/submissions", web.Publisher(mayRead), h.cppSubmissions)
	publishers.Handle(http.MethodGet, one+"/operations/{operationId}", web.Publisher(mayRead), h.cppOperation)

	operations := rt.API(cppAPI("/api/operations"))
	operations.Handle(http.MethodGet, "/api/operations/{operationId}", web.App(), h.cppOperationByName)

	types := rt.API(cppAPI("/api/offerTypes"))
	types.Handle(http.MethodGet, "/api/offerTypes", web.App(), h.cppTypes)
}

func cppAPI(prefix string) web.API {
	return web.API{
		Prefix: prefix, Audiences: []string{Audience, marketplaceAudience}, Write: cppErrors, Before: cppVersionOf,
		CorrelationHeader: "x-ms-correlation-request-id", // CPP-11
	}
}

// codeVersion is the code of a wrong api-version, whose body is fixed.
const codeVersion = "InvalidAPIVersion"

// cppVersionOf refuses a request without a known api-version (CPP-3).
func cppVersionOf(r *http.Request) error {
	given := r.URL.Query().Get("api-version")
	for _, v := range versions {
		if given == v {
			return nil
		}
	}
	return fault.New(fault.Invalid, codeVersion, "api-version", "Invalid api version. Allowed values are [%s]", strings.Join(versions, ", "))
}

type cppError struct {
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Details []cppDetail `json:"details,omitempty"`
}

type cppDetail struct {
	Code    string `json:"code"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message"`
}

// cppErrors renders an error (CPP-7). What is not ready comes with details (CPP-40), and so does bad input whose
// field has a name.
func cppErrors(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	body := cppError{Code: f.Code, Message: f.Message}
	switch {
	case f.Kind == fault.Forbidden:
		body = cppError{Code: "Forbidden", Message: "User does not have the required permissions"}
	case f.Code == "MalformedJson":
		body.Code = "BadRequest" // CPP-8
	case f.Kind == fault.StaleETag:
		body.Code = "PreconditionFailed"
	case f.Kind == fault.Unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	found := f.Details
	if len(found) == 0 && f.Target != "" && f.Kind != fault.Forbidden && f.Kind != fault.Unauthenticated && f.Code != codeVersion {
		found = []fault.Detail{{Code: body.Code, Target: f.Target, Message: body.Message}}
	}
	for _, d := range found {
		body.Details = append(body.Details, cppDetail{Code: d.Code, Target: d.Target, Message: d.Message})
	}
	// Strings always encode.
	_ = web.WriteJSON(w, f.Kind.Status(), map[string]cppError{"error": body})
}

func (h *Handler) cppTypes(w http.ResponseWriter, _ *http.Request) error {
	type offerType struct {
		ID       string   `json:"id"`
		Name     string   `json:"displayName"`
		Versions []string `json:"versions"`
	}
	out := []offerType{}
	for _, t := range offer.Types() {
		if t.CPPWrites {
			out = append(out, offerType{ID: t.CPPID, Name: t.Name, Versions: versions})
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

var typeFilter = regexp.MustCompile(`^\s*offerTypeId\s+eq\s+'([^']*)'\s*$`)

// maxOffers bounds the list, whose contract has no pages.
const maxOffers = 2000

// cppList answers a bare array of summaries, by id (CPP-19).
func (h *Handler) cppList(w http.ResponseWriter, r *http.Request) error {
	only := ""
	if filter := r.URL.Query().Get("$filter"); filter != "" {
		match := typeFilter.FindStringSubmatch(filter)
		if match == nil {
			return fault.New(fault.Invalid, "BadRequest", "$filter", "The filter has the form offerTypeId eq '<id>'.")
		}
		only = match[1]
	}
	out, after := []cppSummary{}, ""
	for {
		page, next, err := h.deps.Catalogue.Offers(r.Context(), r.PathValue("publisherId"), after, 200)
		if err != nil {
			return err
		}
		for _, o := range page {
			sub, err := h.underway(r.Context(), &o)
			if err != nil {
				return err
			}
			if s := summary(&o, sub); only == "" || s.OfferTypeID == only {
				out = append(out, s)
			}
		}
		if after = next; after == "" || len(out) >= maxOffers {
			return web.WriteJSON(w, http.StatusOK, out)
		}
	}
}

func (h *Handler) cppGet(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	return h.cppAnswer(w, r, http.StatusOK, o)
}

// cppAnswer writes the draft with its ETag (CPP-12).
func (h *Handler) cppAnswer(w http.ResponseWriter, r *http.Request, status int, o offer.Offer) error {
	sub, err := h.underway(r.Context(), &o)
	if err != nil {
		return err
	}
	body, err := cppOfferOf(&o, sub, &o.Content, o.Version)
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag())
	return web.WriteJSON(w, status, body)
}

// cppPut creates or replaces the draft (CPP-13 to CPP-18, CPP-25 to CPP-32).
func (h *Handler) cppPut(w http.ResponseWriter, r *http.Request) error {
	var in cppPut
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := in.checkSizes(); err != nil {
		return err
	}
	d := draft(r)
	t, err := in.check(d)
	if err != nil {
		return err
	}
	if err := h.writable(r); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	o, created, err := h.deps.Offers.Put(r.Context(), d, t.ID, func(c *offer.Content) error { return in.apply(c, t) })
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return h.cppAnswer(w, r, status, o)
}

// writable refuses writes to offers of types that the portal API does not serve (CPP-1).
func (h *Handler) writable(r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	if t, ok := offer.TypeOf(o.OfferType); !ok || !t.CPPWrites {
		return notServed()
	}
	return nil
}

func notServed() error {
	return fault.New(fault.Invalid, "OfferTypeNotSupported", "offerTypeId", "Offers of this type cannot be changed through this API.")
}
