package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/archive"
	"collimate/cmd/collimate/internal/compare"
	"collimate/dicom"
	"collimate/gateway"
	"collimate/ledger"

	"github.com/spf13/cobra"
)

func (a *app) study() *cobra.Command {
	c := &cobra.Command{
		Use:   "study",
		Short: "Publish a study, print its ticket, claim it, compare a copy with the archive, or take it back",
	}
	c.AddCommand(a.studyPublish(), a.studyBackFill(), a.studyStatus(), a.studyList(), a.studyTicket(),
		a.studyClaim(), a.studyVerify())
	for _, act := range studyActs {
		c.AddCommand(a.studyAct(act))
	}
	return c
}

func (a *app) studyPublish() *cobra.Command {
	var path, tickets string
	var uids []string
	c := &cobra.Command{
		Use:   "publish DIR | --uid UID",
		Short: "Archive the DICOM files of a folder and publish their studies, or publish what the archive has",
		Long: `Take the DICOM files below DIR into the archive and publish each of their studies on the
ledger; or, with --uid, publish studies that the archive has. For each study a claim ticket is
written, with which the patient makes the study theirs: hand it over in confidence, printed
with 'study ticket'. Publishing again changes nothing.

The organisation's server must be running; it reads DIR itself.`,
		Example: "  collimate study publish ./images --config north/collimate.yaml --tickets tickets\n" +
			"  collimate study publish --uid 1.2.840.113619.2.55.3 --config north/collimate.yaml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (len(uids) == 0) {
				return usageError{errors.New("name a folder, or studies with --uid")}
			}
			for _, uid := range uids {
				if err := dicom.CheckUID(uid); err != nil {
					return usageError{fmt.Errorf("--uid: %w", err)}
				}
			}
			published, err := a.publish(cmd.Context(), path, args, uids)
			if err != nil {
				return err
			}
			for _, t := range published {
				file, err := admin.WriteTicket(tickets, t)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "published\n  study id              %s\n  repositoryUniqueId    %s\n", t.StudyID, t.RepositoryUniqueID)
				for _, kind := range []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest} {
					fmt.Fprintf(a.stdout, "  %-20s  %s\n", kind, t.Documents[kind])
				}
				fmt.Fprintf(a.stdout, "  claim ticket          %s\n", file)
			}
			return nil
		},
	}
	a.configFlag(c, &path)
	c.Flags().StringVar(&tickets, "tickets", ".", "directory for the claim tickets")
	c.Flags().StringSliceVar(&uids, "uid", nil, "a Study Instance UID that the archive has; may be given again")
	return c
}

// publish asks the server to publish a folder, or studies of the archive.
func (a *app) publish(ctx context.Context, config string, folder, uids []string) ([]*gateway.Ticket, error) {
	if len(uids) > 0 {
		door, err := a.door(config)
		if err != nil {
			return nil, err
		}
		return door.PublishStudies(ctx, uids)
	}
	dir, err := filepath.Abs(folder[0])
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", folder[0])
	}
	door, err := a.door(config)
	if err != nil {
		return nil, err
	}
	progress, done := a.progress()
	published, err := door.PublishFolder(ctx, dir, progress)
	done()
	if err != nil {
		return nil, fmt.Errorf("publishing %s: %w", folder[0], err)
	}
	return published, nil
}

// studyAct is a command by which a source does something with a study that it has published.
type studyAct struct {
	act               admin.Act
	short, long, done string
}

var studyActs = []studyAct{
	{admin.ActAmend, "Say on the ledger that a published study has changed",
		`Say on the ledger that instances of a published study came late or were changed. Grants stay
as they are and reach to the new instances.`, "is amended"},
	{admin.ActHold, "Keep a published study from everybody",
		`Keep a published study from everybody, its owner included, until it is released: for images
that may be another patient's. It counts as soon as it is final on the ledger.`, "is held: nobody gets it"},
	{admin.ActRelease, "Release a study that is held",
		`Release a study that is held: whoever had access has it again.`, "is released"},
	{admin.ActWithdraw, "Take a published study back, for good",
		`Take a published study back, for good: nobody gets it any more, and its entry on the ledger
says so. The archive keeps the images.`, "is withdrawn"},
	{admin.ActErase, "Take a published study back and delete its salt",
		`Take a published study back and delete its salt, and with it all by which this source could
tell which study the ledger's entry stands for. It cannot be undone: publishing the study
again makes another entry. The archive keeps the images; backups of the catalog keep the
salt until you delete them, and so does the patient's ticket.`, "is withdrawn, and its salt is deleted"},
}

