package main

import (
	"fmt"

	"collimate/cmd/collimate/internal/admin"
	"collimate/keys"

	"github.com/spf13/cobra"
)

func (a *app) source() *cobra.Command {
	c := &cobra.Command{
		Use:   "source",
		Short: "Put this organisation on the ledger as a source, and keep its entry",
	}
	c.AddCommand(a.sourceDefine(), a.sourceGroup(), a.sourceRotate(), a.sourceUnjail())
	return c
}

func (a *app) sourceDefine() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "define",
		Short: "Define the source on the ledger, or bring its URLs up to date",
		Long: `Define this organisation on the ledger as a source, with the URLs of its configuration,
or bring its entry up to date. It does nothing when the entry is right. The
organisation's server must be running.`,
		Example: "  collimate source define --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			door, err := a.door(path)
			if err != nil {
				return err
			}
			s, err := door.DefineSource(cmd.Context())
			if err != nil {
				return fmt.Errorf("defining the source: %w", err)
			}
			fmt.Fprintf(a.stdout, "the source is on the ledger\n  key id                %s\n  repositoryUniqueId    %s\n  ITI-43                %s\n  openings              %s\n",
				s.Source, s.RepositoryUniqueID, s.ITI43, s.Openings)
			return nil
		},
	}
	a.configFlag(c, &path)
	return c
}

func (a *app) sourceGroup() *cobra.Command {
	var path, owner string
	c := &cobra.Command{
		Use:   "group",
		Short: "Put a group on the ledger: a ward, a research project",
		Long: `Put a group on the ledger: a record whose owner makes members by granting it to them, with
'grant allow --study GROUP'. Whoever a patient lets in as a group (grant allow --to-group) is
let in as its member. The organisation's server must be running.`,
		Example: "  collimate source group --owner ward7.crt --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := party("owner", owner)
			if err != nil {
				return err
			}
			door, err := a.door(path)
			if err != nil {
				return err
			}
			group, err := door.DefineGroup(cmd.Context(), keys.Owner{ID: id})
			if err != nil {
				return fmt.Errorf("defining the group: %w", err)
			}
			fmt.Fprintf(a.stdout, "the group is on the ledger\n  group id  %s\n", group)
			return nil
		},
	}
	a.configFlag(c, &path)
	c.Flags().StringVar(&owner, "owner", "", "who decides about members: a `certificate` file or a key id")
	_ = c.MarkFlagRequired("owner")
	return c
}

// door finds the running server of an organisation.
func (a *app) door(configPath string) (*admin.Client, error) {
	c, err := a.load(configPath)
	if err != nil {
		return nil, err
	}
	door, err := admin.Open(c.Organisation.Data)
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", c.Organisation.Name, err)
	}
	return door, nil
}
