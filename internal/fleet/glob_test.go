package fleet

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	each(t, func(s *Service) { s.Limits.GlobKeys, s.Limits.GlobBytes = 6, 2000 }, func(t *testing.T, w *world) {
		path := func(key string) string { return "/fleet/glob-value?globKey=" + url.QueryEscape(key) }
		set := func(key, value string) { t.Helper(); w.must("PUT", path(key), m{"value": value}) }
		get := func(key string) string { t.Helper(); return w.must("GET", path(key), nil).text("value") }
		set("aws_iotify_0_key", `"-----BEGIN RSA PRIVATE KEY-----\nMIIEverysecret"`)
		if w.guard.last() != "fleet:PutGlobValue arn:aws:fleet:us-east-1:123456789012:glob/aws_iotify_0_key" {
			t.Error(w.guard.last())
		}
		for _, key := range []string{"a/b", "..", "ключ ключ", "a?b=c&d"} {
			set(key, `{"of":"`+key+`"}`)
			if got := get(key); got != `{"of":"`+key+`"}` {
				t.Errorf("%s: %s", key, got)
			}
		}
		set("a/b", `[1,2,3]`)
		if get("a/b") != `[1,2,3]` {
			t.Error(get("a/b"))
		}
		if strings.Contains(w.dump(), "MIIEverysecret") {
			t.Error("a value is in the database in clear")
		}
		var keys []string
		token := ""
		for {
			a := w.must("GET", "/fleet/glob?maxResults=2"+token, nil)
			keys = append(keys, a.names("keys", "globKey"))
			if a["nextToken"] == nil {
				break
			}
			token = "&nextToken=" + a.text("nextToken")
		}
		if got := strings.Join(keys, "|"); got != ".. a/b|a?b=c&d aws_iotify_0_key|ключ ключ" {
			t.Error(got)
		}
		if a := w.must("GET", "/fleet/glob?prefix=a", nil); a.names("keys", "globKey") != "a/b a?b=c&d aws_iotify_0_key" || a.names("keys", "size") != "7 16 49" {
			t.Error(a)
		}
		if a := w.must("GET", "/fleet/glob?prefix="+url.QueryEscape("ключ"), nil); a.names("keys", "globKey") != "ключ ключ" {
			t.Error(a)
		}
		for want, key := range map[string]string{"greater than or equal to 1": "", "less than or equal to 512": strings.Repeat("k", 513), "1 to 512 bytes": strings.Repeat("к", 257), "control characters": "a\x00b", "without control": "a\nb"} {
			w.refused("PUT", path(key), m{"value": "1"}, "InvalidRequestException", want)
			w.refused("GET", path(key), nil, "InvalidRequestException", want)
		}
		w.refused("PUT", path("k"), m{"value": "{"}, "InvalidRequestException", "a glob value is a JSON document of up to 256 KiB")
		w.refused("PUT", path("k"), m{"value": `"` + strings.Repeat("x", 262144) + `"`}, "InvalidRequestException", "262144")
		w.refused("PUT", path("k"), m{"value": `"` + strings.Repeat("к", 131072) + `"`}, "InvalidRequestException", "256 KiB")
		w.refused("PUT", path("k"), m{"value": `"` + strings.Repeat("x", 1990) + `"`}, "LimitExceededException", "at most 2000 bytes")
		set("sixth", "6")
		w.refused("PUT", path("seventh"), m{"value": "7"}, "LimitExceededException", "at most 6 keys")
		w.as(account, "made-up-1").refused("PUT", path("seventh"), m{"value": "7"}, "LimitExceededException", "at most 6 keys")
		set("sixth", "66") // replacing is none more
		w.must("DELETE", path("sixth"), nil)
		w.must("DELETE", path("sixth"), nil)
		set("seventh", "7")
		w.refused("GET", path("sixth"), nil, "ResourceNotFoundException", "Glob key sixth not found")

		stranger := w.as(other, region)
		stranger.refused("GET", path("a/b"), nil, "ResourceNotFoundException", "")
		stranger.must("DELETE", path("a/b"), nil)
		stranger.must("PUT", path("a/b"), m{"value": `"theirs"`})
		if get("a/b") != `[1,2,3]` || fmt.Sprint(stranger.must("GET", "/fleet/glob", nil).names("keys", "globKey")) != "a/b" {
			t.Error("accounts share values")
		}
		// What is counted is what there is.
		var n, size, counted, bytes int64
		if err := w.DB.QueryRow(t.Context(), `SELECT COUNT(*), SUM(size) FROM fleet_glob WHERE account = $1`, account).Scan(&n, &size); err != nil {
			t.Fatal(err)
		}
		if err := w.DB.QueryRow(t.Context(), `SELECT keys, bytes FROM fleet_glob_usage WHERE account = $1`, account).Scan(&counted, &bytes); err != nil {
			t.Fatal(err)
		}
		names := len("aws_iotify_0_key" + "a/b" + ".." + "ключ ключ" + "a?b=c&d" + "seventh")
		if n != counted || size+int64(names) != bytes {
			t.Errorf("%d keys, %d counted; %d bytes, %d counted", n, counted, size+int64(names), bytes)
		}
	})
}
