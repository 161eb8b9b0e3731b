package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/thingd/thingd/internal/mkv"
)

// What cameras and uploads send are fragments of the size that they are said to have.
func TestFragmentsAreWhole(t *testing.T) {
	body := append(videoHeader(), clusterHead(1000)...)
	for _, f := range frames {
		body = append(body, f...)
	}
	body = append(body, endOfFragment()...)
	var blocks, media int
	var ends bool
	p := mkv.NewParser(func(e *mkv.Event) error {
		switch e.Kind {
		case mkv.KindBlock:
			blocks, media = blocks+1, media+int(e.Block.Size)
		case mkv.KindTags:
			ends = e.Tags[0].Name == "AWS_KINESISVIDEO_END_OF_FRAGMENT"
		}
		return nil
	})
	if _, err := p.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if want := int(fragmentTime / frameTime); blocks != want || media != want*frameBytes || !ends {
		t.Errorf("%d frames of %d bytes in all, ended %v; want %d of %d", blocks, media, ends, want, want*frameBytes)
	}
}

// The upload that PutMedia is compared with takes a body to its end, tells of one that breaks, and leaves nothing.
func TestUpload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "1")
	if err := upload(strings.NewReader(strings.Repeat("x", 1000)), name, 300); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := upload(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), name, 300); !errors.Is(err, broken) {
		t.Errorf("of a body that breaks: %v", err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file is left: %v", err)
	}
}

func TestQuantile(t *testing.T) {
	list := make([]time.Duration, 100)
	for i := range list {
		list[i] = time.Duration(i+1) * time.Millisecond
	}
	for part, want := range map[float64]string{0: "1ms", 0.5: "51ms", 0.99: "100ms", 1: "100ms"} {
		if got := quantile(list, part).String(); got != want {
			t.Errorf("%v: %s, want %s", part, got, want)
		}
	}
}
