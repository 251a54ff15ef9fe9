package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"collimate/cmd/collimate/internal/admin"
	"collimate/dicom"
	"collimate/ticket"

	"github.com/spf13/cobra"
)

// publishedFlags name a study that is published: by its ticket, its number, or its UID.
type publishedFlags struct{ ticket, number, uid string }

func (f *publishedFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.ticket, "ticket", "", "the study's claim ticket, a `file`")
	c.Flags().StringVar(&f.number, "number", "", "the ticket number, as it stands on the page that the patient has")
	c.Flags().StringVar(&f.uid, "uid", "", "the study's Study Instance UID")
	c.MarkFlagsMutuallyExclusive("ticket", "number", "uid")
	c.MarkFlagsOneRequired("ticket", "number", "uid")
}

// study returns what the server is to be asked for.
func (f *publishedFlags) study() (string, error) {
	switch {
	case f.number != "":
		number, err := ticket.ParseNumber(f.number)
		if err != nil {
			return "", usageError{fmt.Errorf("--number: %w", err)}
		}
		return number, nil
	case f.ticket != "":
		t, err := readTicket(f.ticket)
		if err != nil {
			return "", err
		}
		return t.StudyInstanceUID, nil
	}
	if err := dicom.CheckUID(f.uid); err != nil {
		return "", usageError{fmt.Errorf("--uid: %w", err)}
	}
	return f.uid, nil
}

func (a *app) studyTicket() *cobra.Command {
	var path, pdf, png, json, font string
	var which publishedFlags
	var accession, date bool
	o := ticket.Options{}
	c := &cobra.Command{
		Use:   "ticket",
		Short: "Print the claim ticket of a published study for its patient",
		Long: `Print the claim ticket of a published study as a page for its patient: as PDF, and as PNG at
300 dots an inch, with a QR code that a wallet reads. It is a secret: print it, hand it over
in person or in a sealed envelope, and delete the files.

The page names no patient, so that whoever finds it does not learn whose images these are.
--accession and --date print what tells two tickets apart. The ticket number on the page opens
nothing; with it 'study hold' finds the study when a patient calls.

The organisation's server must be running. Once the study is claimed there is nothing to print.`,
		Example: "  collimate study ticket --uid 1.2.840.113619.2.55.3 --pdf ticket.pdf --config north/collimate.yaml\n" +
			"  collimate study ticket --ticket ticket.json --png ticket.png --paper letter --accession --config north/collimate.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			study, err := which.study()
			if err != nil {
				return err
			}
			if !slices.Contains(ticket.Papers(), o.Paper) {
				return usageError{fmt.Errorf("--paper: %q is not one of %s", o.Paper, strings.Join(ticket.Papers(), ", "))}
			}
			if !slices.Contains(ticket.Languages(), o.Language) {
				return usageError{fmt.Errorf("--language: %q is not one of %s", o.Language, strings.Join(ticket.Languages(), ", "))}
			}
			if font != "" {
				if o.Font, err = os.ReadFile(font); err != nil {
					return fmt.Errorf("--font: %w", err)
				}
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			t, err := door.Ticket(cmd.Context(), study)
			if err != nil {
				return err
			}
			o.Institution = t.Institution
			if accession {
				o.AccessionNumber = t.AccessionNumber
			}
			if date {
				o.Date = t.Date
			}
			if json != "" {
				file, err := admin.WriteTicket(json, t.Ticket)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "wrote %s\n", file)
			}
			if pdf == "" && png == "" {
				return nil
			}
			page, err := ticket.New(t.Ticket, o)
			if err != nil {
				return fmt.Errorf("printing the claim ticket: %w", err)
			}
			for _, out := range []struct {
				file  string
				write func(io.Writer) error
			}{{pdf, page.WritePDF}, {png, page.WritePNG}} {
				if out.file == "" {
					continue
				}
				var b bytes.Buffer
				if err := out.write(&b); err != nil {
					return err
				}
				if err := writeFile(out.file, b.Bytes(), 0o600); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "wrote %s\n", out.file)
			}
			return nil
		},
	}
	a.configFlag(c, &path)
	which.add(c)
	f := c.Flags()
	f.StringVar(&pdf, "pdf", "", "the page as PDF, a new `file`")
	f.StringVar(&png, "png", "", "the page as PNG, a new `file`")
	f.StringVar(&json, "json", "", "the ticket as a file for 'study claim', into this `directory`")
	f.StringVar(&o.Paper, "paper", ticket.Papers()[0], "one of "+strings.Join(ticket.Papers(), ", "))
	f.StringVar(&o.Language, "language", "en", "one of "+strings.Join(ticket.Languages(), ", "))
	f.StringVar(&font, "font", "", "a TrueType `file`, for a name in a script that is neither Latin, Greek nor Cyrillic")
	f.BoolVar(&accession, "accession", false, "print the accession number")
	f.BoolVar(&date, "date", false, "print the date of the examination")
	c.MarkFlagsOneRequired("pdf", "png", "json")
	return c
}
