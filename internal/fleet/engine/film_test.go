package engine

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/mkv"
)

// A film is a document that our parser takes, of the size, the length and the fragments that were asked for; and pictures that
// ffmpeg decodes without a complaint.
func TestFilm(t *testing.T) {
	b, err := io.ReadAll(newFilm(script.Media{Duration: 5 * time.Second, FPS: 5, Bitrate: 400_000, FragmentDuration: time.Second}, 3))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(b); n < 240_000 || n > 270_000 {
		t.Errorf("%d bytes, want about 250,000", n)
	}
	clusters, blocks, keys := 0, 0, 0
	p := mkv.NewParser(func(e *mkv.Event) error {
		switch e.Kind {
		case mkv.KindCluster:
			clusters++
		case mkv.KindBlock:
			blocks++
			if e.Block.Key {
				keys++
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
	if clusters != 5 || keys != 5 || blocks != 25 {
		t.Errorf("%d clusters, %d key frames of %d", clusters, keys, blocks)
	}
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("there is no ffmpeg: the pictures are not decoded")
	}
	file := filepath.Join(t.TempDir(), "film.mkv")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "warning", "-xerror", "-i", file, "-f", "framemd5", "-").CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	frames := map[string]int{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSpace(line), ","); len(fields) == 6 && !strings.HasPrefix(line, "#") {
			frames[fields[5]]++
		}
	}
	if len(frames) != 5 {
		t.Errorf("%d different pictures, want 5, each 5 times:\n%s", len(frames), out)
	}
	for _, n := range frames {
		if n != 5 {
			t.Errorf("a picture is there %d times:\n%s", n, out)
		}
	}
}
