package video

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// line is a connection on which PutMedia is spoken by hand.
type line struct {
	conn net.Conn
	r    *bufio.Reader
	url  string
}

func dial(t *testing.T, url string) *line {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &line{conn, bufio.NewReader(conn), url}
}

// begin sends a request's head, without Expect: chunked unless framing says otherwise.
func (l *line) begin(t *testing.T, framing string, headers ...string) {
	t.Helper()
	r := request(t, l.url+"/putMedia", nil, headers...)
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /putMedia HTTP/1.1\r\nHost: %s\r\n%s\r\n", r.Host, framing)
	if err := r.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\r\n")
	must(l.conn.Write(b.Bytes()))
}

const chunked = "Transfer-Encoding: chunked"

var absolute = []string{"x-amzn-stream-name", "cam", "x-amzn-fragment-timecode-type", "ABSOLUTE"}

// httpChunk is a chunk of a body; of nothing it is the last one.
func httpChunk(b []byte) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b) }

// answer is what comes back: the status, and the acknowledgements' lines or an error's body.
func (l *line) answer(t *testing.T) (res *http.Response, lines []string) {
	t.Helper()
	res, err := http.ReadResponse(l.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, strings.SplitAfter(string(b), "\r\n")[:strings.Count(string(b), "\r\n")]
}

func eventsOf(lines []string) string {
	var list []ack
	for _, l := range lines {
		list = append(list, parseAck(l))
	}
	return events(list)
}

// onAWire is a fixture with the stream cam behind HTTP.
func onAWire(t *testing.T, d *db.DB, set func(*Service)) (*fixture, *Stream, string) {
	t.Helper()
	f := newFixture(t, d, set)
	st := f.create(t, "cam", 24)
	return f, st, newClient(t, f).url
}

// A body is the same wherever HTTP cuts it into chunks. All are sent over one connection, by a client that expects no
// 100 Continue.
func TestChunksAtEveryByte(t *testing.T) {
	f, st, url := onAWire(t, dbtest.SQLite(t), nil)
	body := slices.Concat(header(1, 2), cluster(1000, block(1, 0, 3), block(2, 5, 2)), tags("a", "b"),
		header(1), cluster(2000, block(1, 0, 3)), tags(tagEndOfFragment, ""))
	l := dial(t, url)
	send := func(at int, chunks ...[]byte) {
		t.Helper()
		l.begin(t, chunked, absolute...)
		for _, c := range append(chunks, nil) {
			must(l.conn.Write(httpChunk(c)))
		}
		res, lines := l.answer(t)
		if got := eventsOf(lines); res.StatusCode != 200 || res.Close || got != "BRBRPP" && got != "BRPBRP" && got != "BRBPRP" {
			t.Fatalf("cut at %d: %s, close %v, %s", at, res.Status, res.Close, got)
		}
	}
	n := 0
	for at := 1; at < len(body); at++ {
		send(at, body[:at], body[at:])
		n++
	}
	single := slices.Collect(slices.Chunk(body, 1))
	send(-1, single...)
	sent := parseMedia(t, body).clusters
	var want [][]byte
	for range n + 1 {
		want = append(want, sent...)
	}
	sameClusters(t, f.read(t, st, before).clusters, want)
}

// An orderly end may be at every byte too: what is whole is kept, the producer hears what became of the rest, and the
// connection goes on.
func TestEndAtEveryByte(t *testing.T) {
	f, st, url := onAWire(t, dbtest.SQLite(t), nil)
	h, first, second := header(1), cluster(1000, block(1, 0, 3)), block(1, 40, 3)
	body := slices.Concat(h, first, second, tags(tagEndOfFragment, ""))
	begun := len(h) + len(cluster(0)) // the cluster's timecode is there
	blocks := []int{len(h) + len(first), len(h) + len(first) + len(second)}
	over := blocks[1] + 8 // ID and size of what follows the cluster are there
	kept := 0
	l := dial(t, url)
	for at := range len(body) + 1 {
		l.begin(t, chunked, absolute...)
		if at > 0 {
			must(l.conn.Write(httpChunk(body[:at])))
		}
		must(l.conn.Write(httpChunk(nil)))
		res, lines := l.answer(t)
		want := "BRPE INVALID_MKV_DATA"
		switch {
		case at < len(h)+5: // no more than a cluster's head
			want = ""
		case at < begun:
			want = "E INVALID_MKV_DATA"
		case at == begun:
			want = "BE FRAMES_MISSING_FOR_TRACK"
		case slices.Contains(blocks, at) || at == len(body):
			want = "BRP"
		case at < over:
			want = "BE INVALID_MKV_DATA"
		}
		if strings.Contains(want, "P") {
			kept++
		}
		if got := eventsOf(lines); res.StatusCode != 200 || res.Close || got != want {
			t.Errorf("ended at byte %d: %s, close %v, %q, want %q", at, res.Status, res.Close, got, want)
		}
	}
	if n := len(f.read(t, st, before).clusters); n != kept {
		t.Errorf("%d fragments are kept, %d were persisted", n, kept)
	}
}

// A connection that breaks at any byte of a file, with sizes, groups, Void, CRC-32, Cues and tags, leaves the fragments
// that were acknowledged, whole, and nothing else.
func TestBreakAtEveryByte(t *testing.T) {
	f, st, url := onAWire(t, dbtest.SQLite(t), nil)
	timecode := func(ms byte) []byte { return el("\xE7", []byte{ms}) }
	void, crc := el("\xEC", []byte("void")), el("\xBF", []byte("crc3"))
	group := el("\xA0", el("\xA1", []byte{0x81, 0, 5, 0, 'x'}), el("\x9B", []byte{40}), el("\xFB", []byte{0xFF}))
	body := slices.Concat(header(1),
		el("\x1F\x43\xB6\x75", crc, timecode(1), el("\xAB", []byte{9}), block(1, 0, 3), group), tags("a", "b"), void,
		el("\x1F\x43\xB6\x75", timecode(2), block(1, 0, 3), void, group), el("\x1C\x53\xBB\x6B", []byte("cues")),
		el("\x1F\x43\xB6\x75", timecode(3), block(1, 0, 3)), tags(tagEndOfFragment, ""), void)
	sent := parseMedia(t, body).clusters
	var persisted [][]byte
	most := 0
	for at := range len(body) {
		l := dial(t, url)
		l.begin(t, chunked, absolute...)
		must(fmt.Fprintf(l.conn, "%x\r\n%s", len(body), body[:at])) // amid a chunk
		must(0, l.conn.(*net.TCPConn).CloseWrite())
		raw, _ := io.ReadAll(l.r)
		if bytes.Contains(raw, []byte("ERROR")) || !bytes.HasPrefix(raw, []byte("HTTP/1.1 200")) {
			t.Fatalf("broken at byte %d: %q", at, raw)
		}
		n := bytes.Count(raw, []byte("PERSISTED"))
		if n < most || n > len(sent) {
			t.Errorf("broken at byte %d: %d fragments, with fewer bytes there were %d", at, n, most)
		}
		most = n
		persisted = append(persisted, sent[:n]...)
	}
	if most != len(sent) {
		t.Errorf("with the command at the end there are %d fragments, want %d", most, len(sent))
	}
	sameClusters(t, f.read(t, st, before).clusters, persisted)
}

// A producer that is refused amid its body hears why, and then its connection ends: nothing that it sent is taken for a
// request. Where the body was at its end, the connection goes on.
func TestConnectionAfterError(t *testing.T) {
	_, _, url := onAWire(t, dbtest.SQLite(t), nil)
	h, one := header(1), cluster(2000, block(1, 0, 3))
	bad := slices.Concat(h, one, cluster(1000, block(1, 0, 3)))
	next := slices.Concat(h, one)
	for _, tt := range []struct {
		name    string
		framing string
		send    [][]byte
		last    bool // the body's end comes too
		goesOn  bool
	}{
		{"a chunk, and more to come", chunked, [][]byte{bad}, false, false},
		{"with a length, ended", fmt.Sprint("Content-Length: ", len(bad)), [][]byte{bad}, true, true},
		{"with a length, and more to come", fmt.Sprint("Content-Length: ", len(bad)+1), [][]byte{bad}, false, false},
		{"truncated, ended", chunked, [][]byte{append(httpChunk(slices.Concat(h, one, one[:8])), httpChunk(nil)...)}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := dial(t, url)
			l.begin(t, tt.framing, absolute...)
			for _, b := range tt.send {
				if tt.framing == chunked && !tt.last {
					b = httpChunk(b)
				}
				must(l.conn.Write(b))
			}
			_, lines := l.answer(t)
			if got := eventsOf(lines); !strings.Contains(got, "E ") || strings.Count(got, "R") < 1 {
				t.Fatalf("acknowledgements %s", got)
			}
			l.begin(t, chunked, absolute...)
			_, _ = l.conn.Write(append(httpChunk(next), httpChunk(nil)...))
			res, err := http.ReadResponse(l.r, nil)
			if (err == nil) != tt.goesOn {
				t.Fatalf("the next request on the connection: %v", err)
			}
			if err == nil {
				b, _ := io.ReadAll(res.Body)
				if res.StatusCode != 200 || strings.Count(string(b), "PERSISTED") != 1 {
					t.Errorf("%s %s", res.Status, b)
				}
			}
		})
	}
}

