package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node/client"

	"github.com/spf13/cobra"
)

// defaultChangeBlocks is how far ahead a vote is, beyond what the params ask: time for the other payers to vote.
const defaultChangeBlocks = 10_000

// signer returns who signs.
func (a *app) signer(f ownerFlags) (*ledgercmd.Signer, error) {
	key, err := keystore.Load(f.key)
	if err != nil {
		return nil, err
	}
	r, err := a.reader(f.readerFlags)
	return &ledgercmd.Signer{Key: key, Reader: r}, err
}

// keyFlags adds --key, with whose it is, and the flags for the node.
func (a *app) keyFlags(c *cobra.Command, f *ownerFlags, whose string) {
	a.ownerFlags(c, f)
	c.Flags().Lookup("key").Usage = whose + " private key, a `file`"
}

func (a *app) payer() *cobra.Command {
	c := &cobra.Command{
		Use:   "payer",
		Short: "Put up bonds for sources, take them back, or vote on the rules",
	}
	c.AddCommand(
		a.payerBond("bond", "Put up units for a source, so that it may publish",
			`Put up accounting units for a source, which need not be on the ledger yet. A source may
publish as much as is bonded for it; if it misbehaves, part or all of it is forfeited.`, (*ledgercmd.Signer).Bond),
		a.payerBond("unbond", "Take units back",
			`Take units back that are bonded for a source. They are free after some weeks, so that a
source cannot escape from what it has just done.`, (*ledgercmd.Signer).Unbond),
		a.payerSetParams(),
	)
	return c
}

func (a *app) payerBond(use, short, long string, do func(*ledgercmd.Signer, context.Context, keys.Source, uint64) (client.Receipt, error)) *cobra.Command {
	var flags ownerFlags
	var source string
	c := &cobra.Command{
		Use:     use + " UNITS",
		Short:   short,
		Long:    long,
		Example: fmt.Sprintf("  collimate payer %s 100 --source north/keys/organisation.crt --key payer.key --node http://127.0.0.1:8442 --genesis genesis.json", use),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			units, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || units == 0 {
				return usageError{fmt.Errorf("%q is not a number of units, 1 or more", args[0])}
			}
			id, err := party("source", source)
			if err != nil {
				return err
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			r, err := do(s, cmd.Context(), keys.Source{ID: id}, units)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "done in block %d\n", r.Height)
			return nil
		},
	}
	a.keyFlags(c, &flags, "the payer's")
	c.Flags().StringVar(&source, "source", "", "the source: a `certificate` file or a key id")
	_ = c.MarkFlagRequired("source")
	return c
}

func (a *app) payerSetParams() *cobra.Command {
	var flags ownerFlags
	var file string
	var payers []string
	var height uint64
	c := &cobra.Command{
		Use:   "set-params",
		Short: "Vote for other rules, other units of payers, or new payers",
		Long: `Vote for other rules, other units of payers, or new payers. It is decided when payers with
more than two thirds of all units have voted for the same, --height included, and counts
from that height. The rules that can change are shown by a node under /v1/params; --params
names those that are to differ, as JSON.`,
		Example: `  echo '{"recovery_time": 604800}' > params.json
  collimate payer set-params --params params.json --height 120000 --key payer.key
  collimate payer set-params --payer 93ab...=5000 --height 120000 --key payer.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			units, err := parseUnits(payers)
			if err != nil {
				return usageError{fmt.Errorf("--payer: %w", err)}
			}
			s, err := a.signer(flags)
			if err != nil {
				return err
			}
			vote, err := a.vote(cmd.Context(), s.Reader, file, units, height)
			if err != nil {
				return err
			}
			r, err := s.SetParams(cmd.Context(), vote)
			if err != nil {
				return fmt.Errorf("voting: %w", err)
			}
			fmt.Fprintf(a.stdout, "voted in block %d, for height %d\n", r.Height, vote.Height)
			next, err := s.Node.NextParams(cmd.Context())
			switch {
			case err == nil:
				fmt.Fprintf(a.stdout, "it is decided, and counts from height %d\n", next.Height)
			case !errors.Is(err, ledger.ErrNotFound):
				return err
			}
			return nil
		},
	}
	a.keyFlags(c, &flags, "the payer's")
	f := c.Flags()
	f.StringVar(&file, "params", "", "the rules that are to differ, a JSON `file`")
	f.StringSliceVar(&payers, "payer", nil, "`KEYID=UNITS` of a payer whose units are to differ, or of a new one; may be repeated")
	f.Uint64Var(&height, "height", 0, fmt.Sprintf("from which it counts (default: %d blocks from now)", defaultChangeBlocks))
	c.MarkFlagsOneRequired("params", "payer")
	return c
}

// vote reads what is voted for: the present params and what is to differ.
func (a *app) vote(ctx context.Context, from ledgercmd.Reader, file string, payers []ledger.PayerUnits, height uint64) (v ledgercmd.Vote, err error) {
	present, err := from.Params(ctx)
	if err != nil {
		return v, err
	}
	v = ledgercmd.Vote{Params: present.Params, Payers: payers, Height: height}
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return v, err
		}
		defer f.Close()
		d := json.NewDecoder(f)
		d.DisallowUnknownFields()
		if err := d.Decode(&v.Params); err != nil {
			return v, fmt.Errorf("reading %s: %w", file, err)
		}
	}
	if v.Height == 0 {
		status, err := from.Node.Status(ctx)
		if err != nil {
			return v, err
		}
		v.Height = uint64(status.Height) + present.Params.ChangeBlocks + defaultChangeBlocks
	}
	return v, nil
}

// parseUnits reads payers as --payer names them.
func parseUnits(texts []string) (payers []ledger.PayerUnits, err error) {
	for _, text := range texts {
		name, units, _ := strings.Cut(text, "=")
		var p ledger.PayerUnits
		if p.Units, err = strconv.ParseUint(units, 10, 64); err != nil {
			return nil, fmt.Errorf("%q is not KEYID=UNITS", text)
		}
		if p.Payer.ID, err = keys.ParseID(name); err != nil {
			return nil, err
		}
		payers = append(payers, p)
	}
	return payers, nil
}
