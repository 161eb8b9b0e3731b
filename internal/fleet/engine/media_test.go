package engine_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/client"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/video"
)

// temporary is what the credentials provider gives, and the only key that video takes.
var temporary = sigv4.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "temporary", SessionToken: "token/of+the=device"}

type holder struct{}

func (holder) Recognize(context.Context, *sigv4.Signature) error { return nil }

func (holder) Authenticate(_ context.Context, r *http.Request, s *sigv4.Signature, p sigv4.Payload) (*awsapi.Caller, error) {
	if s.AccessKeyID != temporary.AccessKeyID || s.Token != temporary.SessionToken {
		return nil, sigv4.NewError(sigv4.UnknownKey)
	}
	return &awsapi.Caller{Type: awsapi.Root, Account: "123456789012"}, s.Verify(r, sigv4.SigningKey(temporary.SecretAccessKey, s.Date, s.Region, s.Service), p, time.Now())
}

func (holder) Authorize(_ context.Context, _ *awsapi.Request, checks []awsapi.Check) error {
	for _, c := range checks {
		if strings.Contains(c.Resource, "/denied/") {
			return awsapi.ErrAccessDenied("not you")
		}
	}
	return nil
}

// theater is Kinesis Video behind AWS's protocol.
type theater struct{ url string }

func (v *theater) VideoData(bool) string { return v.url }

