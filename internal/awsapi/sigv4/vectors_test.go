package sigv4

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

type vector struct {
	ID              string    `json:"id"`
	Note            string    `json:"note"`
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"secretAccessKey"`
	SessionToken    string    `json:"sessionToken"`
	Now             time.Time `json:"now"`
	Request         struct {
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Expect string `json:"expect"`
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(data, &list); err != nil {
		tb.Fatal(err)
	}
	return list
}

func (v *vector) request() *http.Request {
	r := httptest.NewRequest(v.Request.Method, v.Request.URL, nil)
	for name, value := range v.Request.Headers {
		switch strings.ToLower(name) {
		case "host":
			r.Host = value
		case "transfer-encoding":
			r.TransferEncoding = []string{value}
		default:
			r.Header.Set(name, value)
		}
	}
	return r
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			r := v.request()
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID != v.AccessKeyID || s.Token != v.SessionToken {
				t.Errorf("key %q, token %q", s.AccessKeyID, s.Token)
			}
			payload := Body([]byte(v.Request.Body))
			if r.URL.Path == "/putMedia" {
				payload = Streaming()
			}
			err = s.Verify(r, SigningKey(v.SecretAccessKey, s.Date, s.Region, s.Service), payload, v.Now)
			if v.Expect == "valid" {
				if err != nil {
					t.Errorf("%s: %v", v.Note, err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Mismatch {
				t.Errorf("%s: %v, want a mismatch", v.Note, err)
			}
		})
	}
}
