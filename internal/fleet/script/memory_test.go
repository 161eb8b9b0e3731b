package script

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
)

// heapOf is how many bytes of heap each of n devices takes.
func heapOf(t *testing.T, n int, m *model.Model, each func(d *Device)) int64 {
	t.Helper()
	p, err := Compile(m)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	h.glob["key"] = json.RawMessage(`"` + strings.Repeat("k", 1000) + `"`)
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	devices := make([]*Device, n)
	before := heap()
	for i := range devices {
		d, err := p.NewDevice(Info{Client: i, Clients: n, Seed: 1}, h)
		if err != nil {
			t.Fatal(err)
		}
		devices[i] = d
		each(d)
	}
	used := (heap() - before) / int64(n)
	runtime.KeepAlive(devices)
	return used
}

// TestMemory holds what a device takes while it waits: people run thousands.
func TestMemory(t *testing.T) {
	sensor := &model.Model{Name: "sensor", Script: "const unit = 'C'\nfunction reading() { return chance.walk('t', {min: 10, max: 30, step: 0.1, fixed: 1}) }", Stages: map[string]string{
		"init":    "state.__$key = glob.get('key'); state.sent = 0",
		"running": "state.sent++; return {client: client(), unit, temperature: reading(), time: new Date().toISOString()}",
	}}
	run := func(stages ...string) func(*Device) {
		return func(d *Device) {
			for _, s := range stages {
				if _, _, err := d.Run(t.Context(), s, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, x := range []struct {
		name string
		each func(*Device)
		most int64
	}{
		{"idle", run(), 10 << 10},
		{"after init and two messages", run("init", "running", "running"), 17 << 10},
	} {
		got := heapOf(t, 1000, sensor, x.each)
		t.Logf("%s: %d bytes a device", x.name, got)
		if got > x.most {
			t.Errorf("%s: a device takes %d bytes of heap, more than %d", x.name, got, x.most)
		}
	}
}
