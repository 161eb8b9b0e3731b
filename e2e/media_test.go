package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mkv"
)

// ffmpeg makes Matroska with ffmpeg, which scripts/test-deps.sh installs.
func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is missing: run scripts/test-deps.sh")
	}
	file := filepath.Join(t.TempDir(), "made.mkv")
	cmd := exec.Command("ffmpeg", append(append([]string{"-v", "error", "-nostdin"}, args...), "-y", file)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// document is a part of a body or of GetMedia's answer with one header.
type document struct {
	header   *mkv.Header
	clusters [][]byte
}

// documents takes Matroska apart.
func documents(t *testing.T, b []byte) []document {
	t.Helper()
	var all []document
	open := false
	p := mkv.NewParser(func(e *mkv.Event) error {
		switch last := len(all) - 1; e.Kind {
		case mkv.KindHeader:
			all = append(all, document{header: e.Header})
		case mkv.KindCluster:
			open = true
			all[last].clusters = append(all[last].clusters, nil)
		case mkv.KindClusterEnd:
			open = false
		case mkv.KindData:
			if open {
				c := all[last].clusters
				c[len(c)-1] = append(c[len(c)-1], e.Raw...)
			}
		}
		return nil
	})
	if _, err := p.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// allClusters are those of all documents.
func allClusters(t *testing.T, b []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for _, d := range documents(t, b) {
		all = append(all, d.clusters...)
	}
	return all
}

// checkAcks wants n fragments, each BUFFERING, RECEIVED, PERSISTED, and nothing else; it returns their numbers.
func checkAcks(t *testing.T, acks []ack, n int) []string {
	t.Helper()
	state := map[string]string{}
	before := map[string]string{"BUFFERING": "", "RECEIVED": "BUFFERING", "PERSISTED": "RECEIVED"}
	var numbers []string
	for _, a := range acks {
		if want, ok := before[a.EventType]; !ok || state[a.FragmentNumber] != want {
			t.Errorf("%s %d of fragment %q after %q", a.EventType, a.ErrorId, a.FragmentNumber, state[a.FragmentNumber])
		}
		state[a.FragmentNumber] = a.EventType
		if a.EventType == "PERSISTED" {
			if len(numbers) > 0 && numbers[len(numbers)-1] >= a.FragmentNumber {
				t.Errorf("%s is persisted after %s", a.FragmentNumber, numbers[len(numbers)-1])
			}
			numbers = append(numbers, a.FragmentNumber)
		}
	}
	if len(numbers) != n || len(state) != n {
		t.Errorf("%d fragments begun, %d persisted, want %d", len(state), len(numbers), n)
	}
	return numbers
}

// packets is what ffprobe finds of a file's tracks: of each, its codec and how many packets can be read.
func packets(t *testing.T, video []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probe.mkv")
	if err := os.WriteFile(file, video, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0", file).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v", err)
	}
	return string(out)
}

// TestMedia sends what producers make, in the manner of each, and gets it back byte for byte.
func TestMedia(t *testing.T) {
	s := start(t)
	captured := func(name string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			b, err := os.ReadFile("../internal/mkv/testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	const bars, tone = "testsrc2=size=160x120:rate=25:duration=8", "sine=frequency=440:duration=8"
	// Audio that outlasts the video makes a last cluster without a frame of it: 4011.
	const shorter = "sine=frequency=440:duration=7.9"
	made := func(args ...string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			return ffmpeg(t, append(args, "-cluster_time_limit", "2000", "-flags", "+bitexact", "-fflags", "+bitexact")...)
		}
	}
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads", "1"}
	for _, tt := range []struct {
		name  string
		body  func(*testing.T) []byte
		how   manner
		piece int
		pause time.Duration
		cut   bool // ffprobe needs no more than the first document
	}{
		{name: "H.264 and AAC of kvssink", body: captured("kvssink-av-30s.mkv")},
		{name: "H.265 of kvssink", body: captured("kvssink-h265.mkv")},
		{name: "AAC of kvssink", body: captured("kvssink-audio-only.mkv")},
		{name: "G.711 of kvssink, slowly", body: captured("kvssink-alaw.mkv"), piece: 300, pause: 5 * time.Millisecond},
		{name: "what GetMedia of AWS gave", body: func(t *testing.T) []byte {
			// AWS's own tags are not a producer's to send.
			return bytes.ReplaceAll(captured("aws-getmedia-cut.mkv")(t), []byte("AWS_KINESISVIDEO_"), []byte("xxx_KINESISVIDEO_"))
		}, how: manner{noExpect: true}},
		{name: "B-frames", body: made(append([]string{"-f", "lavfi", "-i", bars, "-bf", "3", "-x264-params", "scenecut=0"}, x264...)...)},
		{name: "variable rate", body: made(append([]string{"-f", "lavfi", "-i", bars, "-vf", "select='not(mod(n\\,7))+not(mod(n\\,50))+gt(random(0)\\,0.6)'", "-fps_mode", "vfr"}, x264...)...), how: manner{noExpect: true}},
		{name: "audio only", body: made("-f", "lavfi", "-i", tone, "-c:a", "aac"), how: manner{noExpect: true}, piece: 700, pause: time.Millisecond},
		{name: "G.711 mu-law", body: made("-f", "lavfi", "-i", tone, "-c:a", "pcm_mulaw", "-ar", "8000")},
		{name: "video and two tracks of audio", body: made(append([]string{"-f", "lavfi", "-i", bars, "-f", "lavfi", "-i", shorter, "-f", "lavfi", "-i", shorter,
			"-map", "0", "-map", "1", "-map", "2", "-c:a:0", "pcm_mulaw", "-c:a:1", "pcm_alaw", "-ar", "8000"}, x264...)...)},
		{name: "a gap of a minute", body: made(append([]string{"-f", "lavfi", "-i", bars, "-vf", "setpts='PTS+gte(N\\,100)*60/TB'", "-fps_mode", "vfr"}, x264...)...)},
		{name: "H.265 with B-frames", body: made("-f", "lavfi", "-i", bars, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50:pools=1", "-bf", "2")},
		{name: "live, sizes unknown", body: made(append([]string{"-f", "lavfi", "-i", bars, "-live", "1"}, x264...)...), how: manner{noExpect: true}},
		{name: "relative timecodes", body: made(append([]string{"-f", "lavfi", "-i", bars}, x264...)...), how: manner{relative: "1795303731.5"}},
		{name: "a change of resolution", cut: true, body: func(t *testing.T) []byte {
			one := made(append([]string{"-f", "lavfi", "-i", bars}, x264...)...)(t)
			other := made(append([]string{"-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4", "-output_ts_offset", "8"}, x264...)...)(t)
			return append(one, other...)
		}},
		{name: "signed as the Java producer signs", body: captured("kvssink-audio-only.mkv"), how: manner{noExpect: true, payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}},
		{name: "signed without its payload", body: captured("kvssink-audio-only.mkv"), how: manner{noExpect: true, payload: "UNSIGNED-PAYLOAD"}},
		{name: "with a Content-Length", body: captured("kvssink-audio-only.mkv"), how: manner{length: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.body(t)
			stream := strings.NewReplacer(" ", "-", ",", "", ".", "").Replace(tt.name)
			createStream(t, s, stream)
			if tt.how.length > 0 {
				tt.how.length = len(body)
			}
			p, err := s.open(t.Context(), s.rootKey(), stream, tt.how)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.conn.Close() }()
			piece := tt.piece
			if piece == 0 {
				piece = 64 << 10
			}
			want := allClusters(t, body)
			if len(want) < 2 {
				t.Fatalf("the body has %d clusters", len(want))
			}
			numbers := checkAcks(t, p.send(t, body, piece, tt.pause), len(want))

			got := s.getMedia(t, stream, len(want))
			back := allClusters(t, got)
			if len(back) != len(want) {
				t.Fatalf("%d clusters come back, %d were sent", len(back), len(want))
			}
			for i := range want {
				if !bytes.Equal(back[i], want[i]) {
					t.Errorf("cluster %d comes back different: %d bytes, sent %d", i, len(back[i]), len(want[i]))
				}
			}
			if a, b := packets(t, body), packets(t, got); !tt.cut && a != b {
				t.Errorf("ffprobe finds\n%sof what was sent\n%s", b, a)
			}
			s.checkListing(t, stream, numbers, tt.how.relative)
		})
	}
}

// checkListing wants fragments listed in order, with times that fit.
func (s *server) checkListing(t *testing.T, stream string, numbers []string, relative string) {
	t.Helper()
	var list struct {
		Fragments []struct {
			FragmentNumber               string
			FragmentLengthInMilliseconds int64
			ProducerTimestamp            float64
		}
	}
	resp := s.kv(t, s.rootKey(), "/listFragments", map[string]any{"StreamName": stream, "MaxResults": 1000,
		"FragmentSelector": map[string]any{"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": map[string]any{"StartTimestamp": 0, "EndTimestamp": 4e9}}})
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for i, f := range list.Fragments {
		listed = append(listed, f.FragmentNumber)
		if f.FragmentLengthInMilliseconds <= 0 || f.FragmentLengthInMilliseconds > 12_000 {
			t.Errorf("fragment %d is %d ms long", i, f.FragmentLengthInMilliseconds)
		}
	}
	if fmt.Sprint(listed) != fmt.Sprint(numbers) {
		t.Errorf("listed are %v, persisted %v", listed, numbers)
	}
	if relative != "" && (len(list.Fragments) == 0 || fmt.Sprintf("%.1f", list.Fragments[0].ProducerTimestamp) != relative) {
		t.Errorf("the first fragment is of %+v, want %s", list.Fragments, relative)
	}
}
