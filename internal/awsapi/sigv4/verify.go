package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Payload is the body that a signature is to be true of.
type Payload struct {
	body      []byte
	streaming bool
	unsigned  bool
}

// Body is the payload of a request that was read whole.
func Body(body []byte) Payload { return Payload{body: body} }

// UnsignedBody is Body for an operation whose clients are known to sign
// UNSIGNED-PAYLOAD, in the header form, in place of its hash.
func UnsignedBody(body []byte) Payload { return Payload{body: body, unsigned: true} }

// Streaming is the payload of PutMedia, whose body is not looked at: it has no
// end, so its clients sign the value of X-Amz-Content-Sha256, whatever it is and
// whether or not the header itself is signed, or else the hash of nothing.
func Streaming() Payload { return Payload{streaming: true} }

// payloadLine returns the last line of the canonical request, after checking
// that a hash that the client sends is that of the body.
func (s *Signature) payloadLine(p Payload) (string, error) {
	streaming, body := p.streaming, p.body
	claimed := s.ContentSHA256
	isHash := len(claimed) == 64 && strings.Trim(claimed, "0123456789abcdefABCDEF") == ""
	switch {
	case streaming && claimed == "":
		return emptyHash, nil
	case streaming && (isHash || claimed == unsignedPayload || claimed == streamingPayload):
		return claimed, nil
	case claimed == "":
		if len(body) == 0 {
			return emptyHash, nil
		}
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:]), nil
	case claimed == unsignedPayload:
		// Presigners send it without a body. A body that anybody can exchange
		// is accepted only where a known client sends one.
		if len(body) > 0 && (!p.unsigned || s.Presigned) {
			return "", errorf(Mismatch, "The value of the 'X-Amz-Content-Sha256' header must be the SHA-256 hash of the request body for service '%s', not 'UNSIGNED-PAYLOAD'.", clip(s.Service))
		}
		return unsignedPayload, nil
	case isHash:
		sum := sha256.Sum256(body)
		if !strings.EqualFold(hex.EncodeToString(sum[:]), claimed) {
			return "", NewError(Mismatch)
		}
		return claimed, nil
	case strings.HasPrefix(claimed, "STREAMING-"):
		return "", errorf(Malformed, "The value '%s' of the 'X-Amz-Content-Sha256' header is not supported by service '%s'.", clip(claimed), clip(s.Service))
	}
	return "", errorf(Malformed, "The value of the 'X-Amz-Content-Sha256' header must be UNSIGNED-PAYLOAD or a valid SHA-256 hash, not '%s'.", clip(claimed))
}

// Verify checks the dates and the signature of the request that s was parsed
// from. key is the signing key (SigningKey) of AccessKeyID's secret for the
// scope of s. Errors are *Error.
func (s *Signature) Verify(r *http.Request, key []byte, payload Payload, now time.Time) error {
	if err := s.checkDates(now.UTC()); err != nil {
		return err
	}
	line, err := s.payloadLine(payload)
	if err != nil {
		return err
	}
	queries, err := s.queries(r.URL.RawQuery)
	if err != nil {
		return err
	}
	paths := canonicalPaths(wirePath(r))
	hosts := s.hosts(r)
	buf := make([]byte, 0, 1024)
	mac := hmac.New(sha256.New, key)
	// At most 2 × 2 × 3 forms. All are bound to the same secret, so that it is
	// safe to take any of them.
	for _, query := range queries {
		for _, host := range hosts {
			for _, path := range paths {
				buf = s.appendCanonical(buf[:0], r, variant{path: path, host: host, query: query}, line)
				if s.matches(mac, buf) {
					return nil
				}
				mac.Reset()
			}
		}
	}
	e := NewError(Mismatch)
	buf = s.appendCanonical(buf[:0], r, variant{path: paths[0], host: hosts[0], query: queries[0]}, line)
	e.CanonicalRequest = string(buf)
	e.StringToSign = string(s.appendStringToSign(nil, buf))
	return e
}

type keyedHash interface {
	Write([]byte) (int, error)
	Sum([]byte) []byte
}

func (s *Signature) matches(mac keyedHash, canonical []byte) bool {
	var text [256]byte
	_, _ = mac.Write(s.appendStringToSign(text[:0], canonical)) // a hash never fails
	var sum [sha256.Size]byte
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], mac.Sum(sum[:0]))
	return subtle.ConstantTimeCompare(want[:], []byte(s.signature)) == 1
}

func (s *Signature) appendStringToSign(b, canonical []byte) []byte {
	b = append(b, algorithm+"\n"...)
	b = append(b, s.time...)
	b = append(b, '\n')
	b = append(b, s.Date...)
	b = append(b, '/')
	b = append(b, s.Region...)
	b = append(b, '/')
	b = append(b, s.Service...)
	b = append(b, "/"+terminator+"\n"...)
	sum := sha256.Sum256(canonical)
	return hex.AppendEncode(b, sum[:])
}

// queries returns the canonical queries to try, the likelier first. Most
// signers have the session token in them; those of MQTT over WebSocket append
// it after signing.
func (s *Signature) queries(raw string) ([]string, error) {
	full, err := canonicalQuery(raw, false)
	if err != nil {
		return nil, err
	}
	if !s.Presigned || s.Token == "" {
		return []string{full}, nil
	}
	bare, err := canonicalQuery(raw, true)
	if err != nil {
		return nil, err
	}
	switch {
	case bare == full:
		return []string{full}, nil
	case s.Service == gateway:
		return []string{bare, full}, nil
	}
	return []string{full, bare}, nil
}

// hosts returns the host as received, and for MQTT over WebSocket also with
// or without the port that some of its signers add.
func (s *Signature) hosts(r *http.Request) []string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if s.Service != gateway {
		return []string{host}
	}
	if bare, ok := strings.CutSuffix(host, ":443"); ok {
		return []string{host, bare}
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return []string{host} // another port
	}
	return []string{host, host + ":443"}
}

func (s *Signature) checkDates(now time.Time) error {
	if day := s.time[:len(dateFormat)]; s.Date != day {
		return errorf(Scope, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", clip(s.Date), day, s.time)
	}
	life := Skew
	if s.Expires > 0 {
		life = s.Expires
	}
	if oldest := now.Add(-life); s.Time.Before(oldest.Truncate(time.Second)) {
		return errorf(Expired, "Signature expired: %s is now earlier than %s (%s - %s)", s.time, oldest.Format(timeFormat), now.Format(timeFormat), span(life))
	}
	if newest := now.Add(Skew); s.Time.After(newest) {
		return errorf(Expired, "Signature not yet current: %s is still later than %s (%s + %s)", s.time, newest.Format(timeFormat), now.Format(timeFormat), span(Skew))
	}
	return nil
}

func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return fmt.Sprintf("%d sec.", d/time.Second)
}
