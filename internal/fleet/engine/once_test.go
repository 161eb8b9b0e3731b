package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
)

// once() that would wait for its own end throws, on one device and between two; what waits for others does not.
func TestOnceInItself(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ code, want string }{
		"itself":  {"once('a', () => once('a', () => 1))", `once "a" is called inside itself`},
		"by way":  {"once('a', () => once('b', () => once('a', () => 1)))", `once "a" is called inside itself`},
		"circle":  {"const [mine, other] = client() ? ['a', 'b'] : ['b', 'a']\nonce(mine, () => { sleep(300); return once(other, () => 1) })", "is called inside itself"},
		"caught":  {"once('a', () => { try { once('a', () => 1) } catch (e) { return e.message } })", ""},
		"another": {"once('a', () => { sleep(100); return once('b', () => { sleep(100); return 2 }) })\nif (once('b', () => 3) != 2) throw new Error('wrong')", ""},
	} {
		for _, time := range []string{"real", "virtual"} {
			t.Run(name+" in "+time+" time", func(t *testing.T) {
				t.Parallel()
				m := &model.Model{Stages: map[string]string{"running": x.code}}
				res := do(t, engine.Options{Model: m, Run: model.RunSettings{Clients: 2, Time: time, Duration: longest, Iterations: 1}})
				if x.want == "" {
					if res.Outcome != report.Succeeded {
						t.Errorf("%s: %s", res.Outcome, res.Reason)
					}
					return
				}
				if res.Outcome != report.Failed || !strings.Contains(res.Reason, x.want) {
					t.Errorf("%s: %s, want %q", res.Outcome, res.Reason, x.want)
				}
			})
		}
	}
}

// longest ends a run that hangs, without success.
const longest = model.Duration(20 * time.Second)