// Every id that an ERROR can have here, with its cause, as the producer reads it.
func TestErrorIDs(t *testing.T) {
	h, one := header(1), cluster(5000, block(1, 0, 3))
	send := func(parts ...[]byte) func(*testing.T, *fixture, *line) {
		return func(t *testing.T, _ *fixture, l *line) {
			must(l.conn.Write(append(httpChunk(slices.Concat(parts...)), httpChunk(nil)...)))
		}
	}
	persisted := func(t *testing.T, l *line) { // and what was read of the answer stays to be read
		t.Helper()
		var read []byte
		for !bytes.Contains(read, []byte("PERSISTED")) {
			text, err := l.r.ReadBytes('\n')
			if read = append(read, text...); err != nil {
				t.Fatal(err)
			}
		}
		l.r = bufio.NewReader(io.MultiReader(bytes.NewReader(read), l.r))
	}
	many := make([]string, 22)
	for _, tt := range []struct {
		id       int
		code     string
		send     func(*testing.T, *fixture, *line)
		timecode string // of the fragment that is named, "" for none
	}{
		{4000, "STREAM_READ_ERROR", func(t *testing.T, _ *fixture, l *line) {
			must(l.conn.Write(append(httpChunk(slices.Concat(h, one, cluster(6000, block(1, 0, 3)))), "no length\r\n"...)))
		}, "6000"},
		{4001, "MAX_FRAGMENT_SIZE_REACHED", send(h, cluster(5000, block(1, 0, 5000))), "5000"},
		{4002, "MAX_FRAGMENT_DURATION_REACHED", send(h, cluster(5000, block(1, 0, 3), block(1, 20_001, 3))), "5000"},
		{4003, "MAX_CONNECTION_DURATION_REACHED", func(t *testing.T, f *fixture, l *line) {
			must(l.conn.Write(httpChunk(slices.Concat(h, one, tags(tagEndOfFragment, "")))))
			persisted(t, l)
			f.Limits.ConnectionTime = time.Nanosecond // the session reads it at its next fragment
			must(l.conn.Write(httpChunk(one)))
		}, ""},
		{4004, "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS", send(h, one, cluster(4999, block(1, 0, 3))), "4999"},
		{4006, "INVALID_MKV_DATA", send(h, one, make([]byte, 20)), "5000"},
		{4007, "INVALID_PRODUCER_TIMESTAMP", send(h, cluster(1<<60, block(1, 0, 3))), ""},
		{4008, "STREAM_NOT_ACTIVE", func(t *testing.T, f *fixture, l *line) {
			must(l.conn.Write(httpChunk(slices.Concat(h, one, tags(tagEndOfFragment, "")))))
			persisted(t, l)
			st := must(f.stream(t.Context(), account, region, "cam"))
			c := &client{f, l.url}
			c.ok(t, "/deleteStream", `{"StreamARN":"`+st.ARN()+`"}`)
		}, ""},
		{4009, "FRAGMENT_METADATA_LIMIT_REACHED", send(h, one, tags(many...)), "5000"},
		{4010, "TRACK_NUMBER_MISMATCH", send(h, cluster(5000, block(2, 0, 3))), "5000"},
		{4011, "FRAMES_MISSING_FOR_TRACK", send(header(1, 2), one), "5000"},
		{4012, "MORE_THAN_ALLOWED_TRACKS_FOUND", send(header(1, 2, 3, 4), one), ""},
		{5001, "ARCHIVAL_ERROR", func(t *testing.T, f *fixture, l *line) {
			must(l.conn.Write(httpChunk(slices.Concat(h, one, tags(tagEndOfFragment, "")))))
			persisted(t, l)
			must(0, f.DB.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), "ALTER TABLE video_fragments RENAME TO away")
				return err
			}))
			must(l.conn.Write(append(httpChunk(one), httpChunk(nil)...)))
		}, "5000"},
	} {
		t.Run(fmt.Sprint(tt.id), func(t *testing.T) {
			f, _, url := onAWire(t, dbtest.SQLite(t), func(s *Service) { s.Limits.FragmentBytes = 4000 })
			l := dial(t, url)
			l.begin(t, chunked, absolute...)
			tt.send(t, f, l)
			res, err := http.ReadResponse(l.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%s %s, %v", res.Status, raw, err)
			}
			at := bytes.LastIndexByte(raw, '{')
			if at < 0 {
				t.Fatalf("answer %q", raw)
			}
			where := ""
			if tt.timecode != "" {
				where = `"FragmentTimecode":` + tt.timecode + `,"FragmentNumber":"[0-9]{47}",`
			}
			want := fmt.Sprintf(`^{"EventType":"ERROR",%s"ErrorId":%d,"ErrorCode":"%s"}\r\n$`, where, tt.id, tt.code)
			if !regexp.MustCompile(want).Match(raw[at:]) {
				t.Errorf("acknowledgement %q, want %s", raw[at:], want)
			}
			if n := bytes.Count(raw, []byte(`:"ERROR"`)); n != 1 {
				t.Errorf("%d ERRORs: %q", n, raw)
			}
		})
	}
	if tested := 13; len(ackCodes) != tested+1 { // 5000 has no cause of its own
		t.Errorf("there are %d error ids", len(ackCodes))
	}
}

