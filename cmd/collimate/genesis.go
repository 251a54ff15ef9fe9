package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/org"
	"collimate/consensus"

	"github.com/spf13/cobra"
)

// chainIDCharacters and maxChainID say what may name a network: it stands in every transaction, and in names of files.
const (
	chainIDCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	maxChainID        = 50
)

func (a *app) genesis() *cobra.Command {
	c := &cobra.Command{
		Use:   "genesis",
		Short: "Make a network out of several organisations",
	}
	c.AddCommand(a.genesisCreate())
	return c
}

func (a *app) genesisCreate() *cobra.Command {
	var chainID, out string
	var payers []string
	c := &cobra.Command{
		Use:   "create MEMBER...",
		Short: "Make the genesis and the address book of a network",
		Long: `Make the genesis and the address book of a network whose members are given: the directory
of an organisation, where both files are put, or a member.json that another organisation
has sent, and that must get both files in return.

A source publishes under a bond that a payer puts up: an insurer, a ministry, whoever
stands behind it. Name them with --payer and how many units each may bond. Without any,
each member is the payer of its own bond, with 1000 units.

With --out the files are written to another directory too. Nothing is overwritten: a
network has one genesis.`,
		Example: `  collimate genesis create --chain-id my-network north south east west
  collimate genesis create --chain-id my-network --out network north from-south/member.json
  collimate genesis create --chain-id my-network --payer fund=fund.crt:50000 north south east west`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if chainID == "" || len(chainID) > maxChainID || strings.Trim(chainID, chainIDCharacters) != "" {
				return usageError{fmt.Errorf("--chain-id: %q is not 1 to %d letters, digits, '.', '_', '-'", chainID, maxChainID)}
			}
			var members []*org.Member
			var dirs []string
			bonding, err := parsePayers(payers)
			if err != nil {
				return usageError{err}
			}
			for _, arg := range args {
				m, err := org.ReadMember(arg)
				if err != nil {
					return fmt.Errorf("reading the member %s: %w", arg, err)
				}
				members = append(members, m)
				if info, err := os.Stat(arg); err == nil && info.IsDir() {
					dirs = append(dirs, arg)
				}
			}
			if out != "" {
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
				dirs = append(dirs, out)
			}
			for _, dir := range dirs { // look before the first file is written
				if _, err := os.Stat(filepath.Join(dir, org.GenesisFile)); !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s has a %s already: a network has one genesis", dir, org.GenesisFile)
				}
			}
			g, err := org.CreateNetwork(chainID, members, bonding, time.Now(), dirs...)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "made the network %s of %d members, %d of them validators\n", chainID, len(members), len(g.Validators))
			for _, dir := range dirs {
				fmt.Fprintf(a.stdout, "  %s\n  %s\n", filepath.Join(dir, org.GenesisFile), filepath.Join(dir, org.MembersFile))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&chainID, "chain-id", "", "name of the network, for ever: letters, digits, '.', '_', '-'")
	f.StringArrayVar(&payers, "payer", nil, "`NAME=KEY:UNITS` of a payer, KEY being a certificate or a key id; repeatable")
	f.StringVar(&out, "out", "", "a directory for copies of both files")
	_ = c.MarkFlagRequired("chain-id")
	return c
}

// parsePayers reads payers as --payer names them.
func parsePayers(texts []string) (payers []consensus.Payer, err error) {
	for _, text := range texts {
		name, rest, named := strings.Cut(text, "=")
		colon := strings.LastIndexByte(rest, ':')
		if !named || name == "" || colon < 0 {
			return nil, fmt.Errorf("--payer %s: want NAME=KEY:UNITS", text)
		}
		p := consensus.Payer{Name: name}
		if p.Units, err = strconv.ParseUint(rest[colon+1:], 10, 64); err != nil {
			return nil, fmt.Errorf("--payer %s: %q is not a number of units", text, rest[colon+1:])
		}
		if p.Key, err = party("payer", rest[:colon]); err != nil {
			return nil, err
		}
		payers = append(payers, p)
	}
	return payers, nil
}
