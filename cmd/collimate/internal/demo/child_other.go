//go:build !unix

package demo

import "syscall"

// ownGroup has no equivalent here.
func ownGroup() *syscall.SysProcAttr { return nil }
