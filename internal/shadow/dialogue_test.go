package shadow

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var rewrite = flag.Bool("update", false, "write what the service answers into testdata")

// TestDialogues plays testdata/*.txtar: each section is a dialogue of its own, a second passing with each line that
// asks for something.
//
//	> TOPIC PAYLOAD         a client publishes; TOPIC behind $aws/things/t/shadow/ unless it begins with $
//	POST PATH BODY          a client calls; then the answer
//	< TOPIC PAYLOAD         the service publishes
//	@ N                     N seconds pass
//	n* LINE                 n times LINE, all before the answers
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	each(t, func(t *testing.T, w *world) {
		n := 0
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range archive.Files {
				f := &archive.Files[i]
				n++
				got := w.play(fmt.Sprintf("%012d", n), string(f.Data))
				if *rewrite {
					f.Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("%s, %s:\n%s\nwant\n%s", file, f.Name, got, f.Data)
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// play has a dialogue's lines that ask for something done, and answers the whole of it.
func (w *world) play(account, dialogue string) string {
	w.t.Helper()
	w.now.Store(1760000000)
	var out strings.Builder
	for line := range strings.Lines(dialogue) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		times := 1
		if n, ok := strings.CutSuffix(kind, "*"); ok {
			var err error
			if times, err = strconv.Atoi(n); err != nil {
				w.t.Fatalf("%s: %v", line, err)
			}
			kind, rest, _ = strings.Cut(rest, " ")
		}
		if kind == "<" || kind != "" && kind[0] >= '0' && kind[0] <= '9' {
			continue // as it was answered before
		}
		out.WriteString(line + "\n")
		topic, payload, _ := strings.Cut(rest, " ")
		switch kind {
		case "", "#":
		case "@":
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				w.t.Fatalf("%s: %v", line, err)
			}
			w.now.Add(n)
		case ">":
			if !strings.HasPrefix(topic, "$") {
				topic = "$aws/things/t/shadow/" + topic
			}
			for range times {
				w.send(account, "client", topic, unquote(payload))
			}
		default:
			for range times {
				out.WriteString(w.call(account, kind, topic, unquote(payload)) + "\n")
			}
		}
		for _, m := range w.take() {
			if m.account != account {
				w.t.Errorf("published in another account: %+v", m)
			}
			fmt.Fprintf(&out, "< %s %s\n", strings.TrimPrefix(m.topic, "$aws/things/t/shadow/"), m.payload)
		}
		if kind != "" && kind != "#" && kind != "@" {
			w.now.Add(1)
		}
	}
	return out.String()
}

// unquote lets a payload be a Go string, for bytes that are no text; X*N in it is N of the letter X.
func unquote(s string) string {
	if strings.HasPrefix(s, "`") || !strings.HasPrefix(s, `"`) {
		for _, n := range []int{32, 33, 8180, 9000, 131100} {
			s = strings.ReplaceAll(s, fmt.Sprintf("X*%d", n), strings.Repeat("X", n))
		}
		return s
	}
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}
