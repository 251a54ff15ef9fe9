package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/owner"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
	"collimate/xua"

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
	var to, group, scope, tier, out string
	var days int
	c := &cobra.Command{
		Use:   "allow",
		Short: "Let somebody retrieve a study",
		Long: `Let somebody retrieve a study, for a time. On the ledger the grant does not say whom it
names; what says so, its opening, goes to the study's source, and into a file for you to
keep and for whom you let in. When this ends without an error, the grant can be used.

A grant to a group (--to-group) is used by its members: give them the opening, to which they
add their own, with 'grant disclose --membership'. A group makes somebody a member by a
grant of the group's own record.`,
		Example: `  collimate grant allow --ticket ticket.json --key patient.key --to south.crt --days 30
  collimate grant allow --ticket ticket.json --key patient.key --to-group 77e1... --scope images --min-tier A
  collimate grant allow --study 5f0c... --key patient.key --to 93ab... --node http://127.0.0.1:8442 --genesis genesis.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			opening, err := openingFor(id, to, group)
			if err != nil {
				return err
			}
			reach, err := parseReach(scope, tier)
			if err != nil {
				return usageError{err}
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
			raw, err := json.MarshalIndent(opening, "", "  ")
			if err != nil {
				return err
			}
			if err := writeFile(out, append(raw, '\n'), 0o600); err != nil {
				return fmt.Errorf("keeping the opening: %w", err)
			}
			g, err := o.Allow(cmd.Context(), opening, reach, notAfter)
			if ledger.CodeOf(err) != "" {
				return errors.Join(fmt.Errorf("granting: %w", err), os.Remove(out)) // there is no such grant
			}
			if err != nil {
				return fmt.Errorf("granting: %w\nwhether the grant became final is not known; its opening is kept in %s", err, out)
			}
			if group == "" {
				err = owner.Disclose(cmd.Context(), o.Reader, g.Opening)
			}
			if err != nil {
				return fmt.Errorf("the grant is final, but the source does not know its opening yet: %w\n"+
					"try again with: collimate grant disclose --opening %s --node %s, and --genesis or --config as now", err, out, o.Node.URL())
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
	c.Flags().StringVar(&group, "to-group", "", "the `ID` of a group's record, instead of --to")
	c.Flags().StringVar(&scope, "scope", "images,reports,find", "what the grant reaches to")
	c.Flags().StringVar(&tier, "min-tier", "any", "the least evidence of who asks: any, C, B or A")
	c.MarkFlagsOneRequired("to", "to-group")
	c.MarkFlagsMutuallyExclusive("to", "to-group")
	return c
}

// openingFor draws the opening of a grant to a key or to a group.
func openingFor(study ledger.StudyID, to, group string) (o gateway.Opening, err error) {
	if group == "" {
		grantee, err := party("to", to)
		if err != nil {
			return o, err
		}
		return owner.NewOpening(study, keys.Grantee{ID: grantee}), nil
	}
	id, err := ledger.ParseStudyID(group)
	if err != nil {
		return o, usageError{fmt.Errorf("--to-group: %w", err)}
	}
	o = owner.NewOpening(study, keys.Grantee{})
	o.Group = &id
	return o, nil
}

// parseReach reads --scope and --min-tier.
func parseReach(scope, tier string) (owner.Reach, error) {
	var r owner.Reach
	for _, s := range strings.Split(scope, ",") {
		bit, ok := map[string]ledger.Scope{"images": ledger.ScopeImages, "reports": ledger.ScopeReports, "find": ledger.ScopeFind}[s]
		if !ok {
			return r, fmt.Errorf("--scope: %q is none of images, reports, find", s)
		}
		r.Scope |= bit
	}
	least, ok := map[string]xua.Tier{"any": xua.TierNone, "A": xua.TierA, "B": xua.TierB, "C": xua.TierC}[tier]
	if !ok {
		return r, fmt.Errorf("--min-tier: %q is none of any, A, B, C", tier)
	}
	r.Tier = ledger.Tier(least)
	return r, nil
}

func (a *app) grantDisclose() *cobra.Command {
	var flags readerFlags
	var opening, membership string
	c := &cobra.Command{
		Use:   "disclose",
		Short: "Give the opening of a grant to the source, if 'allow' could not",
		Long: `Give the opening of a grant to the study's source, so that it recognises whom the grant
names. 'grant allow' does it already; repeat it here if it failed. No key is needed: the
opening proves itself.

If the grant is a group's, --membership is the opening by which the group made you a member.`,
		Example: `  collimate grant disclose --opening opening.json --node http://127.0.0.1:8442 --genesis genesis.json
  collimate grant disclose --opening from-the-patient.json --membership from-the-group.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := readOpening(opening)
			if err != nil {
				return err
			}
			if membership != "" {
				m, err := readOpening(membership)
				if err != nil {
					return err
				}
				if o.Group == nil || m.Study != *o.Group {
					return fmt.Errorf("%s is not of the group that %s names", membership, opening)
				}
				o.Grantee, o.Membership = m.Grantee, &m.Blind
			} else if o.Group != nil {
				return usageError{errors.New("the grant is a group's: say by --membership how you are a member of it")}
			}
			from, err := a.reader(flags)
			if err != nil {
				return err
			}
			if err := owner.Disclose(cmd.Context(), from, o); err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, "the source knows the opening")
			return nil
		},
	}
	a.readerFlags(c, &flags)
	c.Flags().StringVar(&opening, "opening", "", "the opening, a `file`")
	c.Flags().StringVar(&membership, "membership", "", "the opening of your membership in the group that the grant names, a `file`")
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
		Example: `  collimate grant revoke --opening opening.json --key patient.key --node http://127.0.0.1:8442 --genesis genesis.json
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
				id, c = o.Study, o.Commitment()
			} else {
				var err error
				if id, err = study.study(); err != nil {
					return err
				}
				if commitment != "" {
					if c, err = ledger.ParseCommitment(commitment); err != nil {
						return usageError{fmt.Errorf("--commitment: %w", err)}
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
