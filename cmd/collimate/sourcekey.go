package main

import (
	"fmt"

	"collimate/keys/keystore"

	"github.com/spf13/cobra"
)

func (a *app) sourceRotate() *cobra.Command {
	var flags ownerFlags
	var newKey string
	var compromised bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give the source another key",
		Long: `Give the source another key. On the ledger the source keeps its name, the KeyID of its first
key; for some days it may still show the earlier key in TLS. Afterwards put the new key in
the organisation's configuration, with source.id set to the name, and start it again.

With --compromised, as somebody else may have the present key: then no earlier key is good in
TLS any more, and nobody can retrieve from the source until it shows the new one.`,
		Example: `  collimate keys new north/keys/organisation-2.key
  collimate source rotate --key north/keys/organisation.key --new north/keys/organisation-2.key --config north/collimate.yaml
  collimate source rotate --compromised --key north/keys/organisation-2.key --new north/keys/organisation-3.key --config north/collimate.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := keystore.Load(newKey)
			if err != nil {
				return err
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			source, r, err := s.Rotate(cmd.Context(), key, compromised)
			if err != nil {
				return fmt.Errorf("giving the source another key: %w", err)
			}
			fmt.Fprintf(a.stdout, "the source has another key since block %d\n  source.id  %s\n", r.Height, source.ID)
			return nil
		},
	}
	a.keyFlags(c, &flags, "the source's present")
	c.Flags().StringVar(&newKey, "new", "", "the new private key, a `file`")
	c.Flags().BoolVar(&compromised, "compromised", false, "somebody else may have the present key: no earlier key is good any more")
	_ = c.MarkFlagRequired("new")
	return c
}

func (a *app) sourceUnjail() *cobra.Command {
	var flags ownerFlags
	c := &cobra.Command{
		Use:   "unjail",
		Short: "Let the source publish again, after its node was absent for too long",
		Long: `Let the source publish again. A source whose node was absent too often cannot publish until
it says, after an hour, that it is back; part of what is bonded for it is forfeited.`,
		Example: "  collimate source unjail --key north/keys/organisation.key --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			r, err := s.Unjail(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "the source may publish again since block %d\n", r.Height)
			return nil
		},
	}
	a.keyFlags(c, &flags, "the source's")
	return c
}
