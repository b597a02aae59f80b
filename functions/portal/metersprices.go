package portal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/web"
)

// format is a file format of price workbooks, beside JSON.
type format struct {
	name      string // of the parameter format, and ending of the file's name
	mediaType string
	workbook  dimension.Workbook
}

var formats = []format{
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", dimension.XLSX{}},
	{"csv", "text/csv", dimension.CSV{}},
}

// maxWorkbook bounds a workbook, in bytes; the largest that makes sense has half of it.
const maxWorkbook = 1 << 20

// wireRow is a row of the workbook.
type wireRow struct {
	MarketName string       `json:"marketName"`
	Market     string       `json:"market"`
	Currency   string       `json:"currency"`
	Key        string       `json:"priceKey"`
	Price      *json.Number `json:"price"`   // null when there is none yet
	USDBase    *json.Number `json:"usdBase"` // null for an imported price
	RateDate   string       `json:"rateDate,omitempty"`
	Locked     bool         `json:"locked"`
}

func numberOf(text string) *json.Number {
	if text == "" {
		return nil
	}
	n := json.Number(text)
	return &n
}

// export answers the price workbook of a plan: as JSON, or as the file that the parameter format or the header Accept
// names (MTR-16).
func (h *Meters) export(w http.ResponseWriter, r *http.Request) error {
	file, err := wanted(r)
	if err != nil {
		return err
	}
	o, err := h.Dimensions.Read(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	rows, err := o.Export(r.PathValue("planId"))
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag)
	if file == nil {
		return writeRows(w, rows)
	}
	body, err := file.workbook.Write(dimension.Table(rows))
	if err != nil {
		return fmt.Errorf("export prices of plan %s: %w", r.PathValue("planId"), err)
	}
	w.Header().Set("Content-Type", file.mediaType)
	w.Header().Set("Content-Disposition", `attachment; filename="exportedPrice.`+file.name+`"`)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// wanted is the file format that a request asks for, nil for JSON.
func wanted(r *http.Request) (*format, error) {
	name := r.URL.Query().Get("format")
	if name == "" {
		for _, accepted := range strings.Split(r.Header.Get("Accept"), ",") {
			media, _, _ := strings.Cut(accepted, ";")
			if i := slices.IndexFunc(formats, func(f format) bool { return strings.EqualFold(f.mediaType, strings.TrimSpace(media)) }); i >= 0 {
				return &formats[i], nil
			}
		}
		return nil, nil
	}
	names := []string{"json"}
	for i, f := range formats {
		if strings.EqualFold(f.name, name) {
			return &formats[i], nil
		}
		names = append(names, f.name)
	}
	if strings.EqualFold(name, "json") {
		return nil, nil
	}
	return nil, fault.New(fault.Invalid, dimension.CodeInvalid, "format", "must be one of %s", strings.Join(names, ", "))
}

func writeRows(w http.ResponseWriter, rows []dimension.Row) error {
	out := struct {
		Value []wireRow `json:"value"`
	}{make([]wireRow, len(rows))}
	for i, row := range rows {
		out.Value[i] = wireRow{row.MarketName, row.Market, row.Currency, row.Key, numberOf(row.Price), numberOf(row.USDBase), row.RateDate, row.Locked}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// load takes the prices of an edited workbook, all of its rows or none: 200 with the workbook as it is now (MTR-16).
func (h *Meters) load(w http.ResponseWriter, r *http.Request) error {
	rows, err := readRows(w, r)
	if err != nil {
		return err
	}
	planID := r.PathValue("planId")
	o, err := h.Dimensions.Import(r.Context(), ref(r), planID, rows)
	if err != nil {
		return err
	}
	now, err := o.Export(planID)
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag)
	return writeRows(w, now)
}

// readRows reads the workbook of a request, in the format that its Content-Type names.
func readRows(w http.ResponseWriter, r *http.Request) ([]dimension.Row, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = "" // web.Decode says what is wrong with it
	}
	for _, f := range formats {
		if f.mediaType != media {
			continue
		}
		file, err := readFile(w, r)
		if err != nil {
			return nil, err
		}
		table, err := f.workbook.Read(file)
		if err != nil {
			return nil, err
		}
		return dimension.Rows(table)
	}
	var in struct {
		Value []struct {
			Market   string          `json:"market"`
			Currency string          `json:"currency"`
			Key      string          `json:"priceKey"`
			Price    json.RawMessage `json:"price"`
		} `json:"value"`
	}
	if err := web.Decode(r, &in); err != nil {
		return nil, err
	}
	out := make([]dimension.Row, len(in.Value))
	for i, row := range in.Value {
		price, err := scalar(fmt.Sprintf("value[%d].price", i), row.Price)
		if err != nil {
			return nil, err
		}
		out[i] = dimension.Row{Market: strings.ToUpper(row.Market), Currency: strings.ToUpper(row.Currency), Key: row.Key, Price: price}
	}
	return out, nil
}

func readFile(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWorkbook))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, fault.New(fault.TooLarge, "BodyTooLarge", "", "A workbook has at most %d bytes.", maxWorkbook).Because(err)
	case err != nil:
		return nil, fault.New(fault.Invalid, "IncompleteBody", "", "The workbook broke off.").Because(err)
	case len(file) == 0:
		return nil, fault.New(fault.Invalid, "MissingBody", "", "No workbook arrived; send Content-Length, a chunked body does not reach us.")
	}
	return file, nil
}
