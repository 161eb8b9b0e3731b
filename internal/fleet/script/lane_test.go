package script

import (
	"runtime"
	"testing"
)

// What is in use is known by the lane in which it came about.
func TestHeld(t *testing.T) {
	var kept [Lanes][]*[100_000]byte
	var deep func(n int, f func())
	deep = func(n int, f func()) {
		if n == 0 {
			f()
			return
		}
		deep(n-1, f)
	}
	for l := range Lanes {
		inLane(l, func() {
			deep(l, func() {
				for range 10 * (l%3 + 1) * 10 {
					kept[l] = append(kept[l], new([100_000]byte))
				}
			})
		})
	}
	runtime.GC()
	held := Held()
	for l := range Lanes {
		real := float64(len(kept[l])) * 106496 // the size class
		if got := float64(held[l]); got < real/2 || got > real*2 {
			t.Errorf("lane %d: %.0f bytes, it holds %.0f", l, got, real)
		}
	}
	runtime.KeepAlive(&kept)
	kept = [Lanes][]*[100_000]byte{}
	runtime.GC()
	for l, n := range Held() {
		if n > 1<<20 {
			t.Errorf("lane %d: %d bytes that are free", l, n)
		}
	}
}
