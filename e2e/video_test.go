package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// kvssinkHeaders are what kvssink signs on PutMedia.
var kvssinkHeaders = []string{
	"connection", "host", "transfer-encoding", "user-agent", "x-amz-date",
	"x-amzn-fragment-acknowledgment-required", "x-amzn-fragment-timecode-type",
	"x-amzn-producer-start-timestamp", "x-amzn-stream-name",
}

// ack is one line of PutMedia's answer.
type ack struct {
	EventType        string
	FragmentTimecode int64
	FragmentNumber   string
	ErrorId          int
}

// producer is a PutMedia connection as kvssink opens it: HTTP/1.1, chunked,
// Expect: 100-continue, its set of signed headers, the token unsigned.
type producer struct {
	conn net.Conn
	r    *bufio.Reader
	w    io.WriteCloser
	resp *http.Response
	acks *json.Decoder
}

// manner is how a producer speaks HTTP. The zero value is kvssink's.
type manner struct {
	noExpect bool     // as all but libcurl: does not wait for 100 Continue
	length   int      // Content-Length, in place of chunks
	conn     net.Conn // one that was used before
	relative string   // x-amzn-producer-start-timestamp, for RELATIVE timecodes
	payload  string   // x-amz-content-sha256, of those that send it
}

// putMedia opens a PutMedia as kvssink does. A refusal is returned as the response.
func (s *server) putMedia(ctx context.Context, cred sigv4.Credentials, stream string) (*producer, error) {
	return s.open(ctx, cred, stream, manner{})
}

func (s *server) open(ctx context.Context, cred sigv4.Credentials, stream string, m manner) (*producer, error) {
	host := strings.TrimPrefix(s.api(), "http://")
	r, err := http.NewRequest(http.MethodPost, s.api()+"/putMedia", nil)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(host, ":")
	r.Host = name // kvssink leaves out the port
	for k, v := range map[string]string{
		"Accept": "*/*", "Connection": "keep-alive", "Content-Type": "application/json",
		"User-Agent": "AWS-SDK-KVS-CPP-CLIENT/3.6.0/1.6.2 GCC/12 Linux/6.1 CPPSDK",
		"x-amzn-fragment-acknowledgment-required": "1", "x-amzn-fragment-timecode-type": "ABSOLUTE",
		"x-amzn-producer-start-timestamp": fmt.Sprintf("%d.5", time.Now().Unix()), "x-amzn-stream-name": stream,
	} {
		r.Header.Set(k, v)
	}
	if m.relative != "" {
		r.Header.Set("x-amzn-fragment-timecode-type", "RELATIVE")
		r.Header.Set("x-amzn-producer-start-timestamp", m.relative)
	}
	signed := kvssinkHeaders
	framing := fmt.Sprintf("Content-Length: %d\r\n", m.length)
	if m.length == 0 {
		r.TransferEncoding = []string{"chunked"}
		framing = "Transfer-Encoding: chunked\r\n"
	} else {
		signed = slices.DeleteFunc(slices.Clone(signed), func(h string) bool { return h == "transfer-encoding" })
	}
	if !m.noExpect {
		framing += "Expect: 100-continue\r\n"
	}
	sg := sigv4.Signer{Credentials: cred, Region: s.at.Region, Service: "kinesisvideo", Headers: signed, UnsignedToken: true}
	if m.payload != "" {
		r.Header.Set("x-amz-content-sha256", m.payload)
		sg.Payload, sg.Headers = m.payload, append(slices.Clone(signed), "x-amz-content-sha256")
	}
	if err := sg.Sign(r, nil, time.Now()); err != nil {
		return nil, err
	}
	conn := m.conn
	if conn == nil {
		if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host); err != nil {
			return nil, err
		}
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "POST /putMedia HTTP/1.1\r\nHost: %s\r\n%s", r.Host, framing)
	if err := r.Header.Write(&head); err != nil {
		return nil, err
	}
	head.WriteString("\r\n")
	p := &producer{conn: conn, r: bufio.NewReader(conn), w: plainBody{conn}}
	if m.length == 0 {
		p.w = httputil.NewChunkedWriter(conn)
	}
	if _, err := conn.Write(head.Bytes()); err != nil {
		return nil, err
	}
	return p, nil
}

// plainBody is a body that ends by its length.
type plainBody struct{ io.Writer }

func (plainBody) Close() error { return nil }

// answer waits for the response's header, past a 100 Continue.
func (p *producer) answer() error {
	for {
		resp, err := http.ReadResponse(p.r, nil)
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		p.resp, p.acks = resp, json.NewDecoder(resp.Body)
		return nil
	}
}

// end sends the terminating chunk.
func (p *producer) end() error {
	if err := p.w.Close(); err != nil {
		return err
	}
	if _, plain := p.w.(plainBody); plain {
		return nil
	}
	_, err := io.WriteString(p.conn, "\r\n")
	return err
}

// send puts a whole body and returns every ack of the answer.
func (s *server) send(t *testing.T, cred sigv4.Credentials, stream string, body []byte) []ack {
	t.Helper()
	p, err := s.putMedia(t.Context(), cred, stream)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.conn.Close() }()
	return p.send(t, body, 16<<10, 0)
}

