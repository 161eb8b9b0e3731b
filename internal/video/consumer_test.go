package video

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/mkv"
)

// awsFragment is a fragment as AWS's GetMedia sent it: raw is what the producer's are between AWS's tags.
type awsFragment struct {
	raw, header, media       []byte
	number                   string
	server, producer, behind int64
}

// awsFragments takes what AWS's GetMedia sent apart.
func awsFragments(t *testing.T, body []byte) (list []awsFragment) {
	t.Helper()
	ms := func(text string) int64 {
		v, ok := parseSeconds(text)
		if !ok {
			t.Fatalf("time %q", text)
		}
		return v
	}
	p := mkv.NewParser(func(e *mkv.Event) error {
		switch e.Kind {
		case mkv.KindHeader:
			m := tagMap(e.Header.Tags)
			f := awsFragment{raw: slices.Clone(e.Header.Raw), number: m["AWS_KINESISVIDEO_FRAGMENT_NUMBER"],
				server: ms(m["AWS_KINESISVIDEO_SERVER_TIMESTAMP"]), producer: ms(m["AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"])}
			aws := tags("AWS_KINESISVIDEO_FRAGMENT_NUMBER", f.number,
				"AWS_KINESISVIDEO_SERVER_TIMESTAMP", m["AWS_KINESISVIDEO_SERVER_TIMESTAMP"],
				"AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", m["AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"])
			f.header = bytes.TrimSuffix(f.raw, aws)
			list = append(list, f)
		case mkv.KindTags:
			f := &list[len(list)-1]
			f.raw = append(f.raw, e.Raw...)
			if behind, ok := tagMap(e.Tags)["AWS_KINESISVIDEO_MILLIS_BEHIND_NOW"]; ok {
				f.behind = must(strconv.ParseInt(behind, 10, 64))
			} else {
				f.media = append(f.media, e.Raw...)
			}
		case mkv.KindData:
			f := &list[len(list)-1]
			f.raw, f.media = append(f.raw, e.Raw...), append(f.media, e.Raw...)
		}
		return nil
	})
	must(p.Write(body))
	return list
}

// A consumer gets the bytes that AWS's GetMedia sent of the same fragments, but for their numbers.
func TestGetMediaIsAWSs(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 87_600)
	list := awsFragments(t, file(t, "aws-getmedia-cut.mkv"))
	for i, a := range list {
		f.clock.add(time.UnixMilli(a.server).Sub(f.clock.now()))
		w := &wire{}
		// The recording's timecodes count from its beginning.
		first := a.producer - mediaTimecode(t, a)
		must(0, f.ingest(t.Context(), st, true, first, bytes.NewReader(slices.Concat(a.header, a.media)), w))
		if got := events(w.acks(t)); got != "BRP" {
			t.Fatalf("acknowledgements %s", got)
		}
		number := w.acks(t)[0].FragmentNumber
		f.clock.add(time.Duration(a.behind) * time.Millisecond)
		got := f.read(t, st, justBefore(number)).raw
		if want := bytes.ReplaceAll(a.raw, []byte(a.number), []byte(number)); !bytes.Equal(got, want) {
			t.Errorf("fragment %d: %d bytes, AWS sent %d", i, len(got), len(want))
		}
	}
	if len(list) < 3 {
		t.Errorf("%d fragments", len(list))
	}
}

func mediaTimecode(t *testing.T, a awsFragment) (ms int64) {
	t.Helper()
	p := mkv.NewParser(func(e *mkv.Event) error {
		if e.Kind == mkv.KindTimecode {
			ms = int64(e.Timecode)
		}
		return nil
	})
	must(p.Write(slices.Concat(a.header, a.media)))
	return ms
}

