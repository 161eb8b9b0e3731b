package awsapi

import (
	"errors"
	"net/http"
)

// IsInvalid says whether err is a request's own fault.
func IsInvalid(err error) bool {
	c, ok := errors.AsType[*commonError](err)
	return ok && c.kind == invalid
}

// ParseForm reads a form and returns its lookup.
func ParseForm(rawQuery string, body []byte) (get func(name string) string, err error) {
	fs, err := parseForm(rawQuery, body)
	return fs.get, err
}

// Decode is what the gateway does between routing and authorization.
func (s *Service) Decode(op *Operation, r *http.Request, body []byte) (any, error) {
	if err := s.plan(op); err != nil {
		return nil, err
	}
	in := op.New()
	var absent absences
	var err error
	if s.Protocol == Query {
		var fs form
		if fs, err = parseForm(r.URL.RawQuery, body); err == nil {
			absent, err = s.decodeQuery(op, fs, in)
		}
	} else {
		absent, err = s.decodeREST(op, r, body, in)
	}
	if err != nil {
		return in, err
	}
	return in, s.validate(op, in, absent)
}

// Encode is the answer that an operation's output makes.
func (s *Service) Encode(op *Operation, out any, h http.Header) (body []byte, status int, stream Stream, err error) {
	if err := s.plan(op); err != nil {
		return nil, 0, nil, err
	}
	if s.Protocol == Query {
		return s.encodeQuery(op, out, "requestid"), 0, nil, nil
	}
	body, status, stream = s.encodeREST(op, out, h)
	return body, status, stream, nil
}

// Route finds an operation.
func (a *API) Route(method, path string) *Operation { return a.routes.find(method, path) }

// Labels are the label values of a path that was routed to uri.
func Labels(uri, path string) (map[string]string, error) {
	m := map[string]string{}
	err := labels(uri, path, func(name, value string) error {
		m[name] = value
		return nil
	})
	return m, err
}

// The bounds that tests look at.
const (
	MaxDepth    = maxDepth
	MaxUnfolded = maxUnfolded
)

// FormatTime and ParseTime are the timestamp forms.
var (
	FormatTime = formatTime
	ParseTime  = parseTime
)

// AppendXMLText escapes.
var AppendXMLText = appendXMLText

// RequestTags finds an input's tags.
var RequestTags = requestTags
