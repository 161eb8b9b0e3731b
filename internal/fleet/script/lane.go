package script

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

// Lanes is how many devices Held tells apart: those whose Lane differs.
const Lanes = laneWays * laneWays

const laneWays = 8

// lane calls f from one of eight places. Two of them stand at the bottom of
// what a device's script does: by that the runtime's own profile of memory
// tells whose it is, while the script computes and cannot be looked into.
//
//go:noinline
func lane(n int, f func()) {
	switch n % laneWays {
	case 0:
		f()
	case 1:
		f()
	case 2:
		f()
	case 3:
		f()
	case 4:
		f()
	case 5:
		f()
	case 6:
		f()
	case 7:
		f()
	}
}

// inLane calls f in a lane.
func inLane(n int, f func()) { lane(n/laneWays, func() { lane(n, f) }) }

// Lane is where Held counts the device.
func (d *Device) Lane() int { return d.info.Index % Lanes }

// lanePlaces are the lines of lane's calls by which frames of it are known,
// with its name.
var lanePlaces = sync.OnceValues(func() (name string, lines map[int]int) {
	lines = map[int]int{}
	for n := range laneWays {
		lane(n, func() {
			pc := make([]uintptr, 1)
			runtime.Callers(2, pc) // who called this: lane
			frame, _ := runtime.CallersFrames(pc).Next()
			name, lines[frame.Line] = frame.Function, n
		})
	}
	return name, lines
})

// Held is about how many bytes the scripts of each lane have allocated that
// were still in use at the last garbage collection; what is small by its kind
// is left out, and what came about very deep in calls. It costs some
// milliseconds: it is asked when memory is short.
func Held() (by [Lanes]int64) {
	in, out := io.Pipe()
	// The text form: runtime.MemProfile cuts stacks at 32 calls, half of a script's.
	go func() { _ = out.CloseWithError(pprof.Lookup("heap").WriteTo(out, 1)) }()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var stack []uintptr
	for lines.Scan() {
		var objects, bytes, allObjects, allBytes int64
		// objects: bytes [objects: bytes] @ 0x1 0x2
		sizes, calls, ok := strings.Cut(lines.Text(), " @ 0x")
		if n, err := fmt.Sscanf(sizes, "%d: %d [%d: %d]", &objects, &bytes, &allObjects, &allBytes); !ok || n != 4 || err != nil {
			continue
		}
		const small = 64 << 10 // not worth the look
		if bytes = unsampled(objects, bytes); bytes < small {
			continue
		}
		stack = stack[:0]
		for call := range strings.FieldsSeq(calls) {
			if at, err := strconv.ParseUint(strings.TrimPrefix(call, "0x"), 16, 64); err == nil {
				stack = append(stack, uintptr(at))
			}
		}
		if l, ok := laneOf(stack); ok {
			by[l] += bytes
		}
	}
	_ = in.Close() // whatever is left to say
	return by
}

// laneOf finds the lane in a stack: the two calls that are next to its top.
func laneOf(stack []uintptr) (int, bool) {
	name, lines := lanePlaces()
	frames := runtime.CallersFrames(stack)
	last := -1
	for more := len(stack) > 0; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function != name {
			continue
		}
		n, known := lines[f.Line]
		switch {
		case !known:
			return 0, false
		case last >= 0:
			return n*laneWays + last, true
		}
		last = n
	}
	return 0, false
}

// unsampled is what samples stand for.
func unsampled(objects, bytes int64) int64 {
	if objects <= 0 || bytes <= 0 || runtime.MemProfileRate <= 0 {
		return 0
	}
	each := float64(bytes) / float64(objects)
	return int64(float64(bytes) / (1 - math.Exp(-each/float64(runtime.MemProfileRate))))
}
