package mqtttest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thingd/thingd/internal/mqtt"
)

// Broker is what a dialogue is held with: made for it, in its bubble.
type Broker struct {
	// Dial connects a client; args are the words after `dial`, none without such a line.
	Dial func(name string, args []string) (net.Conn, error)
	// Commands are steps that a broker's tests have of their own. What one answers are the `=` lines after it.
	Commands map[string]func(args []string) (string, error)
	// Close ends the broker with every goroutine of it, once all clients are gone.
	Close func()
}

// Dialogues runs the dialogues of the archives that match the pattern, each in a synctest bubble of its own with a
// broker that start makes; with update, what came is written over what was expected.
//
// An archive's files are dialogues. A line is a step, or after a step what came of it:
//
//	versions 3.1.1 5           first line: hold it once in each, as that of a CONNECT that names none; else only 3.1.1
//	a> CONNECT id=a clean      client a sends a packet, see Parse; it connects first if it is not connected
//	a< CONNACK 0x00 ...        what a got, see Match
//	a> dial WORDS              connects, as whom the words say
//	a> raw 10 0c 00            sends bytes
//	a> PUBLISH t x &           what ends in & is sent in one write with the client's next line
//	a> stall | resume          stops and resumes reading
//	a> close                   closes the connection without a DISCONNECT
//	a< close                   the connection was closed by the broker
//	a< malformed ...           a packet that is none
//	a< ...                     whatever else a got
//	wait 45s                   time passes
//	COMMAND WORDS              a step of the broker's tests
//	= TEXT                     the answer of a COMMAND, a line each
//	# comment
//
// After a step everybody is let come to rest, and everything that came must be in the lines that follow: for each client
// in order, the clients in any order. So a step without such lines says that nothing came.
func Dialogues(t *testing.T, pattern string, update bool, start func(t *testing.T) *Broker) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues in %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range archive.Files {
				f := &archive.Files[i]
				t.Run(f.Name, func(t *testing.T) {
					all := versions(string(f.Data))
					if len(all) == 0 {
						t.Fatalf("%s:%s: versions are 3.1, 3.1.1 and 5", file, f.Name)
					}
					for _, v := range all {
						run := func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								t.Helper()
								d := dialogue{t: t, version: v, update: update, where: file + ":" + f.Name, clients: map[string]*speaker{}}
								d.run(string(f.Data), start(t))
								if update && v == all[0] {
									f.Data = []byte(d.out.String())
								}
							})
						}
						if len(all) == 1 {
							run(t)
						} else {
							t.Run(v.String(), run)
						}
					}
				})
			}
			if update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// versions are those of a dialogue's first line.
func versions(text string) []mqtt.Version {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if words[0] != "versions" {
			break
		}
		var out []mqtt.Version
		for _, v := range []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5} {
			if slices.Contains(words[1:], v.String()) {
				out = append(out, v)
			}
		}
		if len(out) == len(words)-1 {
			return out
		}
		return nil
	}
	return []mqtt.Version{mqtt.V311}
}

// speaker is a client in a dialogue.
type speaker struct {
	*Client
	dial   []string
	pieces []byte // not sent yet: the line ended in &
	came   []string
	ended  bool // by either side
}

type dialogue struct {
	t       *testing.T
	where   string
	version mqtt.Version
	update  bool
	broker  *Broker
	clients map[string]*speaker
	names   []string // of clients, in order of appearance
	answer  []string // of the last command
	out     strings.Builder
	line    int
}

func (d *dialogue) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Errorf("%s:%d (%s): %s", d.where, d.line, d.version, fmt.Sprintf(format, args...))
}

func (d *dialogue) run(text string, b *Broker) {
	d.broker = b
	defer func() {
		for _, name := range d.names {
			if s := d.clients[name]; s.Client != nil {
				s.stall(false)
				s.Close()
			}
		}
		synctest.Wait()
		b.Close()
	}()
	for line := range strings.Lines(text) {
		if d.t.Failed() && !d.update {
			return
		}
		d.line++
		line = strings.TrimRight(line, "\r\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#' || words[0] == "versions":
			if len(words) > 0 && words[0] == "versions" && d.names != nil {
				d.fail("versions stands first")
			}
			d.out.WriteString(line + "\n")
		case words[0] == "=":
			d.answered(line)
		case strings.HasSuffix(words[0], "<"):
			d.got(line, strings.TrimSuffix(words[0], "<"))
		default:
			d.settle()
			d.out.WriteString(line + "\n")
			d.step(line, words)
		}
	}
	d.line++
	d.settle()
}

// settle ends what is expected of a step: nothing may be left.
func (d *dialogue) settle() {
	for _, a := range d.answer {
		d.unexpected("= " + a)
	}
	d.answer = nil
	for _, name := range d.names {
		s := d.clients[name]
		for _, got := range s.came {
			d.unexpected(name + "< " + got)
		}
		s.came = nil
	}
}

