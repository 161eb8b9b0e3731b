package signin

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestDestination(t *testing.T) {
	for text, want := range map[string]string{ // empty: refused
		"":                                       "/",
		"/":                                      "/",
		"/things?x=1&y=%2F#/thing/a":             "/things?x=1&y=%2F#/thing/a",
		"/a%2Fb/c":                               "/a%2Fb/c",
		"/a/":                                    "/a/",
		"https://things.example:4566/iot/home#/": "/iot/home#/",
		"http://THINGS.example:4566":             "/",
		"https://console.aws.amazon.com/iot":     "/",
		"https://eu-west-1.console.aws.amazon.com/iot/home?region=eu-west-1": "/",
		"/console": "/console",

		"things":                                       "",
		"?x=1":                                         "",
		"//evil.example":                               "",
		"///evil.example":                              "",
		"/\\evil.example":                              "",
		"\\\\evil.example":                             "",
		"/a//evil.example":                             "",
		"/a/../..//evil.example":                       "",
		"/./federation?Action=logout":                  "",
		"/x/../federation?Action=logout":               "",
		"/x/%2e%2e/federation?Action=logout":           "",
		"/federation?Action=logout":                    "",
		"/federation/":                                 "",
		"/signin":                                      "",
		"/%66ederation?Action=logout":                  "",
		"https://evil.example/":                        "",
		"https://things.example/":                      "", // another port
		"https://things.example:4566@evil.example/":    "",
		"https://user@things.example:4566/":            "",
		"https://evil.example?.console.aws.amazon.com": "",
		"https://evilconsole.aws.amazon.com/":          "",
		"https://console.aws.amazon.com.evil.example/": "",
		"https://things.example:4566//evil.example/":   "",
		"http://console.aws.amazon.com/":               "",
		"javascript:alert(1)":                          "",
		"data:text/html,x":                             "",
		"/a\r\nSet-Cookie: x=y":                        "",
		" /a":                                          "",
		"\t//evil.example":                             "",
		"/%":                                           "",
		"ftp://things.example:4566/":                   "",
	} {
		x := &exchange{r: httptest.NewRequest(http.MethodGet, "http://things.example:4566/federation", http.NoBody)}
		got, ok := x.destination(text)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, ok, want)
		}
	}
}

