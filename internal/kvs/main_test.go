package kvs

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	// Tests wait, for wires to break and for time to pass, more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
