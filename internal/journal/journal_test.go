package journal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// files are the names in a journal's directory and what they hold, oldest
// first and the current one last.
func files(t *testing.T, dir string) (names, texts []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "j-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	names = append(names, filepath.Join(dir, "j.jsonl"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return names, texts
}

func TestRotation(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "new"), time.Unix(1700000000, 0)
	f := &File{Dir: dir, Name: "j", Max: 8, Keep: 2}
	if err := f.Open(now); err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{"one\n", "two\n", "three\n", "longer than a file\n", "five\n", "six\n"} {
		if err := f.Write([]byte(line), now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	names, texts := files(t, dir)
	// Each full file gave way to the next; of those before it two are kept.
	if got := strings.Join(texts, "|"); got != "longer than a file\n|five\n|six\n" {
		t.Errorf("files hold %q", got)
	}
	if len(names) != 3 || f.Stuck() != nil {
		t.Errorf("%d files, stuck: %v", len(names), f.Stuck())
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
}

// A line that a power failure tore is left alone, and the next begins anew.
func TestTornLine(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1700000000, 0)
	if err := os.WriteFile(filepath.Join(dir, "j.jsonl"), []byte("whole\nto"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &File{Dir: dir, Name: "j", Max: 1 << 10, Keep: 1}
	if err := f.Open(now); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"next\n", "last\n"} {
		if err := f.Write([]byte(line), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, texts := files(t, dir); texts[0] != "whole\nto\nnext\nlast\n" {
		t.Errorf("the file holds %q", texts[0])
	}
}

// Who takes the file away gets no more lines in it, and loses none.
func TestTakenAway(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1700000000, 0)
	f := &File{Dir: dir, Name: "j", Max: 1 << 10, Keep: 1}
	if err := f.Write([]byte("one\n"), now); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "j.jsonl")); err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]byte("two\n"), now.Add(2*retryEvery)); err != nil {
		t.Fatal(err)
	}
	if _, texts := files(t, dir); texts[0] != "two\n" {
		t.Errorf("the file holds %q", texts[0])
	}
}
