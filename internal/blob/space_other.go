//go:build !linux

package blob

import "errors"

func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }

func totalSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
