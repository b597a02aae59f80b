package azureapp

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// checkSecrets finds secrets that anyone who has the package can read (AZA-143).
func (a *app) checkSecrets() {
	for _, d := range a.Files {
		a.checkSignatures(d)
	}
	for _, t := range a.Templates {
		for _, v := range t.Values {
			if namesSecret(v.Key) && isProperty(v) {
				a.checkSecret(t, v)
			}
		}
	}
}

// signature is an address that carries its own permission.
var signature = regexp.MustCompile(`(?i)https?://[^\s'"]+[?&]sig=[^\s'"&]`)

// checkSignatures finds addresses with a signature in any JSON file.
func (a *app) checkSignatures(d *content.Document) {
	if !maySign(d.Text) {
		return
	}
	var look func(n *jsondoc.Node, pointer func() string)
	look = func(n *jsondoc.Node, pointer func() string) {
		if n.Kind == jsondoc.String && strings.Contains(n.Text, "=") && signature.MatchString(n.Text) {
			a.report.Add("APP_SAS_IN_TEMPLATE", d.At(pointer(), n.Offset), "The text holds an address with a shared access signature.")
		}
		for i, item := range n.Items {
			look(item, func() string { return pointer() + "/" + strconv.Itoa(i) })
		}
		for _, m := range n.Members {
			look(m.Value, func() string { return pointer() + "/" + content.Pointer(m.Key) })
		}
	}
	look(d.Root, func() string { return "" })
}

// maySign reports whether a text may hold a signature: almost none does, and then its values are not looked at one by one.
func maySign(text []byte) bool {
	for i := 3; i < len(text); i++ {
		if text[i] == '=' && bytes.EqualFold(text[i-3:i], []byte("sig")) {
			return true
		}
	}
	return bytes.Contains(text, []byte(`\u`)) // it may be hidden behind escapes
}

// secretNames are how names of properties end that hold a secret.
var secretNames = []string{
	"password", "passphrase", "secret", "privatekey", "accountkey", "accesskey", "apikey", "sharedkey", "primarykey", "secondarykey", "sastoken",
}

func namesSecret(key string) bool {
	for _, name := range secretNames {
		if len(key) >= len(name) && strings.EqualFold(key[len(key)-len(name):], name) {
			return true
		}
	}
	return false
}

// isProperty reports whether a value is a property of a resource, or of an object in the variables. A variable is none:
// it may hold the name of a secret, and is looked at where it is used.
func isProperty(v *armtemplate.Value) bool {
	switch v.Section {
	case "resources":
		return !strings.EqualFold(v.Parent.Key, "tags")
	case "variables":
		return v.Parent.Parent.Parent != nil
	default:
		return false
	}
}

// checkSecret looks at the value of a secret, or at what is handed to a nested template as one.
func (a *app) checkSecret(t *armtemplate.Template, v *armtemplate.Value) {
	if v.Kind == jsondoc.Object {
		v = v.Member("value")
	}
	if !v.Is(jsondoc.String) {
		return
	}
	if why := revealed(v); why != "" {
		a.add("APP_LITERAL_SECRET", t, v, "%s is %s.", v.Key, why)
		return
	}
	if v.Section == "variables" || v.Expr == nil || !v.Expr.Root().Calls("variables") {
		return
	}
	held := resolveMember(t, v.Expr)
	if !held.Is(jsondoc.String) || namesSecret(held.Key) && isProperty(held) { // found there
		return
	}
	if why := revealed(held); why != "" {
		name, _ := v.Expr.Root().Argument(0)
		a.add("APP_LITERAL_SECRET", t, v, "%s is the variable %s, which is %s.", v.Key, name, why)
	}
}

// revealed says how a text gives a secret away, "" when it does not.
func revealed(v *armtemplate.Value) string {
	switch e := v.Expr; {
	case v.Word() == "":
		return ""
	case !armexpr.Is(v.Text):
		return "a literal"
	case e.Calls("uniqueString"):
		return "uniqueString() alone, which anyone can compute"
	case e.Calls("concat", "format") && predictable(e):
		return "made of a parameter and a literal"
	default:
		return ""
	}
}

// predictable reports whether all arguments are literals and parameters, at least one of them a literal.
func predictable(e *armexpr.Node) bool {
	literals := 0
	for _, arg := range e.Args {
		switch {
		case arg.Kind == armexpr.String || arg.Kind == armexpr.Number:
			literals++
		case !arg.Calls("parameters"):
			return false
		}
	}
	return literals > 0
}
