package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"collimate/cmd/collimate/internal/config"

	"github.com/spf13/cobra"
)

// The exit status of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// app is what every command is given instead of globals.
type app struct {
	environ        []string
	stdout, stderr io.Writer
}

// usageError is an error of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run runs one command and returns the exit status. It ends early when ctx does.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var faults config.Faults
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case errors.As(err, &usage) || isCobraUsage(err):
		fmt.Fprintf(stderr, "collimate: %v\nSee 'collimate --help'.\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "collimate: %v\n", err)
	return exitFailed
}

// isCobraUsage recognises the errors of the command line that cobra has no type for.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires at least", "required flag", "if any flags in the group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "collimate",
		Short: "An IHE gateway for medical imaging whose access list is a ledger that patients sign",
		Long: `Collimate lets an imaging centre release studies to whoever the patient has let in.
Permissions stand on a ledger that the participating organisations keep together;
images never touch it, they go straight from the source to the requester (ITI-43).

See it at work:        collimate demo
Set up by hand:        collimate init --help
A running server:      collimate serve --help`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if what, _, ok := strings.Cut(err.Error(), ": strconv."); ok {
			err = errors.New(what + ": want a whole number, such as 3")
		}
		return usageError{err}
	})
	root.AddGroup(
		&cobra.Group{ID: "start", Title: "To begin with:"},
		&cobra.Group{ID: "operate", Title: "For an organisation:"},
		&cobra.Group{ID: "owner", Title: "For owners of studies and those they let in:"},
	)
	in := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	in("start", a.demo(), a.initialise(), a.genesis(), a.serve(), a.config())
	in("operate", a.keys(), a.source(), a.study(), a.archive(), a.payer(), a.ledger(), a.conformance())
	in("owner", a.grant(), a.ownerCommands(), a.retrieve(), a.emergency())
	root.AddCommand(a.version())
	return root
}

// getenv returns the last value of a variable in the environment that run was given.
func (a *app) getenv(name string) (value string) {
	for _, entry := range a.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// configFlag adds --config to a command.
func (a *app) configFlag(c *cobra.Command, path *string) {
	def := a.getenv(config.PathVariable)
	if def == "" {
		def = "collimate.yaml"
	}
	c.Flags().StringVar(path, "config", def, "configuration `file`; also "+config.PathVariable)
	_ = c.MarkFlagFilename("config", "yaml")
}

// load reads the configuration of an organisation.
func (a *app) load(path string) (*config.Config, error) {
	return config.Load(path, a.environ)
}