func (d *dialogue) unexpected(line string) {
	if d.update {
		d.out.WriteString(line + "\n")
		return
	}
	d.fail("before this line there came\n\t%s", line)
}

func (d *dialogue) step(line string, words []string) {
	var err error
	switch name, speaks := strings.CutSuffix(words[0], ">"); {
	case speaks:
		_, what, _ := strings.Cut(line, ">")
		err = d.speak(name, strings.TrimSpace(what))
	case words[0] == "wait" && len(words) == 2:
		var after time.Duration
		if after, err = time.ParseDuration(words[1]); err == nil {
			time.Sleep(after)
		}
	default:
		command := d.broker.Commands[words[0]]
		if command == nil {
			d.fail("there is no step %s", words[0])
			return
		}
		var answer string
		answer, err = command(words[1:])
		for l := range strings.Lines(answer) {
			d.answer = append(d.answer, strings.TrimRight(l, "\n"))
		}
	}
	if err != nil {
		d.fail("%s: %v", line, err)
	}
	synctest.Wait()
	for _, name := range d.names {
		d.clients[name].collect()
	}
}

// collect takes what came, up to the connection's end.
func (s *speaker) collect() {
	for !s.ended {
		e, _, ok := s.pop()
		if !ok {
			return
		}
		s.came = append(s.came, e.String())
		s.ended = e.Ended()
	}
}

// speaker finds the client, and connects it if it is not connected.
func (d *dialogue) speaker(name string) (*speaker, error) {
	s := d.clients[name]
	if s == nil {
		s = &speaker{ended: true}
		d.clients[name], d.names = s, append(d.names, name)
	}
	if !s.ended {
		return s, nil
	}
	conn, err := d.broker.Dial(name, s.dial)
	if err != nil {
		return nil, err
	}
	s.Client, s.ended = New(d.t, conn), false
	s.Name, s.Version = name, d.version
	return s, nil
}

func (d *dialogue) speak(name, what string) error {
	args, dial := strings.CutPrefix(what, "dial")
	if s := d.clients[name]; dial && s == nil {
		d.clients[name], d.names = &speaker{ended: true}, append(d.names, name)
	} else if dial && !s.ended {
		return fmt.Errorf("%s is connected", name)
	}
	if dial {
		d.clients[name].dial = strings.Fields(args)
	}
	s, err := d.speaker(name)
	if err != nil || dial {
		return err
	}
	switch what {
	case "close":
		s.ended = true
		s.Close()
		return nil
	case "stall", "resume":
		s.stall(what == "stall")
		return nil
	}
	what, more := strings.CutSuffix(what, "&")
	if raw, ok := strings.CutPrefix(what, "raw "); ok {
		b, err := parseHex(raw)
		if err != nil {
			return err
		}
		s.pieces = append(s.pieces, b...)
	} else {
		p, err := Parse(d.version, what)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if c, ok := p.(*mqtt.Connect); ok {
			s.Version = c.Version
		}
		s.pieces = p.Append(s.pieces, s.Version)
		s.mu.Unlock()
	}
	if more {
		return nil
	}
	pieces := s.pieces
	s.pieces = nil
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = s.conn.Write(pieces)
	}()
	synctest.Wait()
	select {
	case <-sent:
	default:
		return fmt.Errorf("the broker does not read it")
	}
	return nil
}

// got checks a line about what a client got.
func (d *dialogue) got(line, name string) {
	s := d.clients[name]
	if s == nil {
		d.fail("%s has never been connected", name)
		return
	}
	_, want, _ := strings.Cut(line, "<")
	want = strings.TrimSpace(want)
	switch {
	case want == "...":
		s.came = nil
	case len(s.came) == 0:
		if !d.update {
			d.fail("nothing came\n\twant %s", want)
		}
		return
	case !Match(want, s.came[0]):
		if !d.update {
			d.fail("%s\n\tgot  %s\n\twant %s", name, s.came[0], want)
			return
		}
		line = name + "< " + s.came[0]
		s.came = s.came[1:]
	default:
		s.came = s.came[1:]
	}
	d.out.WriteString(line + "\n")
}

// answered checks a line of a command's answer.
func (d *dialogue) answered(line string) {
	want := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "="))
	switch {
	case want == "...":
		d.answer = nil
	case len(d.answer) == 0:
		if !d.update {
			d.fail("no answer\n\twant %s", want)
		}
		return
	case !glob(want, d.answer[0]):
		if !d.update {
			d.fail("answer\n\tgot  %s\n\twant %s", d.answer[0], want)
			return
		}
		line = "= " + d.answer[0]
		d.answer = d.answer[1:]
	default:
		d.answer = d.answer[1:]
	}
	d.out.WriteString(line + "\n")
}
