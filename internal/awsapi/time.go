package awsapi

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// parseTime reads the timestamp forms that clients send: epoch seconds with or
// without a fraction, ISO 8601, RFC 822.
func parseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if math.IsNaN(f) || math.Abs(f) > 253402300799 { // the year 9999
			return time.Time{}, fmt.Errorf("timestamp %.40s is out of range", s)
		}
		// Milliseconds are what AWS keeps; floats cannot hold more today.
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02", time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a timestamp", s)
}

// formatTime writes a timestamp in one of AWS's forms. Epoch seconds carry
// milliseconds when there are any.
func formatTime(t time.Time, format string) string {
	switch format {
	case "rfc822":
		return t.UTC().Format(http.TimeFormat)
	case "unixTimestamp":
		ms := t.UnixMilli()
		s := strconv.FormatInt(ms/1000, 10)
		if frac := ms % 1000; frac != 0 {
			s = strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
		}
		return s
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
