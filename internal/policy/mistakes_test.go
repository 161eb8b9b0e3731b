package policy

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/mistakes")

// TestMistakes holds what is said of typical mistakes to the files of
// testdata/mistakes: a document for each, cut into lines of its own, and below
// it what Parse says of it.
func TestMistakes(t *testing.T) {
	for name, kind := range map[string]Kind{"identity": Identity, "trust": Trust, "iot": IoT} {
		file := filepath.Join("testdata", "mistakes", name+".txt")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for i, part := range strings.Split(string(data), "=== ") {
			if i == 0 {
				continue
			}
			title, rest, _ := strings.Cut(part, "\n")
			doc, want, _ := strings.Cut(rest, "\n--- ")
			want = strings.TrimRight(want, "\n")
			t.Run(name+"/"+title, func(t *testing.T) {
				_, err := Parse(kind, unescape.Replace(doc))
				got := "accepted"
				var se *SyntaxError
				if errors.As(err, &se) {
					got = se.Full()
				}
				fmt.Fprintf(&out, "=== %s\n%s\n--- %s\n", title, doc, got)
				if got != want && !*update {
					t.Errorf("\n got %s\nwant %s", got, want)
				}
				if got == "accepted" {
					t.Error("accepted")
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// unescape puts in what cannot be seen in a file.
var unescape = strings.NewReplacer("<BOM>", "\ufeff", "<NBSP>", "\u00a0", "<TAB>", "\t", "<CR>", "\r")
