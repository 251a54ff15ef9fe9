package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the program 'collimate' where it is called by that name: scripts find it in
// their PATH, and the demo, which runs itself for each organisation, does too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"collimate": func() {
		for _, name := range []string{"COLLIMATE_INTEROP", "COLLIMATE_SHARED"} { // meant for tests, and no key of a configuration
			os.Unsetenv(name)
		}
		main()
	}})
}

// TestScripts runs the command line as users meet it. Run with -update to rewrite what the scripts expect, and
// read the difference.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                ledgerCommands,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