// What a PutMedia's headers say, and what they must not.
func TestPutMediaHeaders(t *testing.T) {
	f, st, url := onAWire(t, dbtest.SQLite(t), nil)
	other := f.create(t, "other", 1)
	const name, arn, kind, start = "x-amzn-stream-name", "x-amzn-stream-arn", "x-amzn-fragment-timecode-type", "x-amzn-producer-start-timestamp"
	for _, tt := range []struct {
		name     string
		headers  []string
		want     string // an error
		producer int64
	}{
		{"absolute", []string{name, "cam", kind, "ABSOLUTE"}, "", 2500},
		{"absolute, with a start", []string{name, "cam", kind, "ABSOLUTE", start, "1000.5"}, "", 2500},
		{"by ARN", []string{arn, st.ARN(), kind, "ABSOLUTE"}, "", 2500},
		{"by both", []string{arn, st.ARN(), name, "cam", kind, "ABSOLUTE"}, "", 2500},
		{"relative", []string{name, "cam", kind, "RELATIVE", start, "1000.5"}, "", 1_003_000},
		{"relative, whole seconds", []string{name, "cam", kind, "RELATIVE", start, "1000"}, "", 1_002_500},
		{"relative, no start", []string{name, "cam", kind, "RELATIVE"}, "400 InvalidArgumentException", 0},
		{"relative, no time", []string{name, "cam", kind, "RELATIVE", start, "now"}, "400 InvalidArgumentException", 0},
		{"relative, negative", []string{name, "cam", kind, "RELATIVE", start, "-1"}, "400 InvalidArgumentException", 0},
		{"relative, beyond all time", []string{name, "cam", kind, "RELATIVE", start, "253402300799.999"}, "E INVALID_PRODUCER_TIMESTAMP", 0},
		{"no kind", []string{name, "cam"}, "400 InvalidArgumentException", 0},
		{"another kind", []string{name, "cam", kind, "absolute"}, "400 InvalidArgumentException", 0},
		{"no stream", []string{kind, "ABSOLUTE"}, "400 InvalidArgumentException", 0},
		{"two streams", []string{name, "cam", arn, other.ARN(), kind, "ABSOLUTE"}, "400 InvalidArgumentException", 0},
		{"none of that name", []string{name, "none", kind, "ABSOLUTE"}, "404 ResourceNotFoundException", 0},
		{"none of that ARN", []string{arn, st.ARN() + "0", kind, "ABSOLUTE"}, "404 ResourceNotFoundException", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // refusals are slow
			l := dial(t, url)
			began := time.Now()
			l.begin(t, chunked, tt.headers...)
			must(l.conn.Write(append(httpChunk(slices.Concat(header(1), cluster(2500, block(1, 0, 3)))), httpChunk(nil)...)))
			res, lines := l.answer(t)
			if res.StatusCode != 200 {
				if got := fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-Amzn-Errortype")); got != tt.want {
					t.Errorf("%s, want %q", got, tt.want)
				}
				if took := time.Since(began); took < 700*time.Millisecond {
					t.Errorf("refused after %v: a client without back-off would be back at once", took)
				}
				return
			}
			if tt.want != "" {
				if got := eventsOf(lines); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				return
			}
			if eventsOf(lines) != "BRP" {
				t.Fatalf("acknowledgements %q", lines)
			}
			a := parseAck(lines[2])
			got := must(f.fragmentByNumber(t.Context(), st, a.FragmentNumber, 0))
			if *a.FragmentTimecode != 2500 || got.producer != tt.producer {
				t.Errorf("acknowledged %d, stored %d, want %d", *a.FragmentTimecode, got.producer, tt.producer)
			}
		})
	}
}

// A body with nothing in it is no fault, however HTTP says so.
func TestEmptyBodies(t *testing.T) {
	_, _, url := onAWire(t, dbtest.SQLite(t), nil)
	l := dial(t, url)
	for _, framing := range []string{chunked, "Content-Length: 0", "X-None: 1", chunked} {
		l.begin(t, framing, absolute...)
		if framing == chunked {
			must(l.conn.Write(httpChunk(nil)))
		}
		res, err := http.ReadResponse(l.r, nil)
		if err != nil {
			t.Fatalf("%q: %v", framing, err)
		}
		if b, err := io.ReadAll(res.Body); res.StatusCode != 200 || len(b) > 0 || err != nil || res.Close {
			t.Errorf("%q: %s %s, %v, close %v", framing, res.Status, b, err, res.Close)
		}
	}
}
