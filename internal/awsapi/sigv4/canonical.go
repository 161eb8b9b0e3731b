package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// variant is one of the ways in which clients write the same request down.
type variant struct {
	path  string // canonical
	host  string
	query string // canonical
}

// appendCanonical appends the canonical request.
func (s *Signature) appendCanonical(b []byte, r *http.Request, v variant, payload string) []byte {
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = append(b, v.path...)
	b = append(b, '\n')
	b = append(b, v.query...)
	b = append(b, '\n')
	for _, name := range s.SignedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name, v.host)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, payload...)
}

// appendHeader appends the canonical value of a header. net/http takes some out
// of the map, and kvssink signs transfer-encoding and connection.
func appendHeader(b []byte, r *http.Request, name, host string) []byte {
	switch name {
	case "host", ":authority":
		return append(b, host...)
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...)
	}
	values := r.Header[http.CanonicalHeaderKey(name)]
	if len(values) == 0 {
		switch {
		case name == "content-length" && r.ContentLength >= 0:
			return strconv.AppendInt(b, r.ContentLength, 10)
		case name == "connection" && r.Close:
			return append(b, "close"...)
		}
	}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, value)
	}
	return b
}

// appendValue appends a header value without outer space and with single
// spaces inside.
func appendValue(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	if !strings.Contains(value, "  ") {
		return append(b, value...)
	}
	for i := 0; i < len(value); i++ {
		if value[i] != ' ' || value[i-1] != ' ' { // the first is no space
			b = append(b, value[i])
		}
	}
	return b
}

// wirePath returns the path as it was sent: url.URL encodes it anew when it
// holds bytes that should have been encoded.
func wirePath(r *http.Request) string {
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	path, _, _ = strings.Cut(path, "?")
	if path == "" {
		return "/"
	}
	return path
}

// canonicalPaths returns the canonical forms that clients derive from a path,
// likeliest first and without repetition: normalised and encoded once more, as
// AWS says; encoded once more; as it is. The last not for a path with an encoded
// percent sign: /a%2Fb encoded once more reads as /a%252Fb does as it is, and
// what was signed for one must not be good for the other.
func canonicalPaths(wire string) []string {
	paths := append(make([]string, 0, 3), encodePath(normalise(wire)))
	add := func(p string) {
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	add(encodePath(wire))
	if !strings.Contains(wire, "%25") {
		add(wire)
	}
	return paths
}

// normalise removes empty and dot segments, RFC 3986 section 6.2.2.3.
func normalise(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	last := ""
	for segment := range strings.SplitSeq(path, "/") {
		last = segment
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	clean := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

const upperHex = "0123456789ABCDEF"

// encodePath percent-encodes all but unreserved bytes and slashes.
func encodePath(path string) string { return encode(path, '/') }

// encode percent-encodes all bytes but the unreserved ones and keep.
func encode(s string, keep byte) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) && s[i] != keep {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved(c) || c == keep {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// canonicalQuery returns the parameters encoded and sorted, without the
// signature and, if omitToken is set, without the session token.
func canonicalQuery(raw string, omitToken bool) (string, error) {
	if raw == "" {
		return "", nil
	}
	type param struct{ name, value string }
	params := make([]param, 0, 1+strings.Count(raw, "&"))
	size := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		// A plus is a space here because it is one to whoever decodes the query.
		name, err1 := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return "", errorf(Malformed, "The query string is not percent-encoded, from '%s' on.", clip(key))
		}
		if name == paramSignature || omitToken && name == paramToken {
			continue
		}
		p := param{encode(name, 'a'), encode(value, 'a')}
		params = append(params, p)
		size += len(p.name) + len(p.value) + 2
	}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	b := make([]byte, 0, size)
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return string(b), nil
}
