package main

import (
	"errors"
	"fmt"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"

	"github.com/spf13/cobra"
)

// defaultEmergency is how long an emergency lasts: until somebody can be asked.
const defaultEmergency = 4 * time.Hour

func (a *app) emergency() *cobra.Command {
	var flags ownerFlags
	var study studyFlags
	var membership, reason, out string
	var duration time.Duration
	c := &cobra.Command{
		Use:   "emergency",
		Short: "Break the glass: get at a study that nobody has granted, in the open",
		Long: `Get at a study that nobody has granted, as a member of a group that the study's source admits
in emergencies. Everybody sees on the ledger that this key did it, and when, for ever; the
owner is told. The reason stays with you, and the ledger proves later that it was this one:
keep the file that is written.`,
		Example: `  collimate emergency --study 5f0c... --membership opening-group.json --key doctor.key \
      --reason "unconscious after an accident, earlier CT needed"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			if reason == "" {
				return usageError{errors.New("--reason: say why")}
			}
			if duration <= 0 {
				return usageError{fmt.Errorf("--for %s: want a time such as %s", duration, defaultEmergency)}
			}
			member, err := readOpening(membership)
			if err != nil {
				return err
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			now := time.Now()
			if out == "" {
				out = fmt.Sprintf("emergency-%s-%s.json", id.String()[:12], now.UTC().Format("20060102T150405"))
			}
			why := ledgercmd.Reason{Study: id, Text: reason, Blind: ledgercmd.NewBlind()}
			if err := writeJSON(out, why); err != nil {
				return err
			}
			r, err := s.Emergency(cmd.Context(), why, member.Study, ledgercmd.Blind(member.Blind), now.Add(duration))
			if err != nil {
				return fmt.Errorf("breaking the glass: %w", err)
			}
			fmt.Fprintf(a.stdout, "in block %d, until %s\n  study   %s\n  reason  %s\n", r.Height, now.Add(duration).UTC().Format(time.DateTime+" MST"), id, out)
			return nil
		},
	}
	a.keyFlags(c, &flags, "your")
	study.add(c)
	f := c.Flags()
	f.StringVar(&membership, "membership", "", "the opening by which you are a member of the group, a `file`")
	f.StringVar(&reason, "reason", "", "why, in your words")
	f.DurationVar(&duration, "for", defaultEmergency, "for how long")
	f.StringVar(&out, "out", "", "`file` for the reason (default: emergency-STUDY-TIME.json)")
	_ = c.MarkFlagRequired("membership")
	_ = c.MarkFlagRequired("reason")
	return c
}
