package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/mkv"
)

// TestKeepAlive uses a connection on after PutMedia: with and without Expect, with chunks and with a length.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	s := start(t)
	createStream(t, s, "cam")
	body, err := os.ReadFile("../internal/mkv/testdata/kvssink-audio-only.mkv")
	if err != nil {
		t.Fatal(err)
	}
	n := len(allClusters(t, body))
	for _, tt := range []struct {
		name  string
		how   manner
		empty bool
	}{
		{"kvssink", manner{}, false},
		{"without Expect", manner{noExpect: true}, false},
		{"with a length", manner{length: len(body)}, false},
		{"with a length, without Expect", manner{noExpect: true, length: len(body)}, false},
		{"empty bodies", manner{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, n := body, n
			if tt.empty {
				body, n = nil, 0
			}
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.api(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			how := tt.how
			how.conn = conn
			for range 3 {
				p, err := s.open(t.Context(), s.rootKey(), "cam", how)
				if err != nil {
					t.Fatal(err)
				}
				checkAcks(t, p.send(t, body, 20_000, 0), n)
				if p.resp.Close {
					t.Error("the answer announces the connection's end")
				}
				s.describeOn(t, conn)
			}
		})
	}
}

// describeOn makes an ordinary call on a connection.
func (s *server) describeOn(t *testing.T, conn net.Conn) {
	t.Helper()
	body := []byte(`{"StreamName":"cam"}`)
	r, err := http.NewRequest(http.MethodPost, s.api()+"/describeStream", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := sigv4.Sign(r, body, s.rootKey(), s.at.Region, "kinesisvideo", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	p := &producer{conn: conn, r: bufio.NewReader(conn)}
	if err := p.answer(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(p.resp.Body); err != nil || p.resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", p.resp.Status, b, err)
	}
}

// TestFaultEndsConnection has a camera that sends what cannot be taken, slowly, hear of it at once and lose its
// connection soon; nothing of the rest is taken for a request.
func TestFaultEndsConnection(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	for name, how := range map[string]manner{"kvssink": {}, "without Expect": {noExpect: true}, "with a length": {length: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := s.open(t.Context(), s.rootKey(), "cam", how)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.conn.Close() }()
			_ = p.conn.SetDeadline(time.Now().Add(20 * time.Second))
			began := time.Now()
			lost := make(chan time.Duration, 1)
			go func() {
				doc := documents(t, media(t))[0]
				_, _ = p.w.Write(slices.Concat(doc.header.Raw, doc.clusters[0], make([]byte, 100)))
				for {
					if _, err := io.WriteString(p.w, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
						lost <- time.Since(began)
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			if err := p.answer(); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(p.resp.Body)
			if err != nil || !bytes.Contains(b, []byte(`"ErrorId":4006`)) {
				t.Errorf("answer %s, %v", b, err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the answer ended after %v", took)
			}
			if rest, err := io.ReadAll(p.r); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("behind the answer: %q, %v", rest, err)
			}
			if took := <-lost; took > 3*time.Second {
				t.Errorf("the connection was lost after %v", took)
			}
		})
	}
}

// TestCurl has curl, whose library kvssink uses, send by itself: two bodies over one connection, and one that is
// refused amid the sending.
func TestCurl(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	url := s.api() + "/putMedia"
	args := []string{"-sS", "--aws-sigv4", "aws:amz:" + s.at.Region + ":kinesisvideo", "--user", s.root.AccessKeyID + ":" + s.root.SecretAccessKey,
		"-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "x-amzn-stream-name: cam", "-H", "x-amzn-fragment-timecode-type: ABSOLUTE",
		"-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"}
	const file = "../internal/mkv/testdata/kvssink-audio-only.mkv"
	cmd := exec.Command("curl", append(args, "-v", "-T", file, url, "-T", file, url)...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl: %v\n%s%s", err, out.Bytes(), log.Bytes())
	}
	if got, want := strings.Count(out.String(), "PERSISTED"), 2*len(clusters(readFile(t, file))); got != want {
		t.Errorf("%d fragments are persisted, want %d\n%s", got, want, log.Bytes())
	}
	if n := strings.Count(log.String(), "Re-using existing connection"); n != 1 {
		t.Errorf("curl used its connection again %d times\n%s", n, log.Bytes())
	}

	cmd = exec.Command("curl", append(args, "-T", "-", url)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	go func() {
		doc := documents(t, readFile(t, file))[0]
		_, _ = in.Write(slices.Concat(doc.header.Raw, doc.clusters[0], make([]byte, 100)))
		for {
			if _, err := in.Write(make([]byte, 1000)); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err = cmd.Wait()
	if took := time.Since(began); took > 3*time.Second || !strings.Contains(out.String(), `"ErrorId":4006`) {
		t.Errorf("curl ended after %v with %v\n%s", took, err, out.Bytes())
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCuts cuts connections at every kind of boundary, in both ways a connection ends. What was whole is there, byte
// for byte, and nothing else; sent again, everything is.
func TestCuts(t *testing.T) {
	s := start(t)
	body := readFile(t, "../internal/mkv/testdata/kvssink-audio-only.mkv")
	end := mkv.AppendTags(nil, mkv.Tag{Name: "a", Value: "b"})
	sent := allClusters(t, body)
	// The first three fragments, and a tag behind each.
	doc := documents(t, body)[0]
	short := slices.Clone(doc.header.Raw)
	var ends []int // of the clusters
	for _, c := range sent[:3] {
		short = append(append(short, c...), end...)
		ends = append(ends, len(short)-len(end))
	}
	head, first := len(doc.header.Raw), len(doc.header.Raw)+len(sent[0])
	second := first + len(end)
	cuts := map[string]int{
		"before anything": 0, "in the EBML head": 3, "in the header": head / 2, "before the cluster": head, "in the cluster's ID": head + 2,
		"behind the cluster's ID": head + 4, "behind the cluster's size": head + 5, "in the timecode": head + 9, "behind the timecode": head + 15,
		"in a block's size": head + 21, "in a block's head": head + 28, "in a frame": head + 200, "at the cluster's last byte": first - 1,
		"at the cluster's end": first, "in the tags' ID": first + 2, "in the tags": first + 12, "behind the tags": second,
		"in the second cluster": second + 300, "before the third": ends[1] + len(end), "in the third": ends[1] + len(end) + 5, "at the end": len(short),
	}
	var wg sync.WaitGroup
	for name, at := range cuts {
		for _, reset := range []bool{false, true} {
			stream := strings.NewReplacer(" ", "-", "'", "").Replace(fmt.Sprint(name, reset))
			createStream(t, s, stream)
			wg.Go(func() {
				// A fragment is over when the head of the next is there: until then tags may come that are its own.
				want := 0
				for _, e := range ends {
					if at >= e+len(end)+5 {
						want++
					}
				}
				persisted := s.cutAt(t, stream, short[:at], reset, want)
				if t.Failed() {
					return
				}
				p, err := s.putMedia(t.Context(), s.rootKey(), stream)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = p.conn.Close() }()
				again := checkAcks(t, p.send(t, body, 20_000, 0), len(sent))
				all := s.stored(t, stream, append(persisted, again...))
				if len(all) != want+len(sent) {
					t.Errorf("%s: %d fragments are listed, %d were persisted", name, len(all), want+len(sent))
				}
				for i, c := range all {
					if i < want && !bytes.Equal(c, sent[i]) || i >= want && !bytes.Equal(c, sent[i-want]) {
						t.Errorf("%s: fragment %d comes back different", name, i)
					}
				}
			})
		}
	}
	wg.Wait()
}

// cutAt sends a body's beginning, waits until so many fragments are persisted, and cuts the connection.
func (s *server) cutAt(t *testing.T, stream string, body []byte, reset bool, want int) (persisted []string) {
	p, err := s.putMedia(t.Context(), s.rootKey(), stream)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = p.conn.Close() }()
	_ = p.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if len(body) > 0 {
		if _, err := p.w.Write(body); err != nil {
			t.Error(err)
		}
	}
	if err := p.answer(); err != nil {
		t.Error(err)
		return nil
	}
	for len(persisted) < want {
		var a ack
		if err := p.acks.Decode(&a); err != nil || a.EventType == "ERROR" {
			t.Errorf("%s: %+v, %v", stream, a, err)
			return nil
		}
		if a.EventType == "PERSISTED" {
			persisted = append(persisted, a.FragmentNumber)
		}
	}
	if reset {
		_ = p.conn.(*net.TCPConn).SetLinger(0)
		return persisted
	}
	_ = p.conn.(*net.TCPConn).CloseWrite()
	for {
		var a ack
		if err := p.acks.Decode(&a); err != nil {
			return persisted
		}
		if a.EventType == "PERSISTED" || a.EventType == "ERROR" {
			t.Errorf("%s: after the cut: %+v", stream, a)
		}
	}
}

// stored reads all fragments that a stream lists, which must be those named, in their order.
func (s *server) stored(t *testing.T, stream string, numbers []string) [][]byte {
	t.Helper()
	listed := s.listed(t, stream)
	slices.Sort(listed)
	if !slices.Equal(listed, numbers) {
		t.Errorf("%s: listed are %v, persisted were %v", stream, listed, numbers)
	}
	return s.fragments(t, stream, listed)
}

// listed is the numbers of all fragments of a stream.
func (s *server) listed(t *testing.T, stream string) (numbers []string) {
	t.Helper()
	in := map[string]any{"StreamName": stream, "MaxResults": 1000}
	for {
		var list struct {
			Fragments []struct{ FragmentNumber string }
			NextToken string
		}
		if err := json.NewDecoder(s.kv(t, s.rootKey(), "/listFragments", in).Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list.Fragments {
			numbers = append(numbers, f.FragmentNumber)
		}
		if in["NextToken"] = list.NextToken; list.NextToken == "" {
			return numbers
		}
	}
}

// fragments reads fragments by their numbers: their clusters, in the order asked for. It fails when one is missing.
func (s *server) fragments(t *testing.T, stream string, numbers []string) (got [][]byte) {
	t.Helper()
	for part := range slices.Chunk(numbers, 1000) {
		resp := s.kv(t, s.rootKey(), "/getMediaForFragmentList", map[string]any{"StreamName": stream, "Fragments": part})
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v: %.200s", stream, resp.Status, err, b)
		}
		docs := documents(t, b)
		if len(docs) != len(part) {
			t.Fatalf("%s: %d of %d fragments are there", stream, len(docs), len(part))
		}
		for i, d := range docs {
			if len(d.clusters) != 1 || !slices.ContainsFunc(d.header.Tags, func(g mkv.Tag) bool { return g.Value == part[i] }) {
				t.Fatalf("%s: fragment %s has %d clusters and the tags %v", stream, part[i], len(d.clusters), d.header.Tags)
			}
			got = append(got, d.clusters[0])
		}
	}
	return got
}
