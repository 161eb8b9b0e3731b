package model

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Duration is a time.Duration, in JSON as text: "1.5s", "2m".
type Duration time.Duration

// String is as time.Duration spells it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes the duration as time.Duration spells it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what time.ParseDuration takes, or a number of seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		ns := math.Round(seconds * float64(time.Second))
		if math.Abs(ns) >= math.MaxInt64 {
			return fmt.Errorf("%s seconds are no duration such as \"1.5s\"", b)
		}
		*d = Duration(ns)
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s is no duration such as \"1.5s\"", quoted(string(b)))
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%s is no duration such as \"1.5s\"", quoted(text))
	}
	*d = Duration(v)
	return nil
}
