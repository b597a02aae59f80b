package remoteshell

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// The words of WS-Management that remote shells use.
const (
	shellNS       = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	shellResource = shellNS + "/cmd"
	actionCreate  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	actionDelete  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"
	actionCommand = shellNS + "/Command"
	actionReceive = shellNS + "/Receive"
	actionSignal  = shellNS + "/Signal"
	signalEnd     = shellNS + "/signal/terminate"
	stateDone     = shellNS + "/CommandState/Done"
)

// The codes of faults.
const (
	faultDenied  = "5"
	faultTimeout = "2150858793" // nothing to receive yet
)

// message is a request to a machine.
type message struct {
	action, shell string
	options       [][2]string
	body          string // XML
}

// envelope writes a request, in the order of the protocol's published samples.
func (m message) envelope(to string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"`+
		` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="%s"><s:Header>`+
		`<a:To>%s</a:To><w:ResourceURI s:mustUnderstand="true">%s</w:ResourceURI>`+
		`<a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>`+
		`<a:Action s:mustUnderstand="true">%s</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize>`+
		`<a:MessageID>uuid:%s</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>`+
		`<w:OperationTimeout>PT20S</w:OperationTimeout>`, shellNS, escape(to), shellResource, m.action, strings.ToUpper(uuid.NewString()))
	if m.shell != "" {
		fmt.Fprintf(&b, `<w:SelectorSet><w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet>`, escape(m.shell))
	}
	if len(m.options) > 0 {
		b.WriteString(`<w:OptionSet>`)
		for _, o := range m.options {
			fmt.Fprintf(&b, `<w:Option Name="%s">%s</w:Option>`, o[0], o[1])
		}
		b.WriteString(`</w:OptionSet>`)
	}
	fmt.Fprintf(&b, `</s:Header><s:Body>%s</s:Body></s:Envelope>`, m.body)
	return b.String()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// selector names a thing among others.
type selector struct {
	Name string `xml:"Name,attr"`
	Text string `xml:",chardata"`
}

// stream is a part of what a command writes, in base64.
type stream struct {
	Name string `xml:"Name,attr"`
	Text string `xml:",chardata"`
}

// answer is what a machine says: the members of all answers, of which each has its own.
type answer struct {
	Selectors []selector `xml:"Body>ResourceCreated>ReferenceParameters>SelectorSet>Selector"`
	ShellID   string     `xml:"Body>Shell>ShellId"`
	CommandID string     `xml:"Body>CommandResponse>CommandId"`
	Streams   []stream   `xml:"Body>ReceiveResponse>Stream"`
	State     struct {
		State string `xml:"State,attr"`
		Code  int    `xml:"ExitCode"`
	} `xml:"Body>ReceiveResponse>CommandState"`
	Fault *struct {
		Detail struct {
			Code string `xml:"Code,attr"`
		} `xml:"Detail>WSManFault"`
	} `xml:"Body>Fault"`
}

// shell is the id of the shell that was made.
func (a answer) shell() string {
	for _, s := range a.Selectors {
		if s.Name == "ShellId" {
			return s.Text
		}
	}
	return a.ShellID
}
