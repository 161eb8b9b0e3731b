package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are an access key, with a session token if they are temporary.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// Signer signs requests. Its zero options sign as the AWS SDKs do; the others
// are for clients that differ.
type Signer struct {
	Credentials Credentials
	Region      string
	Service     string

	// Payload stands for the hash of the body, for example UNSIGNED-PAYLOAD.
	Payload string
	// Headers are signed instead of host, content-type, x-amz-* and x-amzn-*
	// when it is not empty.
	Headers []string
	// UnsignedToken sends the session token without signing it.
	UnsignedToken bool
}

// Sign signs a request in the header form: it sets X-Amz-Date, the session
// token and Authorization. body is what the request will send.
func Sign(r *http.Request, body []byte, cred Credentials, region, service string, now time.Time) error {
	return (&Signer{Credentials: cred, Region: region, Service: service}).Sign(r, body, now)
}

// Presign signs a request in the query form: it adds the parameters to the
// request's URL. The parameter X-Amz-Expires is left out if expires is 0.
func Presign(r *http.Request, body []byte, cred Credentials, region, service string, expires time.Duration, now time.Time) error {
	return (&Signer{Credentials: cred, Region: region, Service: service}).Presign(r, body, expires, now)
}

// Sign is like the function Sign.
func (g *Signer) Sign(r *http.Request, body []byte, now time.Time) error {
	s := g.signature(now)
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", s.time)
	r.Header.Del("X-Amz-Security-Token")
	if g.Credentials.SessionToken != "" && !g.UnsignedToken {
		r.Header.Set("X-Amz-Security-Token", g.Credentials.SessionToken)
	}
	s.SignedHeaders = g.headers(r)
	sum, err := g.sum(s, r, body)
	if err != nil {
		return err
	}
	if g.UnsignedToken && g.Credentials.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", g.Credentials.SessionToken)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+s.credential()+", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+", Signature="+sum)
	return nil
}

// Presign is like the function Presign.
func (g *Signer) Presign(r *http.Request, body []byte, expires time.Duration, now time.Time) error {
	s := g.signature(now)
	s.Presigned = true
	s.SignedHeaders = []string{"host"}
	if len(g.Headers) > 0 {
		s.SignedHeaders = g.headers(r)
	}
	add := func(name, value string) {
		if r.URL.RawQuery != "" {
			r.URL.RawQuery += "&"
		}
		r.URL.RawQuery += name + "=" + encode(value, 'a')
	}
	add(paramAlgorithm, algorithm)
	add(paramCredential, s.credential())
	add(paramDate, s.time)
	if expires != 0 {
		add(paramExpires, strconv.FormatInt(int64(expires/time.Second), 10))
	}
	add(paramSignedHeaders, strings.Join(s.SignedHeaders, ";"))
	token := g.Credentials.SessionToken
	late := g.UnsignedToken || g.Service == gateway
	if token != "" && !late {
		add(paramToken, token)
	}
	sum, err := g.sum(s, r, body)
	if err != nil {
		return err
	}
	add(paramSignature, sum)
	if token != "" && late {
		add(paramToken, token)
	}
	return nil
}

func (g *Signer) signature(now time.Time) *Signature {
	text := now.UTC().Format(timeFormat)
	return &Signature{
		AccessKeyID: g.Credentials.AccessKeyID,
		Date:        text[:len(dateFormat)],
		Region:      g.Region,
		Service:     g.Service,
		time:        text,
	}
}

func (s *Signature) credential() string {
	return strings.Join([]string{s.AccessKeyID, s.Date, s.Region, s.Service, terminator}, "/")
}

// headers returns the names of the headers to sign.
func (g *Signer) headers(r *http.Request) []string {
	names := []string{"host"}
	if len(g.Headers) > 0 {
		for _, name := range g.Headers {
			names = append(names, strings.ToLower(name))
		}
	} else {
		for name := range r.Header {
			name = strings.ToLower(name)
			if name == "content-type" || strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-amzn-") && name != "x-amzn-trace-id" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (g *Signer) sum(s *Signature, r *http.Request, body []byte) (string, error) {
	payload := g.Payload
	if payload == "" {
		hash := sha256.Sum256(body)
		payload = hex.EncodeToString(hash[:])
	}
	query, err := canonicalQuery(r.URL.RawQuery, false)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", r.URL.Path, err)
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	canonical := s.appendCanonical(nil, r, variant{path: encodePath(wirePath(r)), host: host, query: query}, payload)
	key := SigningKey(g.Credentials.SecretAccessKey, s.Date, s.Region, s.Service)
	return hex.EncodeToString(hmacSHA256(key, string(s.appendStringToSign(nil, canonical)))), nil
}
