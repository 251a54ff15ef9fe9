package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"collimate/cmd/collimate/internal/owner"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"

	"github.com/spf13/cobra"
)

// defaultGrantDays is how long a grant lasts if the owner says nothing: long enough for a treatment, short
// enough that a forgotten one ends by itself.
const defaultGrantDays = 90

func (a *app) grant() *cobra.Command {
	c := &cobra.Command{
		Use:   "grant",
		Short: "Let somebody retrieve a study, revoke that, or list what was granted",
	}
	c.AddCommand(a.grantAllow(), a.grantDisclose(), a.grantRevoke(), a.grantList())
	return c
}

func (a *app) grantAllow() *cobra.Command {
	var flags ownerFlags
	var study studyFlags
	var to, out string
	var days int
	c := &cobra.Command{
		Use:   "allow",
		Short: "Let somebody retrieve a study",
		Long: `Let somebody retrieve a study, for a time. On the ledger the grant does not say whom it
names; what says so, its opening, goes to the study's source, and into a file for you to
keep and for whom you let in. When this ends without an error, the grant can be used.`,
		Example: `  collimate grant allow --ticket ticket.json --key patient.key --to south.crt --days 30
  collimate grant allow --study 5f0c... --key patient.key --to 93ab... --node http://127.0.0.1:8442`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			grantee, err := party(to)
			if err != nil {
				return fmt.Errorf("--to: %w", err)
			}
			notAfter := time.Now().AddDate(0, 0, days)
			if days < 1 || time.Until(notAfter) > ledger.MaxGrantLife {
				return usageError{fmt.Errorf("--days %d: want 1 to %d", days, int(ledger.MaxGrantLife/(24*time.Hour)))}
			}
			if out == "" {
				out = fmt.Sprintf("opening-%s-%s.json", id.String()[:12], time.Now().UTC().Format("20060102T150405"))
			}
			if isTaken(out) {
				return fmt.Errorf("%s exists already: give another name with --out", out)
			}
			o, err := a.owner(flags)
			if err != nil {
				return err
			}
			opening := owner.NewOpening(id, keys.Grantee{ID: grantee})
			raw, err := json.MarshalIndent(opening, "", "  ")
			if err != nil {
				return err
			}
			if err := writeFile(out, append(raw, '\n'), 0o600); err != nil {
				return fmt.Errorf("keeping the opening: %w", err)
			}
			g, err := o.Allow(cmd.Context(), opening, notAfter)
			if ledger.CodeOf(err) != "" {
				return errors.Join(fmt.Errorf("granting: %w", err), os.Remove(out)) // there is no such grant
			}
			if err != nil {
				return fmt.Errorf("granting: %w\nwhether the grant became final is not known; its opening is kept in %s", err, out)
			}
			if err := owner.Disclose(cmd.Context(), o.Node, g.Opening); err != nil {
				return fmt.Errorf("the grant is final, but the source does not know its opening yet: %w\n"+
					"try again with: collimate grant disclose --opening %s --node %s", err, out, o.Node.URL())
			}
			fmt.Fprintf(a.stdout, "granted in block %d, until %s\n  study       %s\n  commitment  %s\n  opening     %s\n",
				g.Receipt.Height, notAfter.UTC().Format(time.DateTime+" MST"), id, g.Commitment, out)
			return nil
		},
	}
	a.ownerFlags(c, &flags)
	study.add(c)
	c.Flags().StringVar(&to, "to", "", "whom to let in: a `certificate` file or a key id")
	c.Flags().IntVar(&days, "days", defaultGrantDays, "for how many days")
	c.Flags().StringVar(&out, "out", "", "`file` for the opening (default: opening-STUDY-TIME.json)")
	_ = c.MarkFlagRequired("to")
	return c
}

func (a *app) grantDisclose() *cobra.Command {
	var node nodeFlags
	var opening string
	c := &cobra.Command{
		Use:   "disclose",
		Short: "Give the opening of a grant to the source, if 'allow' could not",
		Long: `Give the opening of a grant to the study's source, so that it recognises whom the grant
names. 'grant allow' does it already; repeat it here if it failed. No key is needed: the
opening proves itself.`,
		Example: "  collimate grant disclose --opening opening.json --node http://127.0.0.1:8442",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := readOpening(opening)
			if err != nil {
				return err
			}
			n, err := a.client(node)
			if err != nil {
				return err
			}
			if err := owner.Disclose(cmd.Context(), n, o); err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, "the source knows the opening")
			return nil
		},
	}
	a.nodeFlags(c, &node)
	c.Flags().StringVar(&opening, "opening", "", "the opening, a `file`")
	_ = c.MarkFlagRequired("opening")
	return c
}

func (a *app) grantRevoke() *cobra.Command {
	var flags ownerFlags
	var study studyFlags
	var opening, commitment string
	var all bool
	c := &cobra.Command{
		Use:   "revoke",
		Short: "Revoke a grant, or all grants of a study",
		Long: `Revoke a grant, named by its opening or its commitment, or all grants of a study. The
source refuses from the moment it sees the revocation, even before it is final.`,
		Example: `  collimate grant revoke --opening opening.json --key patient.key --node http://127.0.0.1:8442
  collimate grant revoke --ticket ticket.json --all --key patient.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var id ledger.StudyID
			var c ledger.Commitment
			if opening != "" {
				o, err := readOpening(opening)
				if err != nil {
					return err
				}
				id, c = o.Study, ledger.NewCommitment(o.Blind, o.Grantee, o.Study)
			} else {
				var err error
				if id, err = study.study(); err != nil {
					return err
				}
				if commitment != "" {
					if c, err = ledger.ParseCommitment(commitment); err != nil {
						return err
					}
				}
			}
			o, err := a.owner(flags)
			if err != nil {
				return err
			}
			var r client.Receipt
			if all {
				r, err = o.RevokeAll(cmd.Context(), id)
			} else {
				r, err = o.Revoke(cmd.Context(), id, c)
			}
			if err != nil {
				return fmt.Errorf("revoking: %w", err)
			}
			fmt.Fprintf(a.stdout, "revoked in block %d\n", r.Height)
			return nil
		},
	}
	a.ownerFlags(c, &flags)
	study.add(c)
	f := c.Flags()
	f.StringVar(&opening, "opening", "", "the opening of the grant, a `file`")
	f.StringVar(&commitment, "commitment", "", "the grant's commitment, with --study or --ticket")
	f.BoolVar(&all, "all", false, "all grants of the study, with --study or --ticket")
	c.MarkFlagsOneRequired("opening", "commitment", "all")
	c.MarkFlagsMutuallyExclusive("opening", "commitment", "all")
	return c
}
