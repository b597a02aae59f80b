package dimension

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"stoa/shared/fault"
)

// XLSX is the format of spreadsheets (ECMA-376): the table is on the first sheet. Only what a table needs of the
// format is read and written here; the libraries for all of it cost a handler a fifth of its start.
type XLSX struct{}

const (
	maxPart     = 3 << 20 // bytes of a part of the file when it is inflated
	maxColumns  = 64      // that are read
	exactDigits = 15      // of a number in a spreadsheet; what is behind them comes from its binary form
)

// numeric are the columns whose cells are numbers.
var numeric = []string{columnPrice, columnUSDBase}

// The parts of a file beside its sheet, as written.
const (
	xmlHead     = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	mainSpace   = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	linkSpace   = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	partContent = "application/vnd.openxmlformats-officedocument.spreadsheetml."

	contentTypes = xmlHead + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + partContent + `sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + partContent + `worksheet+xml"/></Types>`
	relationships = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="` + linkSpace + `/%s" Target="%s"/></Relationships>`
	workbookXML = xmlHead + `<workbook xmlns="` + mainSpace + `" xmlns:r="` + linkSpace + `"><sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>`
)

// Write implements Workbook.
func (XLSX) Write(table [][]string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range [][2]string{
		{"[Content_Types].xml", contentTypes},
		{"_rels/.rels", fmt.Sprintf(relationships, "officeDocument", "xl/workbook.xml")},
		{"xl/workbook.xml", workbookXML},
		{"xl/_rels/workbook.xml.rels", fmt.Sprintf(relationships, "worksheet", "worksheets/sheet1.xml")},
		{"xl/worksheets/sheet1.xml", sheetXML(table)},
	} {
		w, err := z.Create(part[0])
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			return nil, fmt.Errorf("write xlsx: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write xlsx: %w", err)
	}
	return b.Bytes(), nil
}

func sheetXML(table [][]string) string {
	var b bytes.Buffer
	b.WriteString(xmlHead + `<worksheet xmlns="` + mainSpace + `"><sheetData>`)
	for i, line := range table {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, text := range line {
			switch place := string(rune('A'+j)) + strconv.Itoa(i+1); {
			case text == "":
			case i > 0 && slices.Contains(numeric, table[0][j]):
				fmt.Fprintf(&b, `<c r="%s"><v>%s</v></c>`, place, text)
			default:
				fmt.Fprintf(&b, `<c r="%s" t="inlineStr"><is><t>`, place)
				_ = xml.EscapeText(&b, []byte(text)) // a buffer takes it
				b.WriteString(`</t></is></c>`)
			}
		}
		b.WriteString(`</row>`)
	}
	b.WriteString(`</sheetData></worksheet>`)
	return b.String()
}

// text is a text of a cell: as it is, or in runs of different looks.
type text struct {
	Plain string `xml:"t"`
	Runs  []struct {
		Text string `xml:"t"`
	} `xml:"r"`
}

func (t text) String() string {
	out := t.Plain
	for _, r := range t.Runs {
		out += r.Text
	}
	return out
}

// sheet is a part with cells; a shared text stands once in the file and cells name its number.
type sheet struct {
	Rows []struct {
		Cells []struct {
			Place  string `xml:"r,attr"`
			Type   string `xml:"t,attr"`
			Value  string `xml:"v"`
			Inline text   `xml:"is"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

// Read implements Workbook. Numbers are read with the 15 digits that a spreadsheet shows of them, texts of formulas as
// they were last computed. Lines without cells are left out.
func (XLSX) Read(file []byte) ([][]string, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, noSheet(err)
	}
	parts := xlsxParts{z}
	place, err := parts.firstSheet()
	if err != nil {
		return nil, noSheet(err)
	}
	var s sheet
	var shared struct {
		Texts []text `xml:"si"`
	}
	if err := parts.decode(place, &s); err != nil {
		return nil, noSheet(err)
	}
	if err := parts.decode("xl/sharedStrings.xml", &shared); err != nil && parts.has("xl/sharedStrings.xml") {
		return nil, noSheet(err)
	}
	if len(s.Rows) > MaxRows+1 {
		return nil, fault.New(fault.Invalid, CodeInvalid, "value", "A workbook has at most %d rows.", MaxRows)
	}
	table := make([][]string, 0, len(s.Rows))
	for _, row := range s.Rows {
		var line []string
		for _, c := range row.Cells {
			value := c.Value
			switch c.Type {
			case "s":
				n, err := strconv.Atoi(value)
				if err != nil || n < 0 || n >= len(shared.Texts) {
					return nil, noSheet(fmt.Errorf("cell %.20q has no shared text %.20q", c.Place, value))
				}
				value = shared.Texts[n].String()
			case "inlineStr":
				value = c.Inline.String()
			case "", "n":
				value = shownNumber(value)
			}
			column := columnOf(c.Place, len(line))
			if column >= maxColumns {
				continue
			}
			for len(line) <= column {
				line = append(line, "")
			}
			line[column] = value
		}
		if len(line) > 0 {
			table = append(table, line)
		}
	}
	return table, nil
}

func noSheet(err error) error {
	return fault.New(fault.Invalid, CodeInvalid, "value", "The file is no workbook of the kind xlsx.").Because(err)
}

// columnOf is the column of a place such as AB12, 0 for A; a cell without a place stands behind the one before.
func columnOf(place string, next int) int {
	n := 0
	for _, letter := range place {
		if letter < 'A' || letter > 'Z' || n > maxColumns {
			break
		}
		n = n*26 + int(letter-'A') + 1
	}
	if n == 0 {
		return next
	}
	return n - 1
}

// shownNumber is a number as a spreadsheet shows it: 1.1 is kept as 1.1000000000000001.
func shownNumber(cell string) string {
	number, ok := parse(cell)
	if !ok || number.NumDigits() <= exactDigits {
		return cell
	}
	return number.Round(int32(exactDigits-number.NumDigits()) - number.Exponent()).String()
}

// xlsxParts are the parts of a file.
type xlsxParts struct{ *zip.Reader }

func (p xlsxParts) has(name string) bool {
	return slices.ContainsFunc(p.File, func(f *zip.File) bool { return f.Name == name })
}

func (p xlsxParts) decode(name string, v any) error {
	at := slices.IndexFunc(p.File, func(f *zip.File) bool { return f.Name == name })
	if at < 0 {
		return fmt.Errorf("there is no part %.100q", name)
	}
	if p.File[at].UncompressedSize64 > maxPart { // reading more than is declared fails
		return fmt.Errorf("part %.100q is larger than %d bytes", name, maxPart)
	}
	r, err := p.File[at].Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return xml.NewDecoder(io.LimitReader(r, maxPart)).Decode(v)
}

// firstSheet is the name of the part with the first sheet.
func (p xlsxParts) firstSheet() (string, error) {
	var book struct {
		Sheets []struct {
			Link string `xml:"id,attr"`
		} `xml:"sheets>sheet"`
	}
	var links struct {
		All []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := p.decode("xl/workbook.xml", &book); err != nil {
		return "", err
	}
	if err := p.decode("xl/_rels/workbook.xml.rels", &links); err != nil {
		return "", err
	}
	if len(book.Sheets) == 0 {
		return "", fmt.Errorf("there is no sheet")
	}
	for _, l := range links.All {
		if l.ID == book.Sheets[0].Link {
			if strings.HasPrefix(l.Target, "/") {
				return strings.TrimPrefix(l.Target, "/"), nil
			}
			return path.Join("xl", l.Target), nil
		}
	}
	return "", fmt.Errorf("the first sheet has no part")
}