// media is a request to read, over HTTP; end ends it.
func (c *client) media(t *testing.T, path, body string) (res *http.Response, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	res, err := http.DefaultClient.Do(request(t, c.url+path, strings.NewReader(body)).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return res, func() {
		cancel()
		_ = res.Body.Close()
	}
}

// until reads until a text has come n times.
func until(t *testing.T, r io.Reader, text string, n int) []byte {
	t.Helper()
	var all []byte
	b := make([]byte, 4096)
	for bytes.Count(all, []byte(text)) < n {
		k, err := r.Read(b)
		if all = append(all, b[:k]...); err != nil {
			t.Fatalf("%v after %d bytes", err, len(all))
		}
	}
	return all
}

// NOW waits for what comes; a continuation token goes on behind the fragment that had it, without gap or repetition.
func TestFollowOverHTTP(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.IdleGet = time.Minute })
	st := f.create(t, "cam", 24)
	c := newClient(t, f)
	old := fill(t, f, st, 2)
	const token = "AWS_KINESISVIDEO_CONTINUATION_TOKEN"
	res, end := c.media(t, "/getMedia", `{"StreamARN":"`+st.ARN()+`","StartSelector":{"StartSelectorType":"NOW"}}`)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "video/webm" {
		t.Fatalf("%s, %v", res.Status, res.Header)
	}
	fill(t, f, st, 1)
	live := parseMedia(t, until(t, res.Body, token, 1)) // the value comes in the same write
	end()
	all := must(f.fragmentsAfter(t.Context(), st, before, 0, 10))
	if got := live.behind[0][0][token]; got != all[2].number || got == old[1].number {
		t.Errorf("NOW gives %s of %+v", got, all)
	}
	res, end = c.media(t, "/getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"CONTINUATION_TOKEN","ContinuationToken":"`+all[0].number+`"}}`)
	defer end()
	got := parseMedia(t, until(t, res.Body, token, 2))
	if len(got.tags) != 2 || got.tags[0]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != all[1].number || got.tags[1]["AWS_KINESISVIDEO_FRAGMENT_NUMBER"] != all[2].number {
		t.Errorf("behind the token come %v", got.tags)
	}
	fill(t, f, st, 1)
	if got := parseMedia(t, until(t, res.Body, token, 1)); len(got.clusters) != 1 {
		t.Errorf("%d fragments", len(got.clusters))
	}
}

// AWS's limits of readers: three at GetMedia, five at GetMediaForFragmentList, a thousand fragments.
func TestReaderLimits(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.Limits, s.IdleGet = Limits{}, time.Minute })
	st := f.create(t, "cam", 24)
	c := newClient(t, f)
	number := fill(t, f, st, 1)[0].number
	var ends []func()
	for i := range 5 {
		res, end := c.media(t, "/getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"NOW"}}`)
		ends = append(ends, end)
		if want := map[bool]string{true: "ConnectionLimitExceededException"}[i >= 3]; res.Header.Get("X-Amzn-Errortype") != want {
			t.Errorf("reader %d: %s %s", i, res.Status, res.Header.Get("X-Amzn-Errortype"))
		}
	}
	for _, end := range ends {
		end()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		u := f.traffic.of(st.ID)
		open := u.open["GetMedia"]
		u.mu.Unlock()
		if open == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d readers are counted when all have gone", open)
		}
	}
	res, end := c.media(t, "/getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"NOW"}}`)
	end()
	if res.StatusCode != 200 {
		t.Errorf("when all have gone: %s", res.Status)
	}
	numbers := strings.TrimSuffix(strings.Repeat(`"`+number+`",`, 1000), ",")
	answer := c.ok(t, "/getMediaForFragmentList", `{"StreamName":"cam","Fragments":[`+numbers+`]}`)
	if n := len(parseMedia(t, []byte(answer)).clusters); n != 1000 {
		t.Errorf("%d of 1000 fragments", n)
	}
}

