package script

import (
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
)

// TestStateLimit ends a device whose state is too long to be kept, and no other.
func TestStateLimit(t *testing.T) {
	for _, x := range []struct {
		code string
		over bool
	}{
		{"state.a = 'x'.repeat(300000)", true},
		{"state.a = []; for (let i = 0; i < 200000; i++) state.a.push(i)", true},
		{"state.a = Buffer.alloc(200000)", true},
		{"state.a = new Date(); state.b = 'x'.repeat(300000)", true},
		{"state.a = '\\n'.repeat(200000)", true},
		{"state.a = 'x'.repeat(262100)", false},
		{"state.__$a = 'x'.repeat(300000)", false},
		{"state.a = {b: {__$c: 'x'.repeat(300000)}}", false},
		{"state.a = {toJSON: () => 1, b: 'x'.repeat(300000)}", false},
		{"state.a = state", false}, // it cannot be shown, but does no harm
		{"state = {get a() { throw 1 }}", false},
		{"state = null", false},
	} {
		d, _ := device(t, &model.Model{Stages: map[string]string{"running": x.code}}, Info{})
		_, _, err := d.Run(t.Context(), "running", 0)
		if !x.over {
			if err != nil {
				t.Errorf("%s: %v", x.code, err)
			}
			continue
		}
		if err == nil || err.Error() != "stage running: RangeError: state: there are more than 262144 bytes" || strings.HasPrefix(string(d.State()), "{") {
			t.Errorf("%s: %v", x.code, err)
		}
	}
}
