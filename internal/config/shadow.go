package config

import "fmt"

// The bounds of what ShadowSize may say, which are AWS's quota before anybody
// asks for more, and what can be asked for.
const (
	minShadowSize = 8 << 10
	maxShadowSize = 30 << 10
)

// ShadowBytes is how large the state of a device shadow may be. It is of a
// Config that Check found nothing wrong with.
func (c *Config) ShadowBytes() int {
	n, err := c.shadowSize()
	if err != nil {
		return minShadowSize
	}
	return n
}

// shadowSize reads ShadowSize; empty is the default.
func (c *Config) shadowSize() (int, error) {
	if c.ShadowSize == "" {
		return minShadowSize, nil
	}
	n, err := parseSize(c.ShadowSize, minShadowSize, maxShadowSize)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size of 8KiB to 30KiB", c.ShadowSize)
	}
	return int(n), nil
}
