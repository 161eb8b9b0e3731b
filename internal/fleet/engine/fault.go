package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/fleet/script"
)

// counted is an error that metrics know already: it is not to be counted again when a script passes it on.
type counted struct{ err error }

func (e *counted) Error() string { return e.err.Error() }
func (e *counted) Unwrap() error { return e.err }

// errStopping is why calls end when the run ends.
var errStopping = errors.New("the run ends")

const (
	maxReason = 200
	maxText   = 2 << 10
)

// reasonOf is an error in words that are the same for all devices to which the same happens: without addresses of their own.
func reasonOf(err error) string {
	prefix := ""
	if a, ok := errors.AsType[*abruptEnd](err); ok {
		return a.text("")
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		prefix, err = u.Op+" request: ", u.Err
	}
	text := err.Error()
	var refused syscall.Errno
	switch e, isOp := errors.AsType[*net.OpError](err); {
	case isOp && e.Op == "dial":
		why := e.Err.Error()
		if errors.As(e.Err, &refused) {
			why = refused.Error()
		}
		text = "dial: " + why
		if e.Addr != nil { // a name that was not found has none
			text = fmt.Sprintf("dial %s: %s", e.Addr, why)
		}
	case errors.As(err, &refused):
		text = "connection lost: " + refused.Error()
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		text = "timed out"
	}
	return cut(prefix+text, maxReason)
}

// joined is errors as one, in one line; there is one at least.
func joined(faults []error) error {
	all := make([]any, len(faults))
	for i, err := range faults {
		all[i] = err
	}
	return fmt.Errorf(strings.Repeat("; %w", len(all))[2:], all...)
}

// ofMember is an error with the member of the protocol that it is about, which an error of a template says itself.
func ofMember(name string, err error) error {
	if e, ok := errors.AsType[*script.Error](err); ok && strings.HasPrefix(e.Place, "protocol.") {
		return err
	}
	return fmt.Errorf("protocol.%s: %w", name, err)
}

// certificateFault says whether trying to connect again is of little use: who the device is, or whom it speaks to, is not as it
// should.
func certificateFault(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "remote error" && certificateAlert(e.Err)
}

// certificateAlert says whether an alert is about the certificate that was sent. Package tls keeps the type of those of peers to
// itself, but not their words.
func certificateAlert(err error) bool {
	// RFC 8446, section 6.2: bad_certificate to certificate_unknown, unknown_ca, access_denied, certificate_required
	return slices.ContainsFunc([]tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}, func(a tls.AlertError) bool { return err.Error() == a.Error() })
}

// cut is as much of a text as n bytes hold, never a part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