// What is not served says so by its own name, signaling, edge and playback too.
func TestNotImplemented(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	c := newClient(t, f)
	n := 0
	for _, service := range []*awsapi.Service{kinesisvideo.Service, kvmedia.Service, kvarchive.Service} {
		for _, op := range service.Operations {
			if op.Bind(f.Service) != nil {
				continue
			}
			n++
			status, code, answer := c.post(t, op.URI, `{}`)
			if status != http.StatusNotImplemented || code != "NotImplemented" || !strings.Contains(answer, "kinesisvideo:"+op.Name) {
				t.Errorf("%s: %d %s %s", op.Name, status, code, answer)
			}
		}
	}
	if n == 0 {
		t.Error("all is served: this test can go")
	}
}

// The data retention of what is stored changes with that of its stream: longer keeps it longer, shorter ends it at once,
// and its space comes back.
func TestRetentionChanges(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 1)
		c := newClient(t, f)
		change := func(operation string, hours int) {
			t.Helper()
			now := must(f.stream(t.Context(), account, region, "cam"))
			c.ok(t, "/updateDataRetention", fmt.Sprintf(`{"StreamName":"cam","CurrentVersion":%q,"Operation":%q,"DataRetentionChangeInHours":%d}`, now.Version, operation, hours))
		}
		kept := func(want int) {
			t.Helper()
			must(0, f.reapOnce(t.Context()))
			var list struct {
				Fragments []struct{ FragmentNumber string }
			}
			must(0, json.Unmarshal([]byte(c.ok(t, "/listFragments", `{"StreamName":"cam"}`)), &list))
			now := must(f.stream(t.Context(), account, region, "cam"))
			listed, read := len(list.Fragments), len(f.read(t, now, before).clusters)
			if now.RetentionHours == 0 {
				listed = read // of such a stream nothing is listed
			}
			if listed != want || read != want {
				t.Errorf("%d fragments are listed, %d can be read, want %d", len(list.Fragments), read, want)
			}
			files := 0
			for range f.Blobs.List("video/" + st.ID) {
				files++
			}
			if files != want { // each has been sent by a connection of its own
				t.Errorf("%d files for %d fragments", files, want)
			}
		}
		fill(t, f, st, 2)
		f.clock.add(50 * time.Minute)
		kept(2)
		change("INCREASE_DATA_RETENTION", 2)
		f.clock.add(time.Hour)
		kept(2) // an hour and fifty minutes old
		fill(t, f, st, 1)
		change("DECREASE_DATA_RETENTION", 2)
		kept(1)
		change("INCREASE_DATA_RETENTION", 5)
		kept(1) // what is gone does not come back
		change("DECREASE_DATA_RETENTION", 6)
		kept(1) // for five minutes yet
		f.clock.add(5 * time.Minute)
		kept(0)
	})
}

// The C SDK reads at most 100 JSON tokens of an answer, and no escapes: with all that a stream can have, in characters
// that JSON encoders like to escape.
func TestAnswersForTheCSDK(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	c := newClient(t, f)
	tagged := make([]string, 0, 50)
	for i := range 50 {
		tagged = append(tagged, fmt.Sprintf(`"tag-%d":"+/=@"`, i))
	}
	answers := map[string]string{"create": c.ok(t, "/createStream", `{"StreamName":"cam","DeviceName":"d","MediaType":"video/h264,audio/aac","KmsKeyId":"k&<>","DataRetentionInHours":24,
		"Tags":{`+strings.Join(tagged, ",")+`},"StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}}`)}
	answers["describe"] = c.ok(t, "/describeStream", `{"StreamName":"cam"}`)
	answers["endpoint"] = c.ok(t, "/getDataEndpoint", `{"StreamName":"cam","APIName":"PUT_MEDIA"}`)
	for name, answer := range answers {
		d := json.NewDecoder(strings.NewReader(answer))
		n := 0
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			if delim, ok := token.(json.Delim); !ok || delim == '{' || delim == '[' {
				n++
			}
		}
		if n == 0 || n > 100 || strings.Contains(answer, `\`) {
			t.Errorf("%s: %d tokens: %s", name, n, answer)
		}
	}
}
