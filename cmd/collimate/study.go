package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/compare"
	"collimate/cmd/collimate/internal/config"
	"collimate/ledger"
	pacsfs "collimate/pacs/fs"

	"github.com/spf13/cobra"
)

func (a *app) study() *cobra.Command {
	c := &cobra.Command{
		Use:   "study",
		Short: "Publish a study, claim it, or compare a copy with the archive",
	}
	c.AddCommand(a.studyPublish(), a.studyClaim(), a.studyVerify())
	return c
}

func (a *app) studyPublish() *cobra.Command {
	var path, tickets string
	c := &cobra.Command{
		Use:   "publish DIR",
		Short: "Archive the DICOM files of a folder and publish their studies",
		Long: `Take the DICOM files below DIR into the archive and publish each of their studies on the
ledger. For each study a claim ticket is written, with which the patient makes the study
theirs: hand it over in confidence. Publishing again changes nothing.

The organisation's server must be running; it reads DIR itself.`,
		Example: "  collimate study publish ./images --config north/collimate.yaml --tickets tickets",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return errors.Join(fmt.Errorf("%s is not a folder", args[0]), err)
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			progress, done := a.progress()
			published, err := door.PublishFolder(cmd.Context(), folder, progress)
			done()
			if err != nil {
				return fmt.Errorf("publishing %s: %w", args[0], err)
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
		Example: "  collimate study claim --ticket ticket.json --key patient.key --node http://127.0.0.1:8442",
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
			archive, err := pacsfs.Open(c.Path(config.ArchiveDir))
			if err != nil {
				return err
			}
			defer archive.Close()
			study, err := archive.Study(cmd.Context(), t.StudyInstanceUID)
			if err != nil {
				return err
			}
			n, size, err := compare.Study(cmd.Context(), args[0], archive, study)
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