func (a *app) studyAct(act studyAct) *cobra.Command {
	var path string
	var which publishedFlags
	c := &cobra.Command{
		Use:   string(act.act),
		Short: act.short,
		Long:  act.long + "\n\nThe organisation's server must be running.",
		Example: fmt.Sprintf("  collimate study %[1]s --ticket ticket.json --config north/collimate.yaml\n"+
			"  collimate study %[1]s --number '3F9A C21B 07D4 88E0' --config north/collimate.yaml\n"+
			"  collimate study %[1]s --uid 1.2.840.113619.2.55.3 --config north/collimate.yaml", act.act),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			study, err := which.study()
			if err != nil {
				return err
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			if err := door.Act(cmd.Context(), study, act.act); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "the study %s\n", act.done)
			return nil
		},
	}
	a.configFlag(c, &path)
	which.add(c)
	return c
}

func (a *app) studyClaim() *cobra.Command {
	var flags ownerFlags
	var ticket string
	c := &cobra.Command{
		Use:   "claim",
		Short: "Make the study of a claim ticket yours",
		Long: `Make the study of a claim ticket yours: it is transferred on the ledger from the ticket's
claim key to your key. From then on only your key decides who may have it, and the
ticket's claim key is worth nothing.`,
		Example: "  collimate study claim --ticket ticket.json --key patient.key --node http://127.0.0.1:8442 --genesis genesis.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := readTicket(ticket)
			if err != nil {
				return err
			}
			o, err := a.owner(flags)
			if err != nil {
				return err
			}
			r, err := o.Claim(cmd.Context(), t)
			if err != nil {
				return fmt.Errorf("claiming: %w", err)
			}
			if r.Height == 0 {
				fmt.Fprintf(a.stdout, "study %s is yours already\n", t.StudyID)
				return nil
			}
			fmt.Fprintf(a.stdout, "study %s is yours since block %d\n", t.StudyID, r.Height)
			return nil
		},
	}
	a.ownerFlags(c, &flags)
	c.Flags().StringVar(&ticket, "ticket", "", "the claim ticket, a `file`")
	_ = c.MarkFlagRequired("ticket")
	return c
}

func (a *app) studyVerify() *cobra.Command {
	var path, ticket string
	c := &cobra.Command{
		Use:   "verify ZIP",
		Short: "Compare a retrieved study with the archive, byte for byte",
		Long: `Compare a study that somebody retrieved, as a ZIP, with what the archive of this
organisation holds: the same instances, and each with the same bytes.`,
		Example: "  collimate study verify received/study.zip --ticket ticket.json --config north/collimate.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := readTicket(ticket)
			if err != nil {
				return err
			}
			c, err := a.load(path)
			if err != nil {
				return err
			}
			held, err := archive.OpenAlone(c, true)
			if err != nil {
				return err
			}
			defer held.Close()
			study, err := held.Study(cmd.Context(), t.StudyInstanceUID)
			if err != nil {
				return err
			}
			n, size, err := compare.Study(cmd.Context(), args[0], held, study)
			if err != nil {
				return fmt.Errorf("comparing: %w", err)
			}
			fmt.Fprintf(a.stdout, "%d instances, %s: every byte is as in the archive\n", n, byteCount(size))
			return nil
		},
	}
	a.configFlag(c, &path)
	c.Flags().StringVar(&ticket, "ticket", "", "the claim ticket, a `file`")
	_ = c.MarkFlagRequired("ticket")
	return c
}
