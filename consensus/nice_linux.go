package consensus

import (
	"runtime"
	"syscall"
)

// politely runs f at the lowest priority, so that it takes no time from the work on blocks.
func politely(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its priority with it
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
		f()
	}()
	<-done
}
