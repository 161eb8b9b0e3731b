package rlimit

import (
	"runtime"
	"testing"
)

func TestFiles(t *testing.T) {
	n, ok := Files()
	if ok == (runtime.GOOS == "windows") || ok && n < 3 {
		t.Error(n, ok)
	}
}