// send puts a whole body in pieces, with pauses between, and returns every ack.
func (p *producer) send(t *testing.T, body []byte, piece int, pause time.Duration) []ack {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		for chunk := body; len(chunk) > 0; {
			n := min(len(chunk), piece)
			if _, err := p.w.Write(chunk[:n]); err != nil {
				sent <- err
				return
			}
			chunk = chunk[n:]
			time.Sleep(pause)
		}
		sent <- p.end()
	}()
	if err := p.answer(); err != nil {
		t.Fatal(err)
	}
	if p.resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(p.resp.Body)
		t.Fatalf("PutMedia: %s: %s", p.resp.Status, b)
	}
	var acks []ack
	for {
		var a ack
		if err := p.acks.Decode(&a); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		acks = append(acks, a)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return acks
}

// kv makes a signed call of Kinesis Video's data APIs, which no Go SDK has.
func (s *server) kv(t *testing.T, cred sigv4.Credentials, path string, in any) *http.Response {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := sigv4.Sign(r, body, cred, s.at.Region, "kinesisvideo", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// clusters cuts the clusters out of a kvssink body: from each Cluster's id to
// the next element of the Segment's level.
func clusters(b []byte) [][]byte {
	starts := []byte{0x1F, 0x43, 0xB6, 0x75}
	ends := [][]byte{starts, {0x1A, 0x45, 0xDF, 0xA3, 0xA3}, {0x12, 0x54, 0xC3, 0x67}}
	var out [][]byte
	for {
		i := bytes.Index(b, starts)
		if i < 0 {
			return out
		}
		b = b[i:]
		end := len(b)
		for _, e := range ends {
			if j := bytes.Index(b[4:], e); j >= 0 && j+4 < end {
				end = j + 4
			}
		}
		out = append(out, b[:end])
		b = b[end:]
	}
}

func createStream(t *testing.T, s *server, name string) {
	t.Helper()
	_, err := kinesisvideo.NewFromConfig(s.sdk()).CreateStream(t.Context(), &kinesisvideo.CreateStreamInput{
		StreamName: &name, DataRetentionInHours: aws.Int32(24),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func media(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../internal/mkv/testdata/kvssink-av-30s.mkv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRealVideo sends what kvssink sent and gets it back.
func TestRealVideo(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	body := media(t)
	want := clusters(body)

	persisted := map[string]bool{}
	last := map[int64]string{}
	order := map[string]int{"BUFFERING": 1, "RECEIVED": 2, "PERSISTED": 3}
	for _, a := range s.send(t, s.rootKey(), "cam", body) {
		if order[a.EventType] != order[last[a.FragmentTimecode]]+1 {
			t.Errorf("ack %s of fragment %d after %q", a.EventType, a.FragmentTimecode, last[a.FragmentTimecode])
		}
		last[a.FragmentTimecode] = a.EventType
		if a.EventType == "PERSISTED" {
			persisted[a.FragmentNumber] = true
		}
	}
	if len(persisted) != len(want) {
		t.Fatalf("%d fragments persisted, the body has %d clusters", len(persisted), len(want))
	}

	var list struct {
		Fragments []struct {
			FragmentNumber               string
			FragmentLengthInMilliseconds int64
			FragmentSizeInBytes          int64
			ProducerTimestamp            float64
			ServerTimestamp              float64
		}
	}
	resp := s.kv(t, s.rootKey(), "/listFragments", map[string]any{"StreamName": "cam", "MaxResults": 1000})
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list.Fragments) != len(want) {
		t.Errorf("ListFragments has %d fragments, want %d", len(list.Fragments), len(want))
	}
	for _, f := range list.Fragments {
		if !persisted[f.FragmentNumber] || f.ProducerTimestamp == 0 || f.FragmentSizeInBytes == 0 {
			t.Errorf("ListFragments: %+v", f)
		}
	}

	got := s.getMedia(t, "cam", len(want))
	back := clusters(got)
	if len(back) < len(want) {
		t.Fatalf("GetMedia gave %d clusters, want %d", len(back), len(want))
	}
	for i := range want {
		if !bytes.Equal(back[i], want[i]) {
			t.Errorf("cluster %d came back different: %d bytes, sent %d", i, len(back[i]), len(want[i]))
		}
	}
	probe(t, got)
}

// getMedia reads a stream from its beginning until n fragments are whole.
func (s *server) getMedia(t *testing.T, stream string, n int) []byte {
	t.Helper()
	resp := s.kv(t, s.rootKey(), "/getMedia", map[string]any{"StreamName": stream, "StartSelector": map[string]string{"StartSelectorType": "EARLIEST"}})
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("GetMedia: %s: %s", resp.Status, b)
	}
	// The answer never ends: the tag after a cluster says that it is whole.
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for bytes.Count(got.Bytes(), []byte("AWS_KINESISVIDEO_CONTINUATION_TOKEN")) < n {
		m, err := resp.Body.Read(buf)
		got.Write(buf[:m])
		if err != nil {
			t.Fatalf("GetMedia ended after %d bytes: %v", got.Len(), err)
		}
	}
	return got.Bytes()
}

// probe has ffprobe find the video and the audio.
func probe(t *testing.T, video []byte) {
	t.Helper()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Fatal("ffprobe is missing: run scripts/test-deps.sh")
	}
	file := filepath.Join(t.TempDir(), "back.mkv")
	if err := os.WriteFile(file, video, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	for _, codec := range []string{"h264", "aac"} {
		if !strings.Contains(string(out), codec) {
			t.Errorf("ffprobe found no %s:\n%s", codec, out)
		}
	}
}
