package awsapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// A signature made for one service is good for no other, whoever routed it.
func TestScopeOfAnotherService(t *testing.T) {
	for _, tt := range []struct {
		signed string
		by     *awsapi.Service
		ok     bool
	}{
		{"iam", iam.Service, true},
		{"kinesisvideo", iam.Service, false},
		{"sts", iam.Service, false},
		{"iot", iot.Service, true},
		{"execute-api", iot.Service, true},
		{"iotdata", iot.Service, false},
		{"execute-api", iam.Service, false},
	} {
		s := newStand()
		r := form("Action=ListUsers&Version=2010-05-08")
		if tt.by == iot.Service {
			r = request("GET", "/things/lamp", "")
		}
		cred := sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
		if err := sigv4.Sign(r, nil, cred, "eu-west-1", tt.signed, time.Now()); err != nil {
			t.Fatal(err)
		}
		w := s.do(t, tt.by, r)
		if (w.Code == 200) != tt.ok || !tt.ok && (w.Code != 403 || len(s.events) != 0) {
			t.Errorf("signed for %s, answered by %s: %d %v %s", tt.signed, tt.by.Name, w.Code, s.events, w.Body)
		}
	}
}

// unread fails the test when a body is read that should not be.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// Strangers cannot make the server hold large bodies.
func TestLargeBodyOfStranger(t *testing.T) {
	for _, unknown := range []bool{false, true} {
		s := newStand()
		s.unknown = unknown
		r := httptest.NewRequest("POST", "/", unread{t})
		r.ContentLength = 1 << 20
		if unknown {
			signed(t, iam.Service, r)
		}
		want := map[bool]string{false: "MissingAuthenticationToken", true: "InvalidClientTokenId"}[unknown]
		if w := s.do(t, iam.Service, r); errorCode(t, iam.Service, w) != want || w.Code != 403 {
			t.Errorf("unknown key %v: %d %s", unknown, w.Code, w.Body)
		}
	}
}

// waiting is a body of which all but the end has come.
type waiting struct {
	left       int
	begun, end chan struct{}
}

func (w *waiting) Read(p []byte) (int, error) {
	if w.left > 0 {
		n := min(len(p), w.left)
		w.left -= n
		return n, nil
	}
	w.begun <- struct{}{}
	<-w.end
	return 0, io.ErrUnexpectedEOF
}

// Those with keys cannot make it hold too many, and one key not so many that
// there is no room for others.
func TestLargeBodiesTogether(t *testing.T) {
	s := newStand()
	h := s.handler(iam.Service)
	begun, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	post := func(key string, b io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/", b)
		r.ContentLength = 2 << 20
		if err := sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, "us-east-1", "iam", time.Now()); err != nil {
			t.Error(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	refused := func(key, when string) {
		t.Helper()
		if w := post(key, strings.NewReader(strings.Repeat("a", 2<<20))); w.Code != 503 || errorCode(t, iam.Service, w) != "ServiceUnavailable" {
			t.Errorf("%s: answered %d %s", when, w.Code, w.Body)
		}
	}
	s.fakeIdentity.mute, s.gateway.Observe = true, nil
	for i := range 32 { // 64 KiB of each are free
		if i == 8 {
			refused("KEY0", "one more of a key that has its share")
		}
		wg.Go(func() { post("KEY"+strconv.Itoa(i/8), &waiting{2<<20 - 1, begun, end}) })
		<-begun
	}
	wg.Go(func() { post("KEY4", &waiting{2<<20 - 1, begun, end}) })
	<-begun
	refused("KEY5", "one more than there is room for")
	// What is small passes, and what is only announced takes no room.
	if w := post("KEY0", strings.NewReader("Action=ListUsers")); w.Code != 200 {
		t.Errorf("a small one was answered %d %s", w.Code, w.Body)
	}
	close(end)
	wg.Wait()
	if w := post("KEY0", strings.NewReader("Action=ListUsers")); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// endless has a GetMedia that lasts until its request ends.
type endless struct{ *video }

func (endless) GetMedia(context.Context, *kvmedia.GetMediaInput) (*kvmedia.GetMediaOutput, error) {
	return &kvmedia.GetMediaOutput{Payload: func(w *awsapi.StreamWriter) error {
		<-w.Context().Done()
		_, err := io.WriteString(w, context.Cause(w.Context()).Error())
		return err
	}}, nil
}

// A stream ends when what allowed it is gone, and not before.
func TestStreamEndsWithItsPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand()
		began := time.Now()
		go func() {
			time.Sleep(time.Hour)
			s.mu.Lock()
			s.deny = awsapi.ErrAccessDenied("not any more")
			s.mu.Unlock()
		}()
		r := request("POST", "/getMedia", `{"StreamName":"s","StartSelector":{"StartSelectorType":"NOW"}}`)
		w := httptest.NewRecorder()
		s.gateway.Handler(kinesisvideo.Service.Bind(), kvmedia.Service.Bind(endless{&video{f: s.fakeIdentity}})).ServeHTTP(w, signed(t, kvmedia.Service, r))
		if took := time.Since(began); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("the stream lasted %v", took)
		}
		if asked := s.request.Time.Sub(began); asked < time.Hour {
			t.Errorf("asked last as of %v after the start", asked)
		}
		if w.Code != 200 || w.Body.String() != "not any more" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// hasty ends PutMedia's answer as soon as something has come.
type hasty struct{ *video }

func (hasty) PutMedia(_ context.Context, in *kvmedia.PutMediaInput) (*kvmedia.PutMediaOutput, error) {
	return &kvmedia.PutMediaOutput{Payload: func(w *awsapi.StreamWriter) error {
		if _, err := in.Payload.Read(make([]byte, 1)); err != nil {
			return err
		}
		_, err := io.WriteString(w, "last ack\n")
		return err
	}}, nil
}

// A producer that sends on after the end of the answer loses its connection
// soon, and has read the answer to its end by then.
func TestProducerNoticesTheEnd(t *testing.T) {
	s := newStand()
	server := httptest.NewServer(s.gateway.Handler(kinesisvideo.Service.Bind(), kvmedia.Service.Bind(hasty{&video{f: s.fakeIdentity}})))
	defer server.Close()
	r, err := http.NewRequest("POST", server.URL+"/putMedia", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amzn-Stream-Name", "mine")
	r.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	signed(t, kvmedia.Service, r)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test is over
	fmt.Fprintf(conn, "POST /putMedia HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n", r.URL.Host)
	if err := r.Header.Write(conn); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "\r\n")
	answer := make(chan string, 1)
	go func() {
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			answer <- err.Error()
			return
		}
		b, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(b), err)
	}()
	began := time.Now()
	for { // a slow camera: 256 KiB of it would last for minutes
		if _, err := fmt.Fprint(conn, "1\r\nx\r\n"); err != nil {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the producer sends on")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if a := <-answer; a != "last ack\n<nil>" {
		t.Errorf("the answer was %q", a)
	}
}
