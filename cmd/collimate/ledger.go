package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) ledger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Read the ledger, check what a node says, and follow what happens",
	}
	c.AddCommand(a.ledgerStatus(), a.ledgerSource(), a.ledgerStudy(), a.ledgerGrants(), a.ledgerHistory(), a.ledgerProof(), a.ledgerCheck(), a.ledgerWatch(),
		a.ledgerVerify(), a.ledgerExport(), a.ledgerImport())
	return c
}

func (a *app) ledgerStatus() *cobra.Command {
	var node nodeFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the height, the peers and the sources that a node knows",
		Example: `  collimate ledger status --config north/collimate.yaml
  collimate ledger status --node http://127.0.0.1:8442 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := a.client(node)
			if err != nil {
				return err
			}
			s, err := n.Status(cmd.Context())
			if err != nil {
				return err
			}
			sources, err := n.Sources(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				return e.Encode(map[string]any{"status": s, "sources": sources})
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "chain\t%s\nheight\t%d\nlast block\t%s (%s ago)\napp hash\t%s\npeers\t%d\ncatching up\t%t\n", s.ChainID, s.Height,
				s.BlockTime.UTC().Format(time.RFC3339), time.Since(s.BlockTime).Round(time.Millisecond), s.AppHash, s.Peers, s.CatchingUp)
			for _, source := range sources {
				fmt.Fprintf(w, "source\t%s  %s\n", source.ID.Alias(), source.Endpoints.ITI43)
			}
			return w.Flush()
		},
	}
	a.nodeFlags(c, &node)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
