package video

import (
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"sync"
)

// A fragment number is 47 decimal digits, as on AWS: 2^156, then milliseconds since 1970 from bit 92 on, a counter
// from bit 60 on, and 60 random bits, so that numbers sort by time as text, rise within a process even when its clock
// does not, and no two processes give out the same.
const (
	numberDigits  = 47
	numberBase    = 156
	numberTime    = 92
	numberCounter = 60
)

// numbers gives out fragment numbers. The zero value is ready; safe for concurrent use.
type numbers struct {
	mu      sync.Mutex
	ms      int64
	counter uint32
}

// next is a number above all that were given out or seen before.
func (n *numbers) next(ms int64) string {
	n.mu.Lock()
	if ms > n.ms {
		n.ms, n.counter = ms, 0
	} else if n.counter++; n.counter == 0 {
		n.ms++
	}
	ms, counter := n.ms, n.counter
	n.mu.Unlock()

	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	v := new(big.Int).Lsh(big.NewInt(1), numberBase)
	v.Add(v, new(big.Int).Lsh(big.NewInt(ms), numberTime))
	v.Add(v, new(big.Int).Lsh(big.NewInt(int64(counter)), numberCounter))
	v.Add(v, new(big.Int).SetUint64(binary.LittleEndian.Uint64(random[:])>>(64-numberCounter)))
	return v.String()
}

// numberFloor is less than all numbers of a time in milliseconds, and greater than those of earlier ones.
func numberFloor(ms int64) string {
	if ms <= 0 {
		return before
	}
	v := new(big.Int).Lsh(big.NewInt(1), numberBase)
	return v.Add(v, new(big.Int).Lsh(big.NewInt(ms), numberTime)).String()
}

// seen makes all numbers to come greater than number, which a process with a clock ahead of ours may have given out.
func (n *numbers) seen(number string) {
	v, ok := new(big.Int).SetString(number, 10)
	if !ok || len(number) != numberDigits {
		return
	}
	v.Sub(v, new(big.Int).Lsh(big.NewInt(1), numberBase)).Rsh(v, numberTime)
	if !v.IsInt64() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if ms := v.Int64(); ms >= n.ms && ms < 1<<43 {
		n.ms, n.counter = ms+1, 0
	}
}
