package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"
)

// ShownText is how many bytes of one text that a server sent are shown.
const ShownText = 300

// Printable takes control characters out of a text of a server, and cuts it to at most so many bytes and a mark.
func Printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// CheckAddress says what is wrong with the base address of a server; example is one that would do.
func CheckAddress(address, example string) error {
	u, err := parse(address, example)
	if err == nil && (u.RawQuery != "" || u.Fragment != "" || u.ForceQuery) {
		err = fmt.Errorf("%q goes on after the path; write it as %q", address, example)
	}
	return err
}

// parse reads an address that may have a query.
func parse(address, example string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the address is no URL; write it as %q", example)
	case u.User != nil:
		return nil, fmt.Errorf("the address holds a user name or password, which everyone could read; write it as %q", example)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q does not begin with http:// or https://; write it as %q", address, example)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host; write it as %q", address, example)
	}
	return u, nil
}

// Network describes an error below HTTP. Only errors that hold nothing a server sent are passed on: what a port that
// speaks another protocol says is nobody's business.
func Network(err error) string {
	var operation *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &operation):
		return Printable(operation.Error(), ShownText) + "; check the address, and that the server runs"
	case errors.As(err, &certificate):
		return Printable(certificate.Error(), ShownText) + "; use an address that its certificate names"
	}
	return "it does not answer as it should; check the address"
}
