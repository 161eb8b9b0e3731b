package video

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// client makes requests of a fixture over HTTP.
type client struct {
	f   *fixture
	url string
}

func newClient(t *testing.T, f *fixture) *client {
	t.Helper()
	url, resources := overHTTP(t, f)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case <-resources:
			case <-done:
				return
			}
		}
	}()
	return &client{f, url}
}

// post answers the status, the error's code without its common end, and the body.
func (c *client) post(t *testing.T, path, body string) (status int, code, answer string) {
	t.Helper()
	res, err := http.DefaultClient.Do(request(t, c.url+path, strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSuffix(res.Header.Get("X-Amzn-Errortype"), "Exception"), string(b)
}

// ok is the answer of a request that succeeds.
func (c *client) ok(t *testing.T, path, body string) string {
	t.Helper()
	status, code, answer := c.post(t, path, body)
	if status != 200 {
		t.Fatalf("%s %s: %d %s %s", path, body, status, code, answer)
	}
	return answer
}

// What is set is given back, and goes with the stream.
func TestSettings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, nil)
		st := f.create(t, "cam", 24)
		c := newClient(t, f)
		images := `{"DestinationConfig":{"DestinationRegion":"eu-west-1","Uri":"s3://images/front"},"Format":"JPEG","FormatConfig":{"JPEGQuality":"90"},` +
			`"HeightPixels":480,"ImageSelectorType":"PRODUCER_TIMESTAMP","SamplingInterval":200,"Status":"ENABLED","WidthPixels":640}`
		notification := `{"DestinationConfig":{"Uri":"arn:aws:sns:eu-west-1:123456789012:fragments"},"Status":"DISABLED"}`
		for _, tt := range []struct{ kind, value string }{
			{"ImageGenerationConfiguration", images},
			{"NotificationConfiguration", notification},
		} {
			describe := func(want string) {
				t.Helper()
				var got, expected any
				if err := json.Unmarshal([]byte(c.ok(t, "/describe"+tt.kind, `{"StreamName":"cam"}`)), &got); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(want), &expected); err != nil {
					t.Fatal(err)
				}
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(expected)
				if string(a) != string(b) {
					t.Errorf("described\n%s\nwant\n%s", a, b)
				}
			}
			describe(`{}`)
			c.ok(t, "/update"+tt.kind, `{"StreamName":"cam","`+tt.kind+`":`+tt.value+`}`)
			describe(`{"` + tt.kind + `":` + tt.value + `}`)
			changed := strings.Replace(strings.Replace(tt.value, "ENABLED", "OFF", 1), `"Status":"DISABLED"`, `"Status":"ENABLED"`, 1)
			changed = strings.Replace(changed, "OFF", "DISABLED", 1)
			c.ok(t, "/update"+tt.kind, `{"StreamARN":"`+st.ARN()+`","`+tt.kind+`":`+changed+`}`)
			describe(`{"` + tt.kind + `":` + changed + `}`)
			c.ok(t, "/update"+tt.kind, `{"StreamName":"cam"}`)
			describe(`{}`)
			c.ok(t, "/update"+tt.kind, `{"StreamName":"cam","`+tt.kind+`":`+tt.value+`}`)
		}

		tier := func(stream, want string) {
			t.Helper()
			got := c.ok(t, "/describeStreamStorageConfiguration", `{"StreamName":"`+stream+`"}`)
			if !strings.Contains(got, `"StreamStorageConfiguration":{"DefaultStorageTier":"`+want+`"}`) || !strings.Contains(got, `"StreamName":"`+stream+`"`) {
				t.Errorf("%s, want %s", got, want)
			}
		}
		tier("cam", "HOT")
		update := `{"StreamName":"cam","CurrentVersion":"` + st.Version + `","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}}`
		c.ok(t, "/updateStreamStorageConfiguration", update)
		tier("cam", "WARM")
		if now := must(f.stream(t.Context(), account, region, "cam")); now.Version == st.Version {
			t.Error("the stream has the version that it had")
		}
		c.ok(t, "/createStream", `{"StreamName":"warm","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}}`)
		tier("warm", "WARM")
		for _, st := range []*Stream{st, must(f.stream(t.Context(), account, region, "warm"))} {
			c.ok(t, "/deleteStream", `{"StreamARN":"`+st.ARN()+`"}`)
		}
		noRows(t, d, "video_settings")
	})
}

// A channel is stored in one stream, a stream stores one channel, and cannot be deleted meanwhile.
func TestChannelStorage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, nil)
		a, b := f.create(t, "a", 24), f.create(t, "b", 24)
		c := newClient(t, f)
		const door = "arn:aws:kinesisvideo:eu-west-1:123456789012:channel/door/1700000000000"
		const yard = "arn:aws:kinesisvideo:eu-west-1:123456789012:channel/yard/1700000000001"
		set := func(channel string, st *Stream) string {
			t.Helper()
			m := `{"Status":"DISABLED"}`
			if st != nil {
				m = `{"Status":"ENABLED","StreamARN":"` + st.ARN() + `"}`
			}
			_, code, _ := c.post(t, "/updateMediaStorageConfiguration", `{"ChannelARN":"`+channel+`","MediaStorageConfiguration":`+m+`}`)
			return code
		}
		mapped := func(st *Stream, want string) {
			t.Helper()
			if got := c.ok(t, "/describeMappedResourceConfiguration", `{"StreamName":"`+st.Name+`"}`); got != `{"MappedResourceConfigurationList":[`+want+`]}` {
				t.Errorf("%s is mapped to %s", st.Name, got)
			}
		}
		item := func(channel string) string { return `{"ARN":"` + channel + `","Type":"SIGNALING_CHANNEL"}` }
		mapped(a, "")
		for _, step := range []struct {
			channel string
			st      *Stream
			want    string
		}{
			{door, a, ""}, {door, a, ""}, {door, b, "ResourceInUse"}, {yard, a, "ResourceInUse"}, {yard, b, ""},
		} {
			if got := set(step.channel, step.st); got != step.want {
				t.Errorf("%s into %s: %q, want %q", step.channel, step.st.Name, got, step.want)
			}
		}
		mapped(a, item(door))
		mapped(b, item(yard))
		for _, in := range []string{`{"ChannelName":"door"}`, `{"ChannelARN":"` + door + `"}`, `{"ChannelName":"door","ChannelARN":"` + door + `"}`} {
			want := `{"MediaStorageConfiguration":{"Status":"ENABLED","StreamARN":"` + a.ARN() + `"}}`
			if got := c.ok(t, "/describeMediaStorageConfiguration", in); got != want {
				t.Errorf("%s: %s", in, got)
			}
		}
		if _, code, _ := c.post(t, "/deleteStream", `{"StreamARN":"`+a.ARN()+`"}`); code != "ResourceInUse" {
			t.Errorf("a stream that stores a channel is deleted: %q", code)
		}
		if got := set(door, nil); got != "" {
			t.Error(got)
		}
		mapped(a, "")
		if got := c.ok(t, "/describeMediaStorageConfiguration", `{"ChannelName":"door"}`); got != `{"MediaStorageConfiguration":{"Status":"DISABLED"}}` {
			t.Error(got)
		}
		c.ok(t, "/deleteStream", `{"StreamARN":"`+a.ARN()+`"}`)
		// A channel that was made anew has another ARN.
		if _, code, _ := c.post(t, "/describeMediaStorageConfiguration", `{"ChannelARN":"`+strings.TrimSuffix(door, "0")+`1"}`); code != "ResourceNotFound" {
			t.Errorf("the channel of another ARN: %q", code)
		}
	})
}
