//go:build !linux

package postgrestest

import (
	"errors"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func handOver(string) error { return errors.ErrUnsupported }
