package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The parameters of the query form. Their names are case-sensitive.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"
	paramContentSHA256 = "X-Amz-Content-Sha256"
)

// Parse reads the signature of a request without touching its body. It returns
// nil, nil when the request carries none. Errors are *Error.
func Parse(r *http.Request) (*Signature, error) {
	query, err := signatureParams(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	authorization, err := single(r.Header, "Authorization")
	if err != nil {
		return nil, err
	}
	_, signed := query[paramSignature]
	_, named := query[paramAlgorithm]
	_, credited := query[paramCredential]
	presigned := signed || named || credited
	switch {
	case authorization != "" && presigned:
		return nil, errorf(Malformed, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified, not both")
	case authorization != "":
		return parseHeader(r.Header, authorization)
	case presigned:
		return parseQuery(r.Header, query)
	}
	return nil, nil
}

// parseHeader reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
// Spaces after the commas are optional. Errors do not repeat the header: it may
// be a password or a token, and they go into logs.
func parseHeader(h http.Header, authorization string) (*Signature, error) {
	name, list, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	var fields [3]string
	keys := [3]string{"Credential", "Signature", "SignedHeaders"}
	var has [3]bool
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, errorf(Malformed, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", hashed(authorization))
		}
		for i := range keys {
			if key != keys[i] {
				continue
			}
			if has[i] {
				return nil, errorf(Malformed, "Authorization header has more than one '%s' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=%s", key, hashed(authorization))
			}
			fields[i], has[i] = value, true
		}
	}
	if strings.HasPrefix(name, "AWS") && name != algorithm {
		return nil, errorf(Malformed, "Unsupported AWS 'algorithm': '%s'.", clip(name))
	}
	date, err := dateHeader(h)
	if err != nil {
		return nil, err
	}
	var missing strings.Builder
	for i := range keys {
		if fields[i] == "" {
			missing.WriteString("Authorization header requires '" + keys[i] + "' parameter. ")
		}
	}
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, errorf(Malformed, "%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing.String(), hashed(authorization))
	}
	if name != algorithm {
		return nil, errorf(Malformed, "Unsupported AWS 'algorithm': '%s'.", clip(name))
	}
	s := &Signature{signature: fields[1]}
	if s.Token, err = single(h, "X-Amz-Security-Token"); err != nil {
		return nil, err
	}
	if s.ContentSHA256, err = single(h, "X-Amz-Content-Sha256"); err != nil {
		return nil, err
	}
	return s, s.fill(fields[0], date, fields[2])
}

// hashed stands for a header in an error, as AWS has it.
func hashed(header string) string {
	sum := sha256.Sum256([]byte(header))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// parseQuery reads the X-Amz-… parameters.
func parseQuery(h http.Header, query map[string]string) (*Signature, error) {
	var missing strings.Builder
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature, paramSignedHeaders, paramDate} {
		if query[name] == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return nil, errorf(Malformed, "%sRe-examine the query-string parameters.", missing.String())
	}
	if query[paramAlgorithm] != algorithm {
		return nil, errorf(Malformed, "Unsupported AWS 'algorithm': '%s'.", clip(query[paramAlgorithm]))
	}
	s := &Signature{Presigned: true, signature: query[paramSignature], Token: query[paramToken]}
	token, err := single(h, "X-Amz-Security-Token")
	switch {
	case err != nil:
		return nil, err
	case s.Token == "":
		s.Token = token
	case token != "" && token != s.Token:
		return nil, errorf(Malformed, "The request has two different session tokens, in the query string and in a header.")
	}
	if s.ContentSHA256, err = single(h, "X-Amz-Content-Sha256"); err != nil {
		return nil, err
	}
	if s.ContentSHA256 == "" {
		s.ContentSHA256 = query[paramContentSHA256]
	}
	if text, ok := query[paramExpires]; ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return nil, errorf(Malformed, "X-Amz-Expires should be a number")
		case seconds < 1:
			return nil, errorf(Malformed, "X-Amz-Expires must be at least 1 second")
		case seconds > int64(MaxExpires/time.Second):
			return nil, errorf(Malformed, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		s.Expires = time.Duration(seconds) * time.Second
	}
	return s, s.fill(query[paramCredential], query[paramDate], query[paramSignedHeaders])
}

// fill takes apart what both forms have.
func (s *Signature) fill(credential, date, signedHeaders string) error {
	part := strings.Split(clip(credential), "/")
	if len(part) != 5 {
		return errorf(Malformed, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(credential))
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = part[0], part[1], part[2], part[3]
	if s.AccessKeyID == "" || s.Date == "" || s.Region == "" || s.Service == "" {
		return errorf(Malformed, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(credential))
	}
	if part[4] != terminator {
		return errorf(Scope, "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", clip(part[4]))
	}
	if len(s.AccessKeyID) > maxAccessKeyID {
		return NewError(UnknownKey)
	}
	if !isRegion(s.Region) {
		return errorf(Scope, "Credential should be scoped to a valid region, not '%s'.", clip(s.Region))
	}
	if err := s.setTime(date); err != nil {
		return err
	}
	s.SignedHeaders = strings.SplitN(signedHeaders, ";", maxSignedHeaders+1)
	if len(s.SignedHeaders) > maxSignedHeaders {
		return errorf(Malformed, "SignedHeaders names more than %d headers.", maxSignedHeaders)
	}
	host := false
	for i, name := range s.SignedHeaders {
		if !isHeaderName(name) {
			return errorf(Malformed, "SignedHeaders names '%s', which is not a header name in lower case.", clip(name))
		}
		for _, other := range s.SignedHeaders[:i] {
			if other == name {
				return errorf(Malformed, "SignedHeaders names '%s' more than once.", clip(name))
			}
		}
		host = host || name == "host" || name == ":authority"
	}
	if !host {
		return errorf(Mismatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

// setTime takes X-Amz-Date in ISO 8601 basic format, or the RFC 1123 form that
// only a Date header has.
func (s *Signature) setTime(text string) error {
	t, err := time.Parse(timeFormat, text)
	signed := text
	if err != nil && !s.Presigned {
		t, err = http.ParseTime(text)
		signed = t.UTC().Format(timeFormat)
	}
	if err != nil || len(signed) != len(timeFormat) { // time.Parse takes fractions
		return errorf(Malformed, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(text))
	}
	s.Time, s.time = t.UTC(), signed
	return nil
}

func dateHeader(h http.Header) (string, error) {
	date, err := single(h, "X-Amz-Date")
	if err != nil || date != "" {
		return date, err
	}
	return single(h, "Date")
}

// single returns a header that may occur only once: of two, each could be the
// one that somebody else looks at.
func single(h http.Header, name string) (string, error) {
	values := h[name] // all names here are in canonical form
	if len(values) > 1 {
		return "", errorf(Malformed, "The request has more than one '%s' header.", name)
	}
	if len(values) == 0 {
		return "", nil
	}
	return strings.TrimSpace(values[0]), nil
}

// signatureParams returns the parameters of the query form, refusing repeated
// ones.
func signatureParams(raw string) (map[string]string, error) {
	if !strings.Contains(raw, "X-Amz-") && !strings.Contains(raw, "%") {
		return nil, nil // the name of none of them can be spelled
	}
	params := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			continue // not one of ours; the canonical query refuses it
		}
		switch name {
		case paramAlgorithm, paramCredential, paramDate, paramExpires, paramSignedHeaders, paramSignature, paramToken, paramContentSHA256:
		default:
			continue
		}
		if _, ok := params[name]; ok {
			return nil, errorf(Malformed, "The query string has more than one '%s' parameter.", name)
		}
		if params[name], err = url.QueryUnescape(value); err != nil {
			return nil, errorf(Malformed, "The value of '%s' in the query string is not percent-encoded.", name)
		}
	}
	return params, nil
}

func isHeaderName(name string) bool {
	if name == ":authority" {
		return true
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return name != ""
}

// isRegion says whether a text may be a region's name. Regions become parts of
// ARNs: a colon or a wildcard in one would make it another ARN's.
func isRegion(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) <= 32
}
