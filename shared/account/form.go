package account

import (
	"net/mail"
	"strings"
)

// GUID is an id of a directory, an application or anything else named by a GUID, as it is stored: in lower case,
// with hyphens. It is empty when the text is none.
func GUID(text string) string {
	if len(text) != 36 {
		return ""
	}
	text = strings.ToLower(text)
	for i, c := range []byte(text) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return ""
		}
	}
	return text
}

// IsMail reports whether the text is an e-mail address and nothing else.
func IsMail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}