func TestFrom(t *testing.T) {
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, tt := range []struct {
		name string
		tls  bool
		head map[string][]string
		want origin
	}{
		{"curl", false, nil, noBrowser},
		{"an SDK with the origin", true, map[string][]string{"Origin": {"https://things.example:4566"}}, sameSite},
		{"a proxy that does TLS", false, map[string][]string{"Origin": {"https://things.example:4566"}}, sameSite},
		{"a page without TLS", true, map[string][]string{"Origin": {"http://things.example:4566"}}, otherSite},
		{"another port", false, map[string][]string{"Origin": {"http://things.example:3000"}}, otherSite},
		{"another host", false, map[string][]string{"Origin": {"http://evil.example:4566"}}, otherSite},
		{"a sandbox", false, map[string][]string{"Origin": {"null"}}, otherSite},
		{"another scheme", false, map[string][]string{"Origin": {"file://things.example:4566"}}, otherSite},
		{"two origins", false, map[string][]string{"Origin": {"http://things.example:4566", "http://evil.example"}}, otherSite},
		{"two sites", false, map[string][]string{"Sec-Fetch-Site": {"same-origin", "cross-site"}}, otherSite},
		{"an own page", false, map[string][]string{"Sec-Fetch-Site": {"same-origin"}, "User-Agent": {firefox}}, sameSite},
		{"an own page by the wrong origin", false, map[string][]string{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://evil.example"}}, otherSite},
		{"the address bar", false, map[string][]string{"Sec-Fetch-Site": {"none"}, "User-Agent": {firefox}}, direct},
		{"a page of the same site", false, map[string][]string{"Sec-Fetch-Site": {"same-site"}}, otherSite},
		{"a page of another site", false, map[string][]string{"Sec-Fetch-Site": {"cross-site"}}, otherSite},
		{"a browser that does not say", false, map[string][]string{"User-Agent": {firefox}}, otherSite},
	} {
		url := "http://things.example:4566/federation"
		if tt.tls {
			url = "https://things.example:4566/federation"
		}
		r := httptest.NewRequest(http.MethodPost, url, http.NoBody)
		r.Header = tt.head
		if r.Header == nil {
			r.Header = http.Header{}
		}
		if got := (&exchange{r: r}).from(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	one, two := source(netip.MustParseAddr("2001:db8::1")), source(netip.MustParseAddr("2001:db8::2"))
	if one != two {
		t.Errorf("%s and %s are one network's", one, two)
	}
	other := source(netip.MustParseAddr("192.0.2.1"))
	if other == source(netip.MustParseAddr("192.0.2.2")) {
		t.Error("two machines are one")
	}
	for range burst {
		if _, ok := l.take(one, now); !ok {
			t.Fatal("refused too early")
		}
	}
	if wait, ok := l.take(two, now); ok || wait != refill {
		t.Errorf("%v, wait %s", ok, wait)
	}
	if _, ok := l.take(other, now); !ok {
		t.Error("one address slows another down")
	}
	l.giveBack(one, now)
	if _, ok := l.take(one, now); !ok {
		t.Error("what was given back is gone")
	}
	now = now.Add(refill)
	if _, ok := l.take(one, now); !ok {
		t.Error("no more after a while")
	}
	if wait, ok := l.take(one, now.Add(refill/2)); ok || wait != refill/2 {
		t.Errorf("%v, wait %s", ok, wait)
	}
	now = now.Add(10000 * refill)
	for range burst {
		if _, ok := l.take(one, now); !ok {
			t.Fatal("refused after a long time")
		}
	}
	if _, ok := l.take(one, now); ok {
		t.Error("idleness gives more than a burst")
	}
	if _, ok := l.take(one, now.Add(-time.Hour)); ok {
		t.Error("a clock that is set back gives more")
	}
	l.giveBack(other, now)
	for i := range burst + 1 {
		if _, ok := l.take(other, now); ok != (i < burst) {
			t.Errorf("attempt %d after giving back more than was taken: %v", i, ok)
		}
	}
}

// What is wrong with a body is named, as far as that is short.
func TestFaults(t *testing.T) {
	h := &Handler{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for body, want := range map[string]string{
		`{"username":"alice","account":"1","password":"x","user":"a"}`: `The body is not the JSON object that is wanted here: it has no member \"user\".`,
		`{"email":5}`:                            `The body is not the JSON object that is wanted here: \"email\" cannot be a number.`,
		`{"` + strings.Repeat("x", 100) + `":1}`: `The body is not the JSON object that is wanted here.`,
		`[]`:                                     `The body is not the JSON object that is wanted here.`,
		`{`:                                      `The body is not the JSON object that is wanted here.`,
		`{} {}`:                                  `The body is not the JSON object that is wanted here.`,
		`{"email":"` + strings.Repeat("x", 400) + `"}`:                      `\"email\" is too long or has control characters.`,
		`{"account":"1","userName":"a","password":"\u0007"}`:                `\"password\" is too long or has control characters.`,
		`{"account":"1","userName":"a","mfaCode":"12345678901234567890"}`:   `\"mfaCode\" is too long or has control characters.`,
		`{"account":"1","password":"x"}`:                                    `Either \"email\" or both \"account\" and \"userName\" are wanted.`,
		`{"account":"1","userName":"a","password":"p","email":"a@example"}`: `Either \"email\" or both \"account\" and \"userName\" are wanted.`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/signin", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(csrfHeader, "1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusBadRequest || got != `{"code":"InvalidRequest","message":"`+want+`"}` {
			t.Errorf("%s: %d %s\nwant %s", body, w.Code, got, want)
		}
	}
}

func TestWaiting(t *testing.T) {
	for seconds, want := range map[int]string{1: "1 second", 30: "30 seconds", 120: "120 seconds", 121: "3 minutes", 3600: "60 minutes"} {
		if got := waiting(seconds); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}
