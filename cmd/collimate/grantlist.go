package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"collimate/gateway"
	"collimate/ledger"

	"github.com/spf13/cobra"
)

func (a *app) grantList() *cobra.Command {
	var node nodeFlags
	var study studyFlags
	var openings []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the grants of a study as they stand on the ledger",
		Long: `List the grants of a study as they stand on the ledger. Whom a grant names is known only to
who has its opening: give yours with --openings to see it.`,
		Example: "  collimate grant list --ticket ticket.json --openings 'opening-*.json' --node http://127.0.0.1:8442",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			named, err := grantees(openings)
			if err != nil {
				return err
			}
			n, err := a.client(node)
			if err != nil {
				return err
			}
			record, err := n.Study(cmd.Context(), id)
			if err != nil {
				return err
			}
			grants, err := n.Grants(cmd.Context(), id)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "COMMITMENT\tSTATE\tUNTIL\tGRANTEE")
			for _, g := range grants {
				who := named[g.Commitment]
				if who == "" {
					who = "-"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", g.Commitment, state(g, record.Epoch, time.Now()), g.NotAfter.Time().Format(time.DateOnly), who)
			}
			return w.Flush()
		},
	}
	a.nodeFlags(c, &node)
	study.add(c)
	c.Flags().StringSliceVar(&openings, "openings", nil, "openings that you keep, `files` or patterns")
	return c
}

// state says whether a grant of a study in its present epoch counts.
func state(g ledger.GrantRecord, epoch uint64, now time.Time) string {
	switch {
	case g.Revoked():
		return fmt.Sprintf("revoked in block %d", g.RevokedAt)
	case g.Epoch != epoch:
		return "ended with its epoch"
	case now.After(g.NotAfter.Time()):
		return "expired"
	}
	return "granted"
}

// who names whom an opening is for.
func who(o gateway.Opening) string {
	if o.Group != nil {
		return "group " + o.Group.String()
	}
	return o.Grantee.String()
}

// grantees reads openings, and returns whom each commitment names.
func grantees(patterns []string) (map[ledger.Commitment]string, error) {
	named := map[ledger.Commitment]string{}
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, usageError{fmt.Errorf("--openings %s: %w", p, err)}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("--openings: there is no file %s", p)
		}
		for _, file := range files {
			o, err := readOpening(file)
			if err != nil {
				return nil, err
			}
			named[o.Commitment()] = who(o)
		}
	}
	return named, nil
}
