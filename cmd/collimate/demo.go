package main

import (
	"fmt"
	"os"

	"collimate/cmd/collimate/internal/demo"

	"github.com/spf13/cobra"
)

func (a *app) demo() *cobra.Command {
	o := demo.Options{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it on this machine: a study travels as the patient permits",
		Long: `Show all of it on this machine, on loopback and with nothing to install: four organisations
with a ledger between them, a study that one publishes, a patient who lets another have
it, an unmodified XDS consumer that retrieves it, and a revocation that holds at once.

Each organisation is a process of its own. When all is done the demo serves on until
Ctrl-C, and describes itself to other programs in DIR/demo.json. With --once it ends, with
status 0 if everything was as it must be.`,
		Example: `  collimate demo
  collimate demo --once --dicom ~/images
  collimate demo --dir /tmp/demo --nodes 7 --base-port 21000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := o.Check(); err != nil {
				return usageError{err}
			}
			if o.Collimate, err = os.Executable(); err != nil {
				return fmt.Errorf("finding this program, to run it for each organisation: %w", err)
			}
			o.Stdout = a.stdout
			o.Progress = a.passingLine()
			return demo.Run(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "", "data `folder`, empty or not there yet (default: a temporary one, removed at the end)")
	f.IntVar(&o.Nodes, "nodes", demo.MinNodes, fmt.Sprintf("number of organisations, %d to %d", demo.MinNodes, demo.MaxNodes))
	f.IntVar(&o.BasePort, "base-port", 0, "first of the ports, four for each organisation (default: free ones are found)")
	f.StringVar(&o.DICOM, "dicom", "", "`folder` with DICOM files to publish (default: a phantom is made)")
	f.IntVar(&o.Slices, "slices", demo.DefaultSlices, "slices of the phantom, 0.5 MB each")
	f.BoolVar(&o.Once, "once", false, "end after the last step")
	return c
}
