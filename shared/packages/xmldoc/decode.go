package xmldoc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// declaredForm finds the encoding that a text declares.
var declaredForm = regexp.MustCompile(`^<\?xml[^>]{0,100}?\sencoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._-]{1,40})["']`)

// decode turns a text into UTF-8, or says why it cannot.
func decode(raw []byte) (text []byte, why string) {
	mark := []byte("\xef\xbb\xbf")
	switch {
	case bytes.HasPrefix(raw, mark):
		return raw[len(mark):], ""
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return decode16(raw[2:], binary.LittleEndian)
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return decode16(raw[2:], binary.BigEndian)
	case len(raw) > 1 && raw[1] == 0:
		return decode16(raw, binary.LittleEndian)
	case len(raw) > 1 && raw[0] == 0:
		return decode16(raw, binary.BigEndian)
	}
	if declared := declaredForm.FindSubmatch(raw); declared != nil {
		switch name := string(declared[1]); strings.ToLower(name) {
		case "utf-8", "utf8", "utf-16", "us-ascii":
		default:
			return raw, fmt.Sprintf("its encoding is %s; UTF-8 and UTF-16 are allowed", name)
		}
	}
	return raw, ""
}

func decode16(raw []byte, order binary.ByteOrder) (text []byte, why string) {
	if len(raw)%2 != 0 {
		return nil, "its last character of UTF-16 is cut off"
	}
	text = make([]byte, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		r := rune(order.Uint16(raw[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(raw) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(raw[i+2:]))); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		text = utf8.AppendRune(text, r) // a lone surrogate becomes the replacement character
	}
	return text, ""
}
