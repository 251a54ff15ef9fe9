// Command collimate is an IHE gateway for medical imaging whose access list is a ledger that patients sign.
//
// One binary plays every part. An organisation runs 'collimate serve', which is a ledger node and beside it the
// source side of a gateway, the consumer side, or both. The other commands make keys and configurations, speak
// for a source (through the running server), for the owner of a study, or for a requester. 'collimate demo'
// does all of it on one machine.
//
// This package only reads the command line and wires; what takes more than that is in the packages below
// internal. Exit status: 0 done, 1 failed, 2 the command line or the configuration is wrong.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal asks to end, the second one ends: stop gives signals their default effect back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
