package main

import (
	"fmt"

	"collimate/cmd/collimate/internal/archive"
	"collimate/cmd/collimate/internal/config"
	"collimate/dicom"

	"github.com/spf13/cobra"
)

func (a *app) archive() *cobra.Command {
	c := &cobra.Command{
		Use:   "archive",
		Short: "Try the connection to the archive that holds the images",
	}
	c.AddCommand(a.archiveCheck())
	return c
}

func (a *app) archiveCheck() *cobra.Command {
	var path, uid string
	c := &cobra.Command{
		Use:   "check",
		Short: "Try the connection to the archive, and say what to do if it does not work",
		Long: `Try the connection to the archive of the configuration as the gateway will use it: C-ECHO if
it is a PACS by DICOM, a listing of the last days, and, with --uid, each instance of a study.
If something does not work it says what to do. The server need not be running.`,
		Example: "  collimate archive check --config north/collimate.yaml\n" +
			"  collimate archive check --uid 1.2.840.113619.2.55.3 --config north/collimate.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if uid != "" {
				if err := dicom.CheckUID(uid); err != nil {
					return usageError{fmt.Errorf("--uid: %w", err)}
				}
			}
			c, err := a.load(path)
			if err := config.Join(err, c.CheckFiles()); err != nil {
				return err
			}
			where := map[string]string{
				config.KindFS:       c.Path(config.ArchiveDir),
				config.KindDICOMweb: c.Archive.URL,
				config.KindDIMSE:    c.Archive.AETitle + " at " + c.Archive.Address,
			}
			fmt.Fprintf(a.stdout, "archive: %s, %s\n", c.Archive.Kind, where[c.Archive.Kind])
			return archive.Check(cmd.Context(), c, uid, func(s archive.Step) {
				if s.Err == nil {
					fmt.Fprintf(a.stdout, "  ok      %s: %s\n", s.What, s.Found)
					return
				}
				fmt.Fprintf(a.stdout, "  failed  %s: %v\n          %s\n", s.What, s.Err, s.Advice)
			})
		},
	}
	a.configFlag(c, &path)
	c.Flags().StringVar(&uid, "uid", "", "a study that is read whole, by its Study Instance UID")
	return c
}
