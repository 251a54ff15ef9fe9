package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/keys"
	"collimate/ledger"

	"github.com/spf13/cobra"
)

// defaultRecoveryDelay is how long an owner has to object to a recovery: a holiday.
const defaultRecoveryDelay = 14 * 24 * time.Hour

func (a *app) ownerCommands() *cobra.Command {
	c := &cobra.Command{
		Use:   "owner",
		Short: "Say who can recover a study if your key is lost, or recover one",
	}
	c.AddCommand(a.ownerGuardians(), a.ownerRecover(), a.ownerCancelRecovery())
	return c
}

func (a *app) ownerGuardians() *cobra.Command {
	var flags ownerFlags
	var study studyFlags
	var guardians []string
	var threshold uint64
	var delay time.Duration
	var out string
	c := &cobra.Command{
		Use:   "guardians",
		Short: "Say who can recover a study, in place of those named before",
		Long: `Say who can give a study another owner if your key is lost: so many of the guardians
together, and only after a delay in which you can object with 'owner cancel-recovery'. On
the ledger it does not say who they are. For each guardian a file is written: hand it over
in confidence. Without --guardian, nobody can recover the study any more.`,
		Example: `  collimate owner guardians --ticket ticket.json --key patient.key \
      --guardian anna.crt --guardian ben.crt --guardian carol.crt --threshold 2
  collimate owner guardians --study 5f0c... --key patient.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			var all []ledgercmd.Guardianship
			for _, name := range guardians {
				guardian, err := party("guardian", name)
				if err != nil {
					return err
				}
				all = append(all, ledgercmd.NewGuardianship(id, keys.Guardian{ID: guardian}))
			}
			n := uint64(len(all))
			switch {
			case n == 0:
				threshold, delay = 0, 0
			case n > ledger.MaxGuardians:
				return usageError{fmt.Errorf("--guardian: comes %d times, want %d at the most", n, ledger.MaxGuardians)}
			case threshold < 1 || threshold > n:
				return usageError{fmt.Errorf("--threshold %d: want 1 to %d, the number of guardians", threshold, n)}
			case delay <= 0:
				return usageError{fmt.Errorf("--delay %s: want a time such as %s", delay, defaultRecoveryDelay)}
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			// They are kept before the transaction: without them the guardians are worth nothing.
			stamp := time.Now().UTC().Format("20060102T150405")
			for i, g := range all {
				file := filepath.Join(out, fmt.Sprintf("guardian-%s-%s-%d.json", id.String()[:12], stamp, i+1))
				if err := writeJSON(file, g); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "for %s: %s\n", guardians[i], file)
			}
			r, err := s.SetGuardians(cmd.Context(), id, all, threshold, delay)
			if err != nil {
				return fmt.Errorf("naming the guardians: %w", err)
			}
			fmt.Fprintf(a.stdout, "%d guardians in block %d\n", len(all), r.Height)
			return nil
		},
	}
	a.ownerFlags(c, &flags)
	study.add(c)
	f := c.Flags()
	f.StringSliceVar(&guardians, "guardian", nil, "a guardian: a `certificate` file or a key id; may be repeated")
	f.Uint64Var(&threshold, "threshold", 1, "how many of them must agree")
	f.DurationVar(&delay, "delay", defaultRecoveryDelay, "how long you have to object")
	f.StringVar(&out, "out", ".", "`directory` for the guardians' files")
	return c
}

func (a *app) ownerRecover() *cobra.Command {
	var flags ownerFlags
	var file, to string
	c := &cobra.Command{
		Use:   "recover",
		Short: "As a guardian, say who is to own a study",
		Long: `As a guardian, say who is to own a study whose owner's key is lost. When as many guardians as
must agree have named the same owner, the study is theirs after the delay, unless the
present owner objects. Every grant ends with it.`,
		Example: "  collimate owner recover --guardianship guardian-5f0c-1.json --key anna.key --to patient-new.crt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			var g ledgercmd.Guardianship
			if err := json.Unmarshal(raw, &g); err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
			owner, err := party("to", to)
			if err != nil {
				return err
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			r, err := s.Recover(cmd.Context(), g, keys.Owner{ID: owner})
			if err != nil {
				return fmt.Errorf("recovering: %w", err)
			}
			recovery, err := s.Node.Recovery(cmd.Context(), g.Study)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "said in block %d, as one of %d guardians so far\n", r.Height, len(recovery.Calls))
			if recovery.At != 0 {
				fmt.Fprintf(a.stdout, "enough agree: the study goes to %s at %s\n", recovery.NewOwner, recovery.At.Time().Format(time.RFC3339))
			}
			return nil
		},
	}
	a.keyFlags(c, &flags, "the guardian's")
	c.Flags().StringVar(&file, "guardianship", "", "what the owner gave you, a `file`")
	c.Flags().StringVar(&to, "to", "", "who is to own the study: a `certificate` file or a key id")
	_ = c.MarkFlagRequired("guardianship")
	_ = c.MarkFlagRequired("to")
	return c
}

func (a *app) ownerCancelRecovery() *cobra.Command {
	var flags ownerFlags
	var study studyFlags
	c := &cobra.Command{
		Use:     "cancel-recovery",
		Short:   "End a recovery that you did not ask for",
		Example: "  collimate owner cancel-recovery --ticket ticket.json --key patient.key --node http://127.0.0.1:8442 --genesis genesis.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			r, err := s.CancelRecovery(cmd.Context(), id)
			if err != nil {
				return fmt.Errorf("ending the recovery: %w", err)
			}
			fmt.Fprintf(a.stdout, "the recovery ended in block %d; if you do not trust your guardians any more, name others\n", r.Height)
			return nil
		},
	}
	a.ownerFlags(c, &flags)
	study.add(c)
	return c
}

// writeJSON writes a secret that a person must not lose.
func writeJSON(file string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(file, append(raw, '\n'), 0o600)
}
