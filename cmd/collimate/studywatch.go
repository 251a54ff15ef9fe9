package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"collimate/cmd/collimate/internal/admin"

	"github.com/spf13/cobra"
)

func (a *app) studyBackFill() *cobra.Command {
	var path string
	var r admin.BackFillRequest
	c := &cobra.Command{
		Use:   "backfill",
		Short: "Publish studies that the archive has from before",
		Long: `Publish the studies of the archive that are not published, the latest first. It can be ended
at any time and goes on where it stood when it is called again. Begin with --dry-run, which
only counts. A bound on the rate leaves PACS and ledger room for the day's work; beyond the
source's allowance on the ledger it waits. Print the tickets with 'study ticket'.

The organisation's server must be running.`,
		Example: "  collimate study backfill --from 2025-01-01 --dry-run --config north/collimate.yaml\n" +
			"  collimate study backfill --from 2025-01-01 --to 2025-12-31 --rate 60 --config north/collimate.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.From != "" && r.To != "" && r.To < r.From {
				return usageError{fmt.Errorf("--to %s: is before --from %s", r.To, r.From)}
			}
			if r.Rate < 0 {
				return usageError{errors.New("--rate: want studies a minute, or 0 for no bound")}
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			show, done := a.progress()
			b, err := door.BackFill(cmd.Context(), r, show)
			done()
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%d studies of these dates: %d are published, %d were erased, %d may still grow, "+
				"%d are to be published\n", b.Listed, b.Published, b.Erased, b.Fresh, b.Wanted)
			if r.DryRun {
				return nil
			}
			fmt.Fprintf(a.stdout, "published %d\n", b.Done)
			for _, t := range b.Troubles {
				fmt.Fprintf(a.stderr, "not published: %s\n", t)
			}
			if b.Failed > 0 {
				return fmt.Errorf("%d studies could not be published: call it again when what ails them is mended", b.Failed)
			}
			return nil
		},
	}
	a.configFlag(c, &path)
	f := c.Flags()
	dayFlag(c, &r.From, "from", "the first `date`, such as 2025-01-01")
	dayFlag(c, &r.To, "to", "the last `date`")
	f.IntVar(&r.Rate, "rate", 0, "studies a minute at most (0: as fast as it goes)")
	f.BoolVar(&r.DryRun, "dry-run", false, "only count")
	return c
}

func (a *app) studyList() *cobra.Command {
	var path string
	var days int
	c := &cobra.Command{
		Use:   "list",
		Short: "List what was published of late, with the ticket numbers",
		Long: `List what was published of late: when, the ticket number, whether it is known to be claimed,
and the Study Instance UID, by which the PACS knows the patient. The organisation's server must
be running.`,
		Example: "  collimate study list --days 1 --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 {
				return usageError{errors.New("--days: want 1 or more")}
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			all, err := door.Published(cmd.Context(), time.Now().AddDate(0, 0, -days))
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, p := range all {
				claimed := "-"
				if p.Claimed {
					claimed = "claimed"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.At.Local().Format("2006-01-02 15:04"), p.Number, claimed, p.Study)
			}
			return w.Flush()
		},
	}
	a.configFlag(c, &path)
	c.Flags().IntVar(&days, "days", 7, "of how many days")
	return c
}

func (a *app) studyStatus() *cobra.Command {
	var path string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what the watcher has published, and what it waits for",
		Long: `Say what the watcher has done since the server was started (publishing.watch): how many
studies it has published, amended, held and withdrawn, how many wait until they are stable,
how many the archive does not have any more (missing), of how many everything is rejected by
rejection notes (IOCM), and which it cannot deal with. The organisation's server must be running.`,
		Example: `  collimate study status --config north/collimate.yaml
  collimate study status --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			door, err := a.door(path)
			if err != nil {
				return err
			}
			w, err := door.Watcher(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(w)
			}
			if !w.Watching {
				fmt.Fprintln(a.stdout, "the watcher is off: publishing.watch in the configuration")
				return nil
			}
			looked := "not yet"
			if !w.Looked.IsZero() {
				looked = w.Looked.Local().Format("2006-01-02 15:04:05")
			}
			fmt.Fprintf(a.stdout, "looked     %s\npublished  %d\namended    %d\nheld       %d\n", looked, w.Published, w.Amended, w.Held)
			fmt.Fprintf(a.stdout, "withdrawn  %d\nwaiting    %d\nmissing    %d\nrejected   %d\n", w.Withdrawn, w.Waiting, w.Missing, w.Rejected)
			if w.Error != "" {
				fmt.Fprintf(a.stdout, "trouble    %s\n", w.Error)
			}
			for _, t := range w.Troubles {
				fmt.Fprintf(a.stdout, "trouble    %s\n", t)
			}
			return nil
		},
	}
	a.configFlag(c, &path)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
