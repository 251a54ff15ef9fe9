package main

import (
	"fmt"
	"strings"

	"collimate/cmd/collimate/internal/config"

	"github.com/spf13/cobra"
)

func (a *app) config() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, or print a commented one",
	}
	c.AddCommand(a.configCheck(), a.configReference())
	return c
}

func (a *app) configCheck() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check",
		Short: "Report all that is wrong with a configuration at once, with line numbers",
		Long: `Report all that is wrong with a configuration at once, with line numbers: what cannot be
read, what does not belong together, and files that are missing or do not fit.
The exit status is 2 if there is anything.`,
		Example: "  collimate config check --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.load(path)
			if err := config.Join(err, c.CheckFiles()); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s is right: %s, %s\n", path, c.Organisation.Name, strings.Join(c.Organisation.Roles, ", "))
			return nil
		},
	}
	a.configFlag(c, &path)
	return c
}

func (a *app) configReference() *cobra.Command {
	return &cobra.Command{
		Use:     "reference",
		Short:   "Print a configuration with every key, its default and what it means",
		Example: "  collimate config reference > collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return config.Write(a.stdout, nil)
		},
	}
}
