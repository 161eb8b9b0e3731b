package app

import (
	"testing"

	"github.com/thingd/thingd/internal/config"
)

func TestDataOption(t *testing.T) {
	none := func(string) string { return "" }
	fixed := config.DevDirs(none)[0]
	for _, tt := range []struct {
		cfg  config.Config
		env  map[string]string
		want string
	}{
		{config.Config{Data: "/h/thingd"}, map[string]string{"XDG_DATA_HOME": "/h"}, ""},
		{config.Config{Data: "/my data"}, map[string]string{"XDG_DATA_HOME": "/h"}, " --data '/my data'"},
		{config.Config{Data: "/d"}, map[string]string{"THINGD_DATA": "/d"}, ""},
		{config.Config{Data: fixed, Dev: true}, nil, " --dev"},
		{config.Config{Data: "/r/thingd-dev", Dev: true}, map[string]string{"XDG_RUNTIME_DIR": "/r"}, " --dev"},
		{config.Config{Data: "/d", Dev: true}, nil, " --data /d"},
		{config.Config{Data: "/d", Dev: true}, map[string]string{"THINGD_DATA": "/d"}, " --data /d"},
	} {
		a := &App{cfg: &tt.cfg}
		if got := a.dataOption(func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%+v %v: %q, want %q", tt.cfg, tt.env, got, tt.want)
		}
	}
}