func newTheater(t *testing.T) *client.Client {
	t.Helper()
	blobs, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := &theater{}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &video.Service{DB: dbtest.SQLite(t), Blobs: blobs, Now: time.Now, Endpoints: v, Log: log}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gateway := &awsapi.Gateway{Identity: holder{}, Log: log, Now: time.Now}
	server := httptest.NewServer(gateway.Handler(kinesisvideo.Service.Bind(s), kvmedia.Service.Bind(s), kvarchive.Service.Bind(s)))
	v.url = server.URL
	t.Cleanup(func() {
		s.Interrupt()
		server.Close()
		if err := errors.Join(s.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	return &client.Client{Endpoint: v.url, Region: "eu-west-1", Credentials: temporary}
}

type fragment struct {
	FragmentNumber      string
	FragmentSizeInBytes int64
}

// fragments are those of a stream, in their order.
func fragments(t *testing.T, c *client.Client, stream string) []fragment {
	t.Helper()
	answer, err := c.Call(t.Context(), "kinesis-video-archived-media", "ListFragments", map[string]any{"StreamName": stream, "MaxResults": 1000})
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Fragments []fragment }
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list.Fragments, func(a, b fragment) int { return strings.Compare(a.FragmentNumber, b.FragmentNumber) })
	return list.Fragments
}

// provider answers as AWS IoT's credentials provider does, role alias camera alone.
func provider(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/role-aliases/camera/credentials" || !strings.HasPrefix(r.Header.Get("X-Amzn-Iot-Thingname"), "d") {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"Access Denied"}`))
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"credentials": map[string]string{
		"accessKeyId": temporary.AccessKeyID, "secretAccessKey": temporary.SecretAccessKey, "sessionToken": temporary.SessionToken,
		"expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}})
}

const asCameras = `
	const options = {headers: {'x-amzn-iot-thingname': 'd' + client()}, certificate: settings['c' + client()], key: settings['k' + client()]}
	const answer = http.get('https://' + settings.site + '/role-aliases/' + settings.alias + '/credentials', options)
	if (!answer.ok) throw new Error('the provider answers ' + answer.status + ' ' + answer.json().message)
	state.__$keys = answer.json().credentials
	aws('kinesisvideo', 'CreateStream', {StreamName: 'd' + client(), DataRetentionInHours: 1}, state.__$keys)`

// cameras is a run of devices that have what a camera has: a certificate, a role alias, a stream.
func cameras(t *testing.T, n int, running string) (*site, *client.Client, engine.Options) {
	t.Helper()
	s, c := newSite(t, nil), newTheater(t)
	s.answer = provider
	m, o := s.clients(t, n)
	m.Protocol = nil
	m.Stages = map[string]string{"init": asCameras, "running": running}
	m.Settings = append(m.Settings, model.Setting{Name: "site"}, model.Setting{Name: "alias"})
	o.Settings["site"], o.Settings["alias"] = s.address, "camera"
	o.Endpoint, o.Region, o.Run.Time = c.Endpoint, c.Region, "virtual"
	return s, c, o
}

// Cameras get temporary keys for their certificates, and send video with them: made here, and their own. What a script is told
// is what the service has.
func TestPutMedia(t *testing.T) {
	t.Parallel()
	film, err := os.ReadFile("../../mkv/testdata/kvssink-alaw.mkv")
	if err != nil {
		t.Fatal(err)
	}
	s, c, o := cameras(t, 2, `
		const keys = state.__$keys
		state.made = putMedia({streamName: 'd' + client(), duration: '3s', fps: 5, bitrate: 100000, fragmentDuration: '1s', ...keys})
		const arn = aws('kinesisvideo', 'DescribeStream', {StreamName: 'd' + client()}, keys).StreamInfo.StreamARN
		state.own = putMedia({streamARN: arn, body: base64.decode(glob.get('film')), ...keys})`)
	own, err := json.Marshal(base64.StdEncoding.EncodeToString(film))
	if err != nil {
		t.Fatal(err)
	}
	o.Glob = &memory{m: map[string]json.RawMessage{"film": own}}
	run := prepare(t, o)
	res := finish(t, run)
	want(t, res, map[string]float64{"iterations": 2, "devices_failed": 0})
	if n := count(res, "requests"); n < 2*(1+1+1+2*3) || faults(res) != 0 { // the provider, CreateStream, DescribeStream; and of each video three
		t.Errorf("%v requests", n)
	}
	for i := range 2 {
		name := fmt.Sprint("d", i)
		if got := s.of(name); len(got) != 1 || got[0] != "GET /role-aliases/camera/credentials " {
			t.Errorf("%s asked the provider for %q", name, got)
		}
		type sent struct {
			Fragments, Refused, Connections int
			Bytes                           int64
			First, Last                     string
		}
		var told struct{ Made, Own sent }
		status, _ := run.Device(i)
		if err := json.Unmarshal(status.State, &told); err != nil {
			t.Fatalf("%v in %s", err, status.State)
		}
		kept := fragments(t, c, name)
		if len(kept) != told.Made.Fragments+told.Own.Fragments || told.Made.Fragments != 3 || told.Own.Fragments < 1 {
			t.Fatalf("%s: %d fragments are kept of %+v", name, len(kept), told)
		}
		for _, x := range []struct {
			told sent
			kept []fragment
		}{{told.Made, kept[:3]}, {told.Own, kept[3:]}} {
			var size int64
			for _, f := range x.kept {
				size += f.FragmentSizeInBytes
			}
			if x.told.Refused != 0 || x.told.Connections != 1 || x.told.First != x.kept[0].FragmentNumber || x.told.Last != x.kept[len(x.kept)-1].FragmentNumber ||
				x.told.Bytes <= 0 || size < x.told.Bytes/2 || size > 2*x.told.Bytes {
				t.Errorf("%s was told %+v, kept are %+v", name, x.told, x.kept)
			}
		}
		if strings.Contains(string(status.State), temporary.SecretAccessKey) {
			t.Errorf("the state shows the keys: %s", status.State)
		}
	}
}

// What is refused on the way is thrown with AWS's code, and counted once.
func TestPutMediaRefused(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		running, says string
		faults        int
	}{
		"no stream":      {"putMedia({streamName: 'none', duration: '1s', ...state.__$keys})", "ResourceNotFoundException 404", 1},
		"not allowed":    {"putMedia({streamARN: 'arn:aws:kinesisvideo:eu-west-1:123456789012:stream/denied/1', duration: '1s', ...state.__$keys})", "AccessDeniedException 403", 1},
		"another key":    {"putMedia({streamName: 'd0', duration: '1s', ...state.__$keys, accessKeyId: 'AKIAOTHER'})", "UnrecognizedClientException 403", 1},
		"another secret": {"putMedia({streamName: 'd0', duration: '1s', ...state.__$keys, secretAccessKey: 'other'})", "InvalidSignatureException 403", 1},
		"no key":         {"putMedia({streamName: 'd0', duration: '1s'})", "no access key to sign with", 0},
		"no ARN":         {"putMedia({streamARN: 'stream/d0/1', duration: '1s', ...state.__$keys})", "streamName or streamARN is missing", 0},
		"no Matroska":    {"putMedia({streamName: 'd0', body: 'no film at all', ...state.__$keys})", "the source: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c, o := cameras(t, 1, "try { "+x.running+"; log('sent') } catch (e) { log([e.code, e.statusCode, e.message].join(' ')) }")
			run := prepare(t, o)
			res := finish(t, run)
			want(t, res, map[string]float64{"iterations": 1, "devices_failed": 0})
			if logged(run, x.says) != 1 || faults(res) != x.faults {
				t.Errorf("errors %+v; the log:", res.Errors)
				for _, e := range run.Logs(0, 100) {
					t.Error(e.Text)
				}
			}
			if got := fragments(t, c, "d0"); len(got) != 0 {
				t.Errorf("kept are %+v", got)
			}
		})
	}
	// The provider's answer is the script's to judge.
	_, _, o := cameras(t, 1, "")
	o.Settings["alias"] = "unknown"
	res := do(t, o)
	want(t, res, map[string]float64{"iterations": 0, "devices_failed": 1})
	if len(res.FailedDevices) != 1 || !strings.Contains(res.FailedDevices[0].LastError, "the provider answers 403 Access Denied") {
		t.Errorf("%+v", res.FailedDevices)
	}
}
